package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

func migrationCases() []Case {
	const release = "v0.38.25"
	return []Case{{
		Name:  "migration",
		Needs: []Binary{nodeBinary(release), rival()},
		Run:   func(t *T) { migration(t, release) },
	}}
}

// rival is the tmkms that operators come from.
func rival() Binary { return Binary{Name: "tmkms-0.15.0", Release: "0.15.0"} }

// Long enough to stop what signs between the block of one height and the proposal of the next.
const pause = 1500 * time.Millisecond

// migration moves a validator that is alone on its chain from its own key to tmkms 0.15.0, from there
// to ours with the files as they are, and back to its own key. Alone, so that no height is made without
// its vote; and each change between two heights, since a state of tmkms does not say what was signed.
func migration(t *T, release string) {
	const heights = 5 // signed by each before the next takes over
	const chain = "migration-1"
	node := t.NewNode("node", release, chain)
	node.Set(t, "consensus", "timeout_commit", pause.String())
	node.withoutExtensions(t)
	address := t.SignerAddr("tcp")

	// Its own key.
	node.Start(t)
	node.between(t, heights)
	t.Stop(node.Proc)
	own, _ := t.lastSigned(node)

	// tmkms 0.15.0, set up as its guides say, and the state carried over by hand: without it, it
	// begins at height 0 and says nothing.
	home := filepath.Join(t.Dir, "kms")
	config, state := filepath.Join(home, "tmkms.toml"), filepath.Join(home, "state/"+chain+"-consensus.json")
	theirs := t.Bin(rival().Name)
	t.Exec(theirs, "init", home)
	t.Exec(theirs, "softsign", "import", node.KeyFile(), filepath.Join(home, "secrets/"+chain+"-consensus.key"))
	toml := strings.NewReplacer("HOME", home, "ADDR", address, "CHAIN", chain).Replace(rivalConfig)
	t.check(os.WriteFile(config, []byte(toml), 0o600))
	t.check(os.WriteFile(state, fmt.Appendf(nil, `{"height":"%d","round":"%d","step":%d,"block_id":null}`,
		own.Height, own.Round, own.Step), 0o600))
	backup := filepath.Join(t.Dir, "backup.json")
	t.check(os.Rename(node.KeyFile(), backup))
	node.Listen(t, address)
	before := &Signer{Proc: t.Spawn("before", theirs, "start", "-c", config)}
	node.Start(t)
	node.between(t, own.Height+heights)

	// Ours: another program, and not a byte of its files changed.
	t.Stop(before.Proc)
	signer := &Signer{program: t.Tmkms, args: []string{"start", "-c", config}}
	signer.Start(t)
	t.mustPrint(signer.Proc, `took over the state of tmkms; the original is kept as `)
	node.between(t, own.Height+2*heights)
	t.Stop(signer.Proc)
	t.Stop(node.Proc)

	// Its own key again. Our copy is retired by that.
	t.Exec(t.Tmkms, "state", "export", "-c", config, "--format", "filepv", chain, node.StateFile())
	given, _ := t.lastSigned(node)
	if out, err := t.TryExec(t.Tmkms, "start", "-c", config); err == nil || !strings.Contains(out, "retired") {
		t.Fatalf("a copy that went elsewhere: %s", out)
	}
	t.check(os.Rename(backup, node.KeyFile()))
	node.Listen(t, "")
	node.Start(t)
	node.Reach(t, given.Height+heights)

	// Who signed what: in order, without a gap, and each slot once.
	first, second := t.signedHeights(before), t.signedHeights(signer)
	if first[0] != own.Height+1 || second[0] != first[1]+1 || given.Height != second[1] {
		t.Fatalf("by itself to %v, by tmkms 0.15.0 %v, by ours %v, and the node was told %v", own, first, second, given)
	}
	for _, a := range t.Signed(before) {
		for _, b := range t.Signed(signer) {
			if !a.Slot.Before(b.Slot) {
				t.Fatalf("tmkms 0.15.0 signed %v, and then ours %v", a.Slot, b.Slot)
			}
		}
	}
	result := t.Read(node, node.Key)
	if len(result.Missed) > 0 || len(result.Rounds) > 0 {
		t.Fatalf("no vote at heights %v, more than one round at %v", result.Missed, result.Rounds)
	}
	t.Notef("%d heights in one round each: to %d by itself, to %d by tmkms 0.15.0, to %d by ours, by itself again",
		result.Heights, own.Height, first[1], second[1])
}

// withoutExtensions: tmkms 0.15.0 signs none, and a node that wants them does not live with it.
func (n *Node) withoutExtensions(t *T) {
	path := filepath.Join(n.Home, "config/genesis.json")
	text, err := os.ReadFile(path)
	t.check(err)
	const enabled, disabled = `"vote_extensions_enable_height": "1"`, `"vote_extensions_enable_height": "0"`
	if !strings.Contains(string(text), enabled) {
		t.Fatalf("%s does not say %s", path, enabled)
	}
	t.check(os.WriteFile(path, []byte(strings.Replace(string(text), enabled, disabled, 1)), 0o600))
}

// between waits for the pause behind a block that is not made yet.
func (n *Node) between(t *T, height int64) {
	n.Reach(t, height)
	n.Reach(t, n.RPC.Height()+1)
}

// signedHeights are the first and the last height of a signer's log. At each of those between, it has
// signed what a validator that is alone signs, once.
func (t *T) signedHeights(s *Signer) [2]int64 {
	kinds := map[int64]string{}
	var ends [2]int64
	for _, signed := range t.Signed(s) {
		kinds[signed.Slot.Height] += strings.ToLower(signed.Kind) + strconv.FormatInt(signed.Slot.Round, 10) + " "
		if ends[0] == 0 {
			ends[0] = signed.Slot.Height
		}
		ends[1] = signed.Slot.Height
	}
	for height := ends[0]; height <= ends[1]; height++ {
		if kinds[height] != "proposal0 prevote0 precommit0 " {
			t.Fatalf("%s shows %q at height %d", s.Proc.Log, kinds[height], height)
		}
	}
	return ends
}

// rivalConfig is what the guides of tmkms show; what ours understands must be as it is there.
const rivalConfig = `[[chain]]
id = "CHAIN"
key_format = { type = "bech32", account_key_prefix = "cosmospub", consensus_key_prefix = "cosmosvalconspub" }
state_file = "HOME/state/CHAIN-consensus.json"

[[providers.softsign]]
chain_ids = ["CHAIN"]
key_type = "consensus"
path = "HOME/secrets/CHAIN-consensus.key"

[[validator]]
chain_id = "CHAIN"
addr = "ADDR"
secret_key = "HOME/secrets/kms-identity.key"
protocol_version = "v0.34"
reconnect = true
`
