package main

import (
	"os"
)

// harnessCases: Tendermint's own test of remote signers. The last release that has it is v0.34.24.
func harnessCases() []Case {
	harness := Binary{Name: "tm-signer-harness", Release: "v0.34.24", Package: "github.com/tendermint/tendermint/tools/tm-signer-harness"}
	var cases []Case
	for _, transport := range []string{"tcp", "unix"} {
		cases = append(cases, Case{
			Name:  "harness/" + transport,
			Needs: []Binary{nodeBinary("v0.34.35"), harness},
			Run:   func(t *T) { harnessRun(t, transport) },
		})
	}
	return cases
}

// harnessRun lets the harness play the node. It asks for heights 100 and 101, checks the signatures
// itself, and says by its exit code whether it was content.
func harnessRun(t *T, transport string) {
	node := t.NewNode("node", "v0.34.35", "interop-harness") // only its files are used
	node.Listen(t, t.SignerAddr(transport))
	key, err := os.ReadFile(node.KeyFile())
	t.check(err)
	signer := t.NewSigner(FromNode, node, node)
	t.check(os.WriteFile(node.KeyFile(), key, 0o600)) // the harness compares
	signer.Start(t)

	// One retry is 10 ms; its own default would give up on us after a second.
	out := t.Exec(t.Bin("tm-signer-harness"), "run", "-addr", node.Signer, "-tmhome", node.Home, "-accept-retries", "3000")
	t.check(os.WriteFile(t.Dir+"/harness.log", []byte(out), 0o600))
	t.Notef("exit code 0, %d signed", len(t.Signed(signer)))
}
