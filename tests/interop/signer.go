package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// Signer holds a validator's key in the node's place: tmkms, or the control.
type Signer struct {
	Proc *Proc

	program string
	args    []string
}

// Import says where tmkms finds the key, and so what it knows of its past.
type Import int

const (
	FromNode   Import = iota // beside the node's own state: the first start needs nothing more
	FromBackup               // anywhere else: `state init` must say that it never signed
)

// NewSigner takes the validator's key from a node and sets a signer up with it, for one connection
// to each of the nodes, which all validate with this key.
func (t *T) NewSigner(from Import, owner *Node, nodes ...*Node) *Signer {
	home := filepath.Join(t.Dir, "kms")
	if t.Reference {
		return t.newReference(home, owner, nodes)
	}
	consensus := filepath.Join(home, "secrets/consensus.key")
	config := filepath.Join(home, "tmkms.toml")
	t.Exec(t.Tmkms, "init", home)

	source := owner.KeyFile()
	if from == FromBackup {
		source = filepath.Join(t.Dir, "backup.json")
		t.check(os.Rename(owner.KeyFile(), source))
	}
	t.Exec(t.Tmkms, "softsign", "import", source, consensus)
	t.check(os.Remove(source))

	version := "v0.38"
	if extensionSection(owner.Release) == "" {
		version = "v0.34"
	}
	toml := fmt.Sprintf(`[[chain]]
id = %[1]q
key_format = { type = "bech32", account_key_prefix = "cosmospub", consensus_key_prefix = "cosmosvalconspub" }
state_file = "%[2]s/state/%[1]s-consensus.json"

[[providers.softsign]]
chain_ids = [%[1]q]
key_type = "consensus"
path = %[3]q
`, owner.Chain, home, consensus)
	for _, n := range nodes {
		toml += fmt.Sprintf(`
[[validator]]
chain_id = %q
addr = %q
secret_key = "%s/secrets/kms-identity.key"
protocol_version = %q
reconnect = true
`, owner.Chain, n.Signer, home, version)
	}
	t.check(os.WriteFile(config, []byte(toml), 0o600))
	if from == FromBackup {
		t.Exec(t.Tmkms, "state", "init", "-c", config, owner.Chain)
	}
	return &Signer{program: t.Tmkms, args: []string{"start", "-c", config}}
}

func (t *T) newReference(home string, owner *Node, nodes []*Node) *Signer {
	release := owner.Release
	switch release {
	case "v0.34.35":
		release = "v0.37.18"
	case "v0.39.4":
		release = "v0.38.25"
	}
	key, state := filepath.Join(home, "key.json"), filepath.Join(home, "state.json")
	t.check(os.Mkdir(home, 0o700))
	t.check(os.Rename(owner.KeyFile(), key))
	text, err := os.ReadFile(owner.StateFile())
	t.check(err)
	t.check(os.WriteFile(state, text, 0o600))
	args := []string{"-chain", owner.Chain, "-key", key, "-state", state}
	for _, n := range nodes {
		args = append(args, n.Signer)
	}
	return &Signer{program: t.Bin("refsigner-" + release), args: args}
}

// Start runs the signer. It finds its node whenever that listens.
func (s *Signer) Start(t *T) {
	s.Proc = t.Spawn("signer", s.program, s.args...)
}

// Signed is a line of tmkms' log: what it signed, and where.
type Signed struct {
	Addr  string
	Kind  string
	Block string
	Slot  Slot
}

// Slot is what may be signed once.
type Slot struct{ Height, Round, Step int64 }

func (s Slot) Before(other Slot) bool {
	if s.Height != other.Height {
		return s.Height < other.Height
	}
	if s.Round != other.Round {
		return s.Round < other.Round
	}
	return s.Step < other.Step
}

func (s Slot) String() string { return fmt.Sprintf("%d/%d/%d", s.Height, s.Round, s.Step) }

var signedLine = regexp.MustCompile(`INFO .*\[(\S+)@([^]]+)\] (?:signed|repeated) (\w+):(\S+) at h/r/s (\d+)/(\d+)/(\d+) \(\d+ ms\)`)

// Signed reads tmkms' log and fails the case if two things were signed in one slot. The control
// prints nothing of the kind: for it the answer is empty.
func (t *T) Signed(s *Signer) []Signed {
	var all []Signed
	first := map[Slot]Signed{}
	for _, line := range strings.Split(s.Proc.Text(), "\n") {
		m := signedLine.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		now := Signed{Addr: m[2], Kind: m[3], Block: m[4], Slot: Slot{number(m[5]), number(m[6]), number(m[7])}}
		if before, ok := first[now.Slot]; ok && before.Block != now.Block {
			t.Fatalf("signed %s and then %s at %v", before.Block, now.Block, now.Slot)
		}
		first[now.Slot] = now
		all = append(all, now)
	}
	if len(all) == 0 && !t.Reference {
		t.Fatalf("%s shows nothing signed", s.Proc.Log)
	}
	return all
}

func number(digits string) int64 {
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil {
		panic(err) // the expression above lets nothing but digits through
	}
	return n
}
