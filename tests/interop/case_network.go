package main

import "strings"

func networkCases() []Case {
	const release = "v0.38.25"
	return []Case{{
		Name:  "network/two-nodes",
		Needs: []Binary{nodeBinary(release)},
		Run:   func(t *T) { network(t, release) },
	}}
}

// network runs four validators. Ours has two nodes, in one network, that both want to vote with one
// key; one signer serves both, and what it gave one is what it must give the other.
func network(t *T, release string) {
	const heights = 25
	chain := "interop-network"
	var nodes []*Node
	for _, name := range []string{"b", "c", "d", "a1", "a2"} {
		n := t.NewNode(name, release, chain)
		n.Set(t, "", "log_level", "consensus:debug,*:info") // for what mustBeOneVoice looks for
		nodes = append(nodes, n)
	}
	peers, ours := nodes[:3], nodes[3:]
	key := ours[0].Key
	t.Network(nodes, nodes[:4]...)
	for _, n := range ours {
		n.Listen(t, t.SignerAddr("tcp"))
	}
	signer := t.NewSigner(FromNode, ours[0], ours...)
	signer.Start(t)
	for _, n := range nodes {
		n.Start(t)
	}
	for _, n := range nodes {
		n.Reach(t, heights)
	}

	for _, n := range ours {
		address, err := n.RPC.ConsensusAddress()
		t.check(err)
		if address != key.Address {
			t.Fatalf("%s votes with %s, not with the validator's key", n.Name, address)
		}
		n.MustLack(t, key)
	}
	result := t.Read(peers[0], key)
	for _, height := range result.Rounds {
		if height > 3 { // before, the nodes still find each other
			t.Fatalf("height %d took more than one round", height)
		}
	}
	// Three votes of four make a block, so now and then ours comes too late for the commit.
	if int64(len(result.Missed)) > result.Heights/4 {
		t.Fatalf("our vote is missing at heights %v of %d", result.Missed, result.Heights)
	}
	t.mustBeOneVoice(nodes)

	served := map[string]int{}
	for _, s := range t.Signed(signer) {
		served[s.Addr]++
	}
	for _, n := range ours {
		if !t.Reference && served[n.Signer] < heights {
			t.Fatalf("%s was given %d signatures in %d heights", n.Name, served[n.Signer], heights)
		}
	}
	t.Notef("%d heights, our vote missing at %d, signatures by node %d and %d", result.Heights,
		len(result.Missed), served[ours[0].Signer], served[ours[1].Signer])
}

// mustBeOneVoice looks in the logs of all nodes for a validator that was heard to say two things:
// votes for two blocks, or for one block with two times, which have two signatures.
func (t *T) mustBeOneVoice(nodes []*Node) {
	for _, n := range nodes {
		log := n.Proc.Text()
		for _, sign := range []string{
			"found conflicting vote from ourselves",
			"found and sent conflicting votes to the evidence pool",
			"vote has non-deterministic signature",
		} {
			if strings.Contains(log, sign) {
				t.Fatalf("%s logged %q", n.Name, sign)
			}
		}
	}
}
