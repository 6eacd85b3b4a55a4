// Writes the vectors of canon and wire with the code that nodes run:
//
//	go run . ../..
//
// Sign-bytes come from CometBFT's types package, messages from its generated privval code. What a
// request means is what that code decodes; only where the signer differs on purpose does a case
// say so itself.
package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/cometbft/cometbft/crypto/ed25519"
)

const source = "cometbft v0.38.25 "

var (
	root    string
	written = map[string]bool{}

	goldenHash    = sum("blockID_hash")
	goldenParts   = sum("blockID_part_set_header_hash")
	goldenAddress = sum("validator_address")[:20]
	goldenTime    = time.Date(2019, 10, 13, 16, 14, 44, 0, time.UTC)
	voteTime      = time.Date(2017, 12, 25, 3, 0, 1, 234000000, time.UTC)
	proposalTime  = time.Date(2018, 2, 11, 7, 9, 22, 765000000, time.UTC)
	key           = ed25519.GenPrivKeyFromSecret([]byte("it's a secret"))
	chain         = "test_chain_id"
)

func main() {
	root = os.Args[1]
	canonVotes()
	canonProposals()
	canonExtensions()
	requests()
	oddRequests()
	brokenRequests()
	responses()
}

type header []string

func (h *header) add(name, format string, values ...any) {
	*h = append(*h, strings.TrimRight(name+": "+fmt.Sprintf(format, values...), " "))
}

func write(dir, name string, h header, bytes []byte) {
	path := filepath.Join(root, dir, name+".txt")
	if written[path] {
		panic("written twice: " + path)
	}
	written[path] = true
	var text strings.Builder
	for _, line := range h {
		text.WriteString(line + "\n")
	}
	text.WriteString("\n")
	for len(bytes) > 0 {
		n := min(32, len(bytes))
		text.WriteString(hex.EncodeToString(bytes[:n]) + "\n")
		bytes = bytes[n:]
	}
	check(os.MkdirAll(filepath.Dir(path), 0o755))
	check(os.WriteFile(path, []byte(text.String()), 0o644))
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func sum(text string) []byte {
	hash := sha256.Sum256([]byte(text))
	return hash[:]
}
