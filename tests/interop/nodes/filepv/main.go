// Command filepv is a node's own signer without the node: it loads a key and a state as a node does,
// signs one vote, and prints the signature, or says why it does not.
package main

import (
	"bytes"
	"encoding/base64"
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/cometbft/cometbft/privval"
)

func main() {
	key := flag.String("key", "", "priv_validator_key.json")
	state := flag.String("state", "", "priv_validator_state.json")
	chain := flag.String("chain", "", "chain id")
	height := flag.Int64("height", 0, "height")
	kind := flag.Int("type", 1, "1 prevote, 2 precommit")
	block := flag.Int("block", 1, "the block's number; 0 votes for nil")
	seconds := flag.Int64("time", 1700000000, "seconds since 1970")
	flag.Parse()

	validator := privval.LoadFilePV(*key, *state)
	v := &vote{Type: voteType(*kind), Height: *height, Timestamp: time.Unix(*seconds, 0).UTC()}
	if *block > 0 {
		v.BlockID = blockID{
			Hash: bytes.Repeat([]byte{byte(*block)}, 32),
			PartSetHeader: parts{
				Total: 1,
				Hash:  bytes.Repeat([]byte{byte(*block) + 100}, 32),
			},
		}
	}
	if err := sign(validator, *chain, v); err != nil {
		fmt.Println("refused:", err)
		os.Exit(1)
	}
	fmt.Println(base64.StdEncoding.EncodeToString(v.Signature))
}
