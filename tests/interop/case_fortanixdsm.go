package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"time"
)

// fortanixdsmCases: the validator's key is in a stand-in for Fortanix DSM.
func fortanixdsmCases() []Case {
	const release = "v0.38.25"
	return []Case{{
		Name: "fortanixdsm",
		Needs: []Binary{
			nodeBinary(release),
			cargoBinary("tmkms-fortanixdsm", "../../Cargo.toml", "--bin", "tmkms", "--features", "fortanixdsm"),
			cargoBinary("dsm-server", "../fortanixdsm/server/Cargo.toml", "--bin", "dsm-server"),
		},
		Run: func(t *T) { fortanixdsm(t, release) },
	}}
}

var servedAt = regexp.MustCompile(`(?m)^https (\d+)$`)

// fortanixdsm lives through a restart of the signer, and an outage of the service, in which the chain
// stands still: its only validator is ours.
func fortanixdsm(t *T, release string) {
	node := t.NewNode("node", release, "interop-dsm")
	node.Listen(t, t.SignerAddr("tcp"))

	// The key goes from the node to the service.
	backup := filepath.Join(t.Dir, "backup.json")
	t.check(os.Rename(node.KeyFile(), backup))
	dsm := filepath.Join(t.Dir, "dsm")
	port := t.Port()
	serve := func() *Proc {
		return t.Spawn("dsm", t.Bin("dsm-server"), dsm, "--port", strconv.Itoa(port), "--import", "validator", backup)
	}
	service := serve()
	t.until(20*time.Second, func() bool { return servedAt.MatchString(service.Text()) }, func() string {
		return "waiting for the service"
	})

	home := filepath.Join(t.Dir, "kms")
	program, config := t.Bin("tmkms-fortanixdsm"), filepath.Join(home, "tmkms.toml")
	t.Exec(program, "init", home)
	toml := fmt.Sprintf(`[[chain]]
id = %[1]q
key_format = { type = "bech32", account_key_prefix = "cosmospub", consensus_key_prefix = "cosmosvalconspub" }
state_file = "%[2]s/state/consensus.json"

[[providers.fortanixdsm]]
api_endpoint = "https://localhost:%[3]d"
api_key_file = "%[4]s/api-key"
ca_file = "%[4]s/ca.pem"
signing_keys = [{ chain_ids = [%[1]q], key_name = "validator" }]

[[validator]]
chain_id = %[1]q
addr = %[5]q
secret_key = "%[2]s/secrets/kms-identity.key"
`, node.Chain, home, port, dsm, node.Signer)
	t.check(os.WriteFile(config, []byte(toml), 0o600))
	t.Exec(program, "state", "init", "-c", config, node.Chain)
	signer := &Signer{program: program, args: []string{"start", "-c", config}}
	signer.Start(t)
	node.Start(t)
	node.Reach(t, 8)
	node.MustLack(t, node.Key)

	before := node.RPC.Height()
	signer.Proc.Kill()
	signer.Start(t)
	node.Reach(t, before+5)

	before = node.RPC.Height()
	service.Kill()
	t.mustPrint(signer.Proc, `refused: Fortanix DSM localhost:\d+`)
	time.Sleep(time.Second)
	stood := node.RPC.Height()
	serve()
	t.mustPrint(signer.Proc, `refused: Fortanix DSM`, `is back after`)
	// A node does not ask again for a vote that was refused. Other validators would take the chain on; alone
	// on it, it has to be started again. The signer is not.
	began := time.Now()
	t.Stop(node.Proc)
	node.Start(t)
	node.Reach(t, stood+1)
	back := time.Since(began)
	node.Reach(t, before+10)

	chain := t.Read(node, node.Key)
	signed := t.Signed(signer)
	if chain.Heights < 18 {
		t.Fatalf("only %d heights", chain.Heights)
	}
	if len(chain.Missed) > 0 {
		t.Fatalf("no vote of ours at heights %v", chain.Missed)
	}
	if stood > before+2 {
		t.Fatalf("the chain went from %d to %d without its validator's key", before, stood)
	}
	t.Notef("%d heights, %d signed, next height %.1f s after the node was asked to stop, with the service back", chain.Heights, len(signed), back.Seconds())
}
