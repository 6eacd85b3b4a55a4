package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"
)

// Sizes of vote extensions, in bytes, that take turns by height: nothing to speak of; more than a
// frame of SecretConnection; and near the 1 MiB that a node accepts, where the request is hundreds
// of frames long.
var extensionSizes = []int{1, 5 << 10, 900 << 10}

// How many extensions of each size the peer must have found right.
const extensionsEach = 10

func extensionCases() []Case {
	var cases []Case
	for _, release := range []string{"v0.38.25", "v0.39.4", "v0.40.0", "v1.0.1"} {
		for _, transport := range []string{"tcp", "unix"} {
			cases = append(cases, Case{
				Name:  release + "/ext-" + transport,
				Needs: []Binary{nodeBinary(release), extappBinary(release)},
				Run:   func(t *T) { extensions(t, release, transport) },
			})
		}
	}
	return cases
}

// extensions runs a network of two validators, one of them ours, whose application extends every
// precommit. A node does not check its own extensions, so the peer is the judge: no block is made
// without our vote, and it takes our vote only if the extension's signature is right.
//
// A node up to v0.39, and v1, reads replies of 10,240 bytes at most. What it asks for has no limit,
// and it takes nothing from the reply but signatures and the time; so a signer that leaves the
// extension out of its reply can serve extensions of every size to all of them.
func extensions(t *T, release, transport string) {
	sizes := slices.Clone(extensionSizes)
	if t.Reference && release != "v0.40.0" {
		sizes = sizes[:2] // the node's own signer sends the extension back
	}
	chain := "interop-ext-" + release
	ours, peer := t.NewNode("ours", release, chain), t.NewNode("peer", release, chain)
	t.Network([]*Node{ours, peer}, ours, peer)
	for _, n := range []*Node{ours, peer} {
		socket := t.Socket(n.Name + "-app")
		args := []string{"-listen", socket}
		for _, size := range sizes {
			args = append(args, strconv.Itoa(size))
		}
		t.Spawn(n.Name+"-app", t.Bin("extapp-"+release), args...)
		n.Set(t, "", "proxy_app", socket)
	}
	ours.Listen(t, t.SignerAddr(transport))
	signer := t.NewSigner(FromNode, ours, ours)
	signer.Start(t)
	ours.Start(t)
	peer.Start(t)

	var verified map[string]int
	t.until(2*time.Minute, func() bool {
		verified = verifiedBy(peer, ours.Key)
		for _, size := range sizes {
			if verified[strconv.Itoa(size)] < extensionsEach {
				return false
			}
		}
		return true
	}, func() string {
		return fmt.Sprintf("waiting for %d of each extension to be verified, by size: %v", extensionsEach, verified)
	})

	result := t.Read(peer, ours.Key)
	t.Signed(signer)
	if len(result.Missed) > 0 {
		t.Fatalf("no vote of ours at heights %v", result.Missed)
	}
	t.Notef("%d heights, verified by size: %v, above round 0: %v", result.Heights, verified, result.Rounds)
}

// verifiedBy asks a node's application how many of our extensions it found right, by size.
func verifiedBy(n *Node, key *ValidatorKey) map[string]int {
	var counts map[string]map[string]int
	text, err := n.RPC.Query("/verified")
	if err != nil || json.Unmarshal(text, &counts) != nil {
		return nil // the node is not up yet
	}
	return counts[key.Address]
}
