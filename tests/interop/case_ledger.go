package main

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// ledgerCases: a validator whose key is in a Ledger, played by tests/ledger/ledger_app, which knows no
// vote extensions and longer chain ids only in part.
func ledgerCases() []Case {
	var cases []Case
	for _, release := range []string{"v0.34.35", "v0.37.18", "v0.38.25", "v1.0.1"} {
		cases = append(cases, Case{
			Name:  "ledger/" + release,
			Needs: append(ledgerBinaries(), nodeBinary(release)),
			Run:   func(t *T) { ledgerLife(t, release) },
		})
	}
	return append(cases, Case{
		Name:  "ledger/extensions",
		Needs: append(ledgerBinaries(), nodeBinary("v0.38.25")),
		Run:   func(t *T) { ledgerUnsigned(t, "v0.38.25") },
	}, Case{
		Name:  "ledger/demo",
		Needs: ledgerBinaries(),
		Run:   ledgerDemo,
	})
}

const ledgerChain = "led-1"

// Ledger is a device and a signer that uses it.
type Ledger struct {
	Key    *ValidatorKey
	Signer *Signer
}

// ledgerBinaries are tmkms with a Ledger, which needs libudev-dev and pkg-config, the device, and the demo.
func ledgerBinaries() []Binary {
	const manifest = "../../Cargo.toml"
	return []Binary{
		cargoBinary("tmkms-ledger", manifest, "--bin", "tmkms", "--features", "ledger"),
		cargoBinary("ledger_app", manifest, "--example", "ledger_app", "--features", "ledger"),
		cargoBinary("demo-ledger", manifest, "--example", "demo", "--features", "ledger"),
	}
}

// newLedger starts the device, makes it the only validator of the node's chain, initialises it as
// an operator does, and sets a signer up.
func (t *T) newLedger(node *Node) *Ledger {
	port := t.Port()
	seed := sha256.Sum256([]byte(t.Name))
	public := ed25519.NewKeyFromSeed(seed[:]).Public().(ed25519.PublicKey)
	address := sha256.Sum256(public)
	key := &ValidatorKey{Address: strings.ToUpper(hex.EncodeToString(address[:20])), Public: public, secret: hex.EncodeToString(seed[:])}
	t.Spawn("ledger", t.Bin("ledger_app"), fmt.Sprint(port), hex.EncodeToString(seed[:]), "agree")

	node.Key = key
	node.Genesis(t, node)

	tmkms := t.Bin("tmkms-ledger")
	home := filepath.Join(t.Dir, "kms")
	config := filepath.Join(home, "tmkms.toml")
	t.Exec(tmkms, "init", home)
	t.check(os.WriteFile(config, []byte(fmt.Sprintf(`[[chain]]
id = %[1]q
key_format = { type = "hex" }
state_file = "%[2]s/state/consensus.json"

[[providers.ledgertm]]
chain_ids = [%[1]q]
emulator = "tcp://127.0.0.1:%[3]d"

[[validator]]
chain_id = %[1]q
addr = %[4]q
secret_key = "%[2]s/secrets/kms-identity.key"
protocol_version = "ledger"
reconnect = true
`, ledgerChain, home, port, node.Signer)), 0o600))
	t.until(10*time.Second, func() bool {
		return exec.CommandContext(t.ctx, tmkms, "ledger", "init", "-c", config, "-H", "0", "-r", "0").Run() == nil
	}, func() string { return "initialising the device" })
	return &Ledger{key, &Signer{program: tmkms, args: []string{"start", "-c", config}}}
}

// ledgerLife runs a chain on the device's signatures, through a killed signer and a restarted node.
func ledgerLife(t *T, release string) {
	node := t.NewNode("node", release, ledgerChain)
	node.Listen(t, t.SignerAddr("tcp"))
	ledger := t.newLedger(node)
	if extensionSection(release) != "" {
		node.withoutExtensions(t)
	}
	ledger.Signer.Start(t)
	node.Start(t)
	node.Reach(t, 8)
	ledger.Signer.Proc.Kill()
	ledger.Signer.Start(t)
	node.Reach(t, 16)
	t.Stop(node.Proc)
	node.Start(t)
	node.Reach(t, 24)
	chain := t.Read(node, ledger.Key)
	t.Signed(ledger.Signer)
	// A signature that was on its way when the signer was killed is not made again.
	if len(chain.Missed) > 2 {
		t.Fatalf("no vote of ours at heights %v", chain.Missed)
	}
	t.Notef("%d heights, %d above round 0, no vote at %v", chain.Heights, len(chain.Rounds), chain.Missed)
}

// ledgerUnsigned shows what a node does on a chain with extensions, where each is signed, empty or not.
func ledgerUnsigned(t *T, release string) {
	node := t.NewNode("node", release, ledgerChain)
	node.Listen(t, t.SignerAddr("tcp"))
	ledger := t.newLedger(node)
	ledger.Signer.Start(t)
	node.Start(t)
	node.Proc.expected = true // it stops by itself
	const words = "extensions must be present IFF"
	t.until(time.Minute, func() bool { return strings.Contains(node.Proc.Text(), words) },
		func() string { return "waiting for the node to stop for want of an extension's signature" })
	t.Notef("the node stops: %s", words)
}

// ledgerDemo is `make demo` with the key in the device.
func ledgerDemo(t *T) {
	demo := exec.CommandContext(t.ctx, t.Bin("demo-ledger"))
	demo.Env = append(os.Environ(), "TMKMS="+t.Bin("tmkms-ledger"), "LEDGER="+t.Bin("ledger_app"))
	output, err := demo.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	const words = "the app signs nothing twice"
	if !strings.Contains(string(output), words) {
		t.Fatalf("the demo did not say that %s:\n%s", words, output)
	}
}
