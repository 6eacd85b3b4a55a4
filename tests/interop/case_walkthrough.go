package main

import (
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

func walkthroughCases() []Case {
	const release = "v0.38.25"
	return []Case{{
		Name:  "walkthrough",
		Needs: []Binary{nodeBinary(release)},
		Run:   func(t *T) { walkthrough(t, release) },
	}}
}

// guideConfig is what the guides of tmkms show; only the paths and the address are put in.
const guideConfig = `# Tendermint KMS configuration file

## Chain Configuration

### MetaOS Network

[[chain]]
id = "metaos_99237-1"
key_format = { type = "bech32", account_key_prefix = "mtospub", consensus_key_prefix = "mtosvalconspub" }
state_file = "/home/user/.kms/state/metaos_99237-1-consensus.json"

## Signing Provider Configuration

### Software-based Signer Configuration

[[providers.softsign]]
chain_ids = ["metaos_99237-1"]
key_type = "consensus"
path = "/home/user/.kms/secrets/consensus.key"

## Validator Configuration

[[validator]]
chain_id = "metaos_99237-1"
addr = "tcp://127.0.0.1:26660" # The ` + "`priv_validator_laddr` address in `~/.metaos/config/config.toml`" + ` on the validator instance.
secret_key = "/home/user/.kms/secrets/kms-identity.key"
protocol_version = "v0.34" # This should be set same as the version of Tendermint, use ` + "`metaosd tendermint version`" + ` to check. If you are using ` + "`ledger` module , `ledger`" + ` should be set. 
reconnect = true
`

// walkthrough follows the guide that operators follow, in its order, with a validator that has
// signed by itself so far and goes on doing so until the last step.
func walkthrough(t *T, release string) {
	node := t.NewNode("node", release, "metaos_99237-1")
	node.Start(t)
	node.Reach(t, 5)

	// 1. A home for the signer.
	home := filepath.Join(t.Dir, ".kms")
	t.Exec(t.Tmkms, "init", home)

	// 2. The keys. The second command makes a new identity although `init` made one.
	identity := filepath.Join(home, "secrets/kms-identity.key")
	made, err := os.ReadFile(identity)
	t.check(err)
	t.Exec(t.Tmkms, "softsign", "import", node.KeyFile(), filepath.Join(home, "secrets/consensus.key"))
	imported := node.RPC.Height()
	t.Exec(t.Tmkms, "softsign", "kengen", identity)
	t.mustHaveMovedAside(identity, made)

	// 3. The configuration.
	addr := t.SignerAddr("tcp")
	config := filepath.Join(home, "tmkms.toml")
	text := strings.ReplaceAll(guideConfig, "/home/user/.kms", home)
	text = strings.ReplaceAll(text, "tcp://127.0.0.1:26660", addr)
	t.check(os.WriteFile(config, []byte(text), 0o600))

	// 4. The node's configuration; its key goes away, while it still runs with it.
	node.Listen(t, addr)
	t.check(os.Rename(node.KeyFile(), filepath.Join(t.Dir, "backup.json")))

	// 5. The signer. Nobody listens yet.
	signer := &Signer{program: t.Tmkms, args: []string{"start", "-c", config}}
	signer.Start(t)
	link := `\[metaos_99237-1@` + regexp.QuoteMeta(addr) + `\]`
	t.mustPrint(signer.Proc,
		` INFO tmkms::commands::start: tmkms \S+ starting up\.\.\.$`,
		` INFO tmkms::keyring: \[keyring:softsign\] added consensus Ed25519 key: mtosvalconspub1[0-9a-z]{59,}$`,
		` INFO tmkms::connection::tcp: KMS node ID: [0-9a-f]{40}$`,
		`ERROR tmkms::client: `+link+` I/O error: Connection refused \(os error 111\)`,
	)
	node.Reach(t, node.RPC.Height()+3)

	// 6. The node, restarted.
	t.Stop(node.Proc)
	last, bytes := t.lastSigned(node)
	node.Start(t)
	t.mustPrint(signer.Proc,
		` INFO tmkms::session: `+link+` connected to validator successfully$`,
		` WARN tmkms::session: `+link+`: unverified validator peer ID! \([0-9a-f]{40}\)$`,
		` INFO tmkms::session: `+link+` signed Proposal:[0-9A-F]{10} at h/r/s \d+/0/0 \(\d+ ms\)$`,
	)
	t.mustPrint(node.Proc, `SignerListener: Connected`)
	node.Reach(t, last.Height+10)
	node.MustLack(t, node.Key)

	// The chain went on, and the signer began where the node had ended.
	first := t.Signed(signer)[0]
	if first.Slot.Before(last) || first.Slot == last && !strings.Contains(bytes, first.Block) {
		t.Fatalf("the node had signed up to %v, and the signer began with %v", last, first.Slot)
	}
	chain := t.Read(node, node.Key)
	if len(chain.Missed) > 0 {
		t.Fatalf("no vote of ours at heights %v", chain.Missed)
	}
	t.Notef("imported at height %d, node signed up to %v, signer from %v, %d heights, above round 0: %v",
		imported, last, first.Slot, chain.Heights, chain.Rounds)
}

// lastSigned reads the state of a node that signs by itself, in the steps of tmkms, which counts
// from 0, and with the sign-bytes as upper-case hex.
func (t *T) lastSigned(n *Node) (Slot, string) {
	var state struct {
		Height int64 `json:",string"`
		Round  int64
		Step   int64
		Bytes  string `json:"signbytes"`
	}
	t.readJSON(n.StateFile(), &state)
	if _, err := hex.DecodeString(state.Bytes); err != nil || state.Height == 0 {
		t.Fatalf("%s of a node that signed: %+v", n.StateFile(), state)
	}
	return Slot{state.Height, state.Round, state.Step - 1}, strings.ToUpper(state.Bytes)
}

// mustHaveMovedAside checks that a key which was made anew is still there under another name.
func (t *T) mustHaveMovedAside(path string, old []byte) {
	now, err := os.ReadFile(path)
	t.check(err)
	if string(now) == string(old) {
		t.Fatalf("%s was not made anew", path)
	}
	aside, err := filepath.Glob(path + ".old-*")
	t.check(err)
	for _, name := range aside {
		if kept, err := os.ReadFile(name); err == nil && string(kept) == string(old) {
			return
		}
	}
	t.Fatalf("the key that was at %s is gone", path)
}

// mustPrint waits for lines in this order, others between them allowed.
func (t *T) mustPrint(p *Proc, expressions ...string) {
	for i, expression := range expressions {
		wanted := regexp.MustCompile(`(?m)` + strings.Join(expressions[:i+1], `[\s\S]*?`))
		t.until(20*time.Second, func() bool { return wanted.MatchString(p.Text()) }, func() string {
			return fmt.Sprintf("waiting for %s to print %s", p.Name, expression)
		})
	}
}
