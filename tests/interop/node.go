package main

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Node is one home directory of CometBFT and the process that may run in it.
type Node struct {
	Name    string
	Release string
	Home    string
	Chain   string
	RPC     RPC
	Key     *ValidatorKey // made by `init`; whether the node still has it is the case's business
	Signer  string        // priv_validator_laddr, empty for a node that signs by itself
	Proc    *Proc

	p2p string // id@host:port
}

// ValidatorKey is what we remember of a priv_validator_key.json.
type ValidatorKey struct {
	Address string // upper-case hex
	Public  ed25519.PublicKey
	secret  string // base64, as in the file
}

// NewNode makes a home with `cometbft init` and a configuration for a quick chain on free ports.
func (t *T) NewNode(name, release, chain string) *Node {
	n := &Node{Name: name, Release: release, Chain: chain, Home: filepath.Join(t.Dir, name)}
	t.Exec(t.Bin("cometbft-"+release), "init", "--home", n.Home)
	n.Key = t.ReadKey(n.KeyFile())

	rpc, p2p := t.Port(), t.Port()
	n.RPC = RPC(fmt.Sprintf("http://127.0.0.1:%d", rpc))
	id := t.Exec(t.Bin("cometbft-"+release), "show-node-id", "--home", n.Home)
	n.p2p = fmt.Sprintf("%s@127.0.0.1:%d", id, p2p)

	n.Set(t, "", "proxy_app", "kvstore")
	n.Set(t, "rpc", "laddr", fmt.Sprintf("tcp://127.0.0.1:%d", rpc))
	n.Set(t, "p2p", "laddr", fmt.Sprintf("tcp://127.0.0.1:%d", p2p))
	n.Set(t, "p2p", "addr_book_strict", false) // one host
	n.Set(t, "p2p", "allow_duplicate_ip", true)
	n.Set(t, "p2p", "pex", false)
	n.Set(t, "consensus", "timeout_commit", "100ms")
	n.Genesis(t, n)
	return n
}

// Genesis starts the chain with the keys of these nodes as its validators, all of the same power,
// and with vote extensions from the first height on where the release knows them.
func (n *Node) Genesis(t *T, validators ...*Node) {
	path := filepath.Join(n.Home, "config/genesis.json")
	var genesis map[string]any
	t.readJSON(path, &genesis)
	genesis["chain_id"] = n.Chain
	var all []any
	for _, v := range validators {
		all = append(all, map[string]any{
			"address": v.Key.Address,
			"pub_key": map[string]any{"type": "tendermint/PubKeyEd25519", "value": v.Key.Public},
			"power":   "10",
			"name":    v.Name,
		})
	}
	genesis["validators"] = all
	params := genesis["consensus_params"].(map[string]any)
	if section := extensionSection(n.Release); section != "" {
		params[section].(map[string]any)["vote_extensions_enable_height"] = "1"
	}
	text, err := json.MarshalIndent(genesis, "", "  ")
	t.check(err)
	t.check(os.WriteFile(path, text, 0o600))
}

// extensionSection says where in the consensus parameters a release keeps its vote extensions.
func extensionSection(release string) string {
	switch line := release[:strings.LastIndex(release, ".")]; line {
	case "v0.34", "v0.37":
		return ""
	case "v1.0":
		return "feature"
	default:
		return "abci"
	}
}

// Network lets nodes find each other, with the genesis of the first.
func (t *T) Network(nodes []*Node, validators ...*Node) {
	var peers []string
	for _, n := range nodes {
		peers = append(peers, n.p2p)
	}
	nodes[0].Genesis(t, validators...)
	genesis, err := os.ReadFile(filepath.Join(nodes[0].Home, "config/genesis.json"))
	t.check(err)
	for i, n := range nodes {
		others := append(append([]string{}, peers[:i]...), peers[i+1:]...)
		n.Set(t, "p2p", "persistent_peers", strings.Join(others, ","))
		t.check(os.WriteFile(filepath.Join(n.Home, "config/genesis.json"), genesis, 0o600))
	}
}

// Set changes a key of config.toml that is there already: one that is not has changed its name
// between releases, and then the case would not test what it says.
func (n *Node) Set(t *T, section, key string, value any) {
	path := filepath.Join(n.Home, "config/config.toml")
	text, err := os.ReadFile(path)
	t.check(err)
	lines := strings.Split(string(text), "\n")
	current := ""
	for i, line := range lines {
		if strings.HasPrefix(line, "[") {
			current = strings.Trim(strings.TrimSpace(line), "[]")
		}
		if current == section && strings.HasPrefix(line, key+" =") {
			if s, ok := value.(string); ok {
				value = fmt.Sprintf("%q", s)
			}
			lines[i] = fmt.Sprintf("%s = %v", key, value)
			t.check(os.WriteFile(path, []byte(strings.Join(lines, "\n")), 0o600))
			return
		}
	}
	t.Fatalf("%s of %s has no [%s] %s", path, n.Release, section, key)
}

// Listen sets the address at which the node waits for its signer.
func (n *Node) Listen(t *T, addr string) {
	n.Signer = addr
	n.Set(t, "", "priv_validator_laddr", addr)
}

// SignerAddr is an address for a node to wait at for its signer.
func (t *T) SignerAddr(transport string) string {
	if transport == "unix" {
		return t.Socket("signer")
	}
	return fmt.Sprintf("tcp://127.0.0.1:%d", t.Port())
}

func (n *Node) KeyFile() string   { return filepath.Join(n.Home, "config/priv_validator_key.json") }
func (n *Node) StateFile() string { return filepath.Join(n.Home, "data/priv_validator_state.json") }

// Start runs the node. Its signer must be dialling by now: the node waits three seconds for it.
func (n *Node) Start(t *T) {
	if path, ok := strings.CutPrefix(n.Signer, "unix://"); ok {
		// A node that was killed leaves its socket and cannot listen there again. Operators
		// remove it.
		t.check(os.RemoveAll(path))
	}
	n.Proc = t.Spawn(n.Name, t.Bin("cometbft-"+n.Release), "start", "--home", n.Home)
}

// Reach waits until the node has this height.
func (n *Node) Reach(t *T, height int64) {
	var now int64
	t.until(time.Minute, func() bool {
		now = n.RPC.Height()
		return now >= height
	}, func() string {
		return fmt.Sprintf("waiting for %s to get to height %d, it is at %d", n.Name, height, now)
	})
}

// MustLack checks that the validator's secret is nowhere below the node's home, and that the key
// file the node made for itself when it found none is for another key.
func (n *Node) MustLack(t *T, key *ValidatorKey) {
	if own := t.ReadKey(n.KeyFile()); own.Address == key.Address {
		t.Fatalf("%s has the validator's key", n.KeyFile())
	}
	t.check(filepath.WalkDir(n.Home, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return nil // a database of a running node deletes files as it likes
		}
		text, _ := os.ReadFile(path)
		if strings.Contains(string(text), key.secret) {
			t.Fatalf("%s holds the validator's secret", path)
		}
		return nil
	}))
}

func (t *T) ReadKey(path string) *ValidatorKey {
	var file struct {
		Address string
		PubKey  struct{ Value []byte } `json:"pub_key"`
		PrivKey struct{ Value []byte } `json:"priv_key"`
	}
	t.readJSON(path, &file)
	return &ValidatorKey{file.Address, file.PubKey.Value, base64.StdEncoding.EncodeToString(file.PrivKey.Value)}
}

func (t *T) readJSON(path string, to any) {
	text, err := os.ReadFile(path)
	t.check(err)
	t.check(json.Unmarshal(text, to))
}
