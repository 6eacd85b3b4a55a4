package main

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

func stateCases() []Case {
	var cases []Case
	for _, release := range []string{"v0.37.18", "v0.38.25", "v0.40.0", "v1.0.1"} {
		cases = append(cases, Case{
			Name:  release + "/state",
			Needs: []Binary{filepvBinary(release)},
			Run:   func(t *T) { stateRoundTrip(t, release) },
		})
	}
	return cases
}

func filepvBinary(release string) Binary {
	return Binary{Name: "filepv-" + release, Release: release, Package: "./filepv"}
}

// What FilePV calls the two votes.
const (
	prevoteType   = 1
	precommitType = 2
)

// stateRoundTrip moves a validator's state from FilePV to tmkms and back. What comes back is what
// FilePV wrote, byte for byte; FilePV goes on from it, and tmkms from what FilePV wrote then.
func stateRoundTrip(t *T, release string) {
	const chain = "interop-state"
	key, state := filepath.Join(t.Dir, "key.json"), filepath.Join(t.Dir, "state.json")
	writeKey(t, key)
	t.check(os.WriteFile(state, []byte(`{"height":"0","round":0,"step":0}`), 0o600))
	pv := func(height int64, kind, block, seconds int) (string, error) {
		return t.TryExec(t.Bin("filepv-"+release), "-key", key, "-state", state, "-chain", chain,
			"-height", strconv.FormatInt(height, 10), "-type", strconv.Itoa(kind),
			"-block", strconv.Itoa(block), "-time", strconv.Itoa(seconds))
	}
	signed := func(height int64, kind, block, seconds int) string {
		out, err := pv(height, kind, block, seconds)
		if err != nil {
			t.Fatalf("FilePV at %d: %s", height, out)
		}
		return out
	}
	refused := func(height int64, kind, block int) {
		out, err := pv(height, kind, block, 1700000000)
		if err == nil || !strings.HasPrefix(out, "refused:") {
			t.Fatalf("FilePV at %d, block %d: %s", height, block, out)
		}
	}

	// FilePV signs, tmkms takes over.
	first := signed(5, precommitType, 1, 1700000000)
	written, err := os.ReadFile(state)
	t.check(err)
	home := filepath.Join(t.Dir, "kms")
	config := filepath.Join(home, "tmkms.toml")
	t.Exec(t.Tmkms, "init", home)
	consensus := filepath.Join(home, "secrets/consensus.key")
	t.Exec(t.Tmkms, "softsign", "import", key, consensus)
	t.check(os.WriteFile(config, fmt.Appendf(nil, `[[chain]]
id = %[1]q
state_file = "%[2]s/state/consensus.json"

[[providers.softsign]]
chain_ids = [%[1]q]
key_type = "consensus"
path = %[3]q

[[validator]]
chain_id = %[1]q
addr = "unix://%[2]s/nobody.sock"
`, chain, home, consensus), 0o600))
	tmkms := func(args ...string) string {
		return t.Exec(t.Tmkms, append(args, "-c", config)...)
	}
	tmkms("state", "import", chain, state)
	tmkms("check")

	// And back: the same file, and nobody here signs any more.
	exported := filepath.Join(t.Dir, "exported.json")
	tmkms("state", "export", chain, exported, "--format", "filepv")
	if text, err := os.ReadFile(exported); err != nil || string(text) != string(written) {
		t.Fatalf("FilePV wrote %s and we %s (%v)", written, text, err)
	}
	if out, err := t.TryExec(t.Tmkms, "check", "-c", config); err == nil || !strings.Contains(out, "retired") {
		t.Fatalf("a copy that went elsewhere: %s", out)
	}
	t.check(os.Rename(exported, state))
	if again := signed(5, precommitType, 1, 1700000009); again != first {
		t.Fatalf("the same slot got %s and then %s", first, again)
	}
	refused(5, precommitType, 2)
	refused(4, precommitType, 1)
	signed(6, prevoteType, 2, 1700000010)

	// What FilePV has signed since comes in, and a position alone goes out.
	tmkms("state", "import", chain, state)
	tmkms("state", "init", "-H", "8", "--step", "prevote", chain)
	tmkms("state", "export", chain, state, "--format", "filepv")
	refused(8, prevoteType, 1) // without a panic
	refused(6, precommitType, 1)
	signed(8, precommitType, 3, 1700000011)

	// The same for tmkms, whose block is the one that was signed.
	tmkms("state", "import", chain, state)
	theirs := filepath.Join(t.Dir, "tmkms.json")
	tmkms("state", "export", chain, theirs, "--format", "tmkms")
	var found struct {
		Height, Round string
		Step          int
		BlockID       struct {
			Hash  string
			Parts struct {
				Total int
				Hash  string
			}
		} `json:"block_id"`
	}
	t.readJSON(theirs, &found)
	hash, parts := strings.Repeat("03", 32), strings.Repeat("67", 32)
	if found.Height != "8" || found.Round != "0" || found.Step != 2 ||
		found.BlockID.Hash != hash || found.BlockID.Parts.Total != 1 || found.BlockID.Parts.Hash != parts {
		t.Fatalf("tmkms gets %+v", found)
	}
	t.Notef("FilePV's own file came back byte for byte, and FilePV went on from three of ours")
}

// writeKey writes a priv_validator_key.json.
func writeKey(t *T, path string) {
	public, private, err := ed25519.GenerateKey(nil)
	t.check(err)
	address := sha256.Sum256(public)
	typed := func(kind string, key []byte) map[string]string {
		return map[string]string{"type": kind, "value": base64.StdEncoding.EncodeToString(key)}
	}
	text, err := json.Marshal(map[string]any{
		"address":  fmt.Sprintf("%X", address[:20]),
		"pub_key":  typed("tendermint/PubKeyEd25519", public),
		"priv_key": typed("tendermint/PrivKeyEd25519", private),
	})
	t.check(err)
	t.check(os.WriteFile(path, text, 0o600))
}
