package main

import (
	"slices"
	"time"
)

var releases = []string{"v0.34.35", "v0.37.18", "v0.38.25", "v0.39.4", "v0.40.0", "v1.0.1"}

// lifeCases: each release of the node over each transport, through what a signer lives through.
func lifeCases() []Case {
	var cases []Case
	for _, release := range releases {
		for _, transport := range []string{"tcp", "unix"} {
			cases = append(cases, Case{
				Name:  release + "/" + transport,
				Needs: []Binary{nodeBinary(release)},
				Run:   func(t *T) { life(t, release, transport) },
			})
		}
	}
	return cases
}

// life runs a chain whose only validator has its key in the signer; kills the signer; restarts the
// node; and then reads the whole chain.
//
// Over tcp the key is imported from the node's directory, the signer is away for longer than the
// node waits for a connection at a time, and the node is stopped as an operator would. Over unix the
// key comes from a backup, the signer is back at once, and the node is killed, so that it replays
// its log behind a stale socket.
func life(t *T, release, transport string) {
	node := t.NewNode("node", release, "interop-"+release)
	from := FromNode
	if transport == "unix" {
		from = FromBackup
	}
	node.Listen(t, t.SignerAddr(transport))
	signer := t.NewSigner(from, node, node)
	signer.Start(t)
	node.Start(t)
	node.Reach(t, 8)
	node.MustLack(t, node.Key)

	// A round above 0 is a vote that came too late, and only a restart may be the reason.
	var excused []int64
	disturb := func(what string, action func()) {
		before, began := node.RPC.Height(), time.Now()
		action()
		node.Reach(t, before+2)
		t.Notef("%s cost %.1f s", what, time.Since(began).Seconds())
		for height := before; height <= node.RPC.Height()+1; height++ {
			excused = append(excused, height)
		}
		node.Reach(t, before+8)
	}
	disturb("signer kill", func() {
		signer.Proc.Kill()
		if transport == "tcp" {
			time.Sleep(4 * time.Second)
		}
		signer.Start(t)
	})
	disturb("node restart", func() {
		if transport == "unix" {
			node.Proc.Kill()
		} else {
			t.Stop(node.Proc)
		}
		node.Start(t)
	})
	node.MustLack(t, node.Key)

	chain := t.Read(node, node.Key)
	t.Signed(signer)
	if chain.Heights < 20 {
		t.Fatalf("only %d heights", chain.Heights)
	}
	if len(chain.Missed) > 0 {
		t.Fatalf("no vote of ours at heights %v", chain.Missed)
	}
	for _, height := range chain.Rounds {
		if !slices.Contains(excused, height) {
			t.Fatalf("height %d took more than one round, and no restart was near (%v)", height, excused)
		}
	}
	t.Notef("%d heights, %d above round 0", chain.Heights, len(chain.Rounds))
}
