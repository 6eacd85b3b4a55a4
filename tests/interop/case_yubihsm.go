package main

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

func yubihsmCases() []Case {
	const release = "v0.38.25"
	return []Case{{
		Name: release + "/yubihsm",
		Needs: []Binary{
			nodeBinary(release),
			cargoBinary("tmkms-yubihsm", "../../Cargo.toml", "--bin", "tmkms", "--features", "yubihsm"),
			cargoBinary("mock-yubihsm", "../yubihsm/mock/Cargo.toml"),
		},
		Run: func(t *T) { yubihsm(t, release) },
	}}
}

// yubihsm imports a validator's key into a fake device behind its connector, and runs a chain that no
// other signer can: through a device that is slow for a while, and a signer that is killed.
func yubihsm(t *T, release string) {
	program, mock := t.Bin("tmkms-yubihsm"), t.Bin("mock-yubihsm")
	node := t.NewNode("node", release, "interop-yubihsm")
	connector := fmt.Sprintf("127.0.0.1:%d", t.Port())
	device := t.Spawn("device", mock, connector)
	addr := t.SignerAddr("tcp")
	node.Listen(t, addr)

	home := filepath.Join(t.Dir, "kms")
	t.Exec(program, "init", home)
	config := filepath.Join(home, "tmkms.toml")
	toml := fmt.Sprintf(`[[chain]]
id = %[1]q
key_format = { type = "bech32", account_key_prefix = "cosmospub", consensus_key_prefix = "cosmosvalconspub" }
state_file = "%[2]s/state/consensus.json"

[[providers.yubihsm]]
adapter = { type = "http", addr = "tcp://%[3]s" }
auth = { key = 1, password = "password" }
serial_number = "0123456789"
keys = [{ chain_ids = [%[1]q], key = 1 }]

[[validator]]
chain_id = %[1]q
addr = %[4]q
secret_key = "%[2]s/secrets/kms-identity.key"
protocol_version = "v0.38"
reconnect = true
`, node.Chain, home, connector, addr)
	t.check(os.WriteFile(config, []byte(toml), 0o600))
	t.until(20*time.Second, func() bool {
		_, err := t.TryExec(program, "yubihsm", "keys", "list", "-c", config)
		return err == nil
	}, func() string { return "waiting for the device" })
	t.Exec(program, "yubihsm", "keys", "import", "-c", config, "-i", "1", node.KeyFile())
	t.check(os.Remove(node.KeyFile()))
	t.Exec(program, "state", "init", "-c", config, node.Chain)

	signer := &Signer{program: program, args: []string{"start", "-c", config}}
	signer.Start(t)
	node.Start(t)
	node.Reach(t, 8)
	node.MustLack(t, node.Key)

	// Shorter than a command may take: a vote that is refused is not asked for again in its round, and the only
	// validator of a chain would wait for it for ever.
	t.check(syscall.Kill(device.cmd.Process.Pid, syscall.SIGSTOP))
	time.Sleep(time.Second)
	t.check(syscall.Kill(device.cmd.Process.Pid, syscall.SIGCONT))
	began := time.Now()
	node.Reach(t, node.RPC.Height()+5)
	t.Notef("5 heights %.1f s after the device came back", time.Since(began).Seconds())

	signer.Proc.Kill()
	signer.Start(t)
	node.Reach(t, node.RPC.Height()+5)
	result := t.Read(node, node.Key)
	t.Signed(signer)
	t.Notef("%d heights, above round 0: %v", result.Heights, result.Rounds)
}
