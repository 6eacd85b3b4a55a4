// Writes the vectors of wire that only nodes of CometBFT v1 make, with the code they run, and checks
// that this code reads the reply meant for every version:
//
//	go run . ../..
//
// Run the generator for v0.38 first.
package main

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"time"

	privval "github.com/cometbft/cometbft/api/cometbft/privval/v1"
	proto "github.com/cometbft/cometbft/api/cometbft/types/v1"
)

const source = "source: cometbft v1.0.1 privval.Message"

var root string

func main() {
	root = os.Args[1]
	text, err := os.ReadFile(filepath.Join(root, "wire", "response-pubkey.txt"))
	check(err)
	head, body, _ := strings.Cut(string(text), "\n\n")
	key, err := hex.DecodeString(head[strings.Index(head, "key: ")+5:])
	check(err)
	message, err := hex.DecodeString(strings.ReplaceAll(body, "\n", ""))
	check(err)
	var both privval.Message
	check(both.Unmarshal(message[1:]))
	if read := both.GetPubKeyResponse(); !bytes.Equal(read.PubKeyBytes, key) || read.PubKeyType != "ed25519" {
		panic("the key for every version is not readable")
	}

	write("reply-pubkey-v1", "expect: reply", privval.Message{Sum: &privval.Message_PubKeyResponse{
		PubKeyResponse: &privval.PubKeyResponse{PubKeyBytes: key, PubKeyType: "ed25519"},
	}})
	write("reply-pubkey-error-v1", "expect: reply", privval.Message{Sum: &privval.Message_PubKeyResponse{
		PubKeyResponse: &privval.PubKeyResponse{Error: &privval.RemoteSignerError{Code: 1, Description: "it's a error"}},
	}})
	write("response-raw-bytes-error", "expect: encoded\nmessage: raw bytes error\ncode: 1\ndescription: it's a error", privval.Message{
		Sum: &privval.Message_SignBytesResponse{
			SignBytesResponse: &privval.SignBytesResponse{Error: &privval.RemoteSignerError{Code: 1, Description: "it's a error"}},
		},
	})
	write("raw-bytes-abc-v1", "expect: raw bytes", privval.Message{Sum: &privval.Message_SignBytesRequest{
		SignBytesRequest: &privval.SignBytesRequest{Value: []byte("abc")},
	}})
	for _, skip := range []bool{false, true} {
		name, expect := "request-vote-sign-extension-v1", "skip_extension_signing: false"
		if skip {
			name, expect = "request-vote-skip-extension-v1", "skip_extension_signing: true"
		}
		write(name, "expect: signable vote\ntype: 2\nheight: 12345\nextension: "+hex.EncodeToString([]byte("extension"))+"\n"+expect, privval.Message{
			Sum: &privval.Message_SignVoteRequest{SignVoteRequest: &privval.SignVoteRequest{
				Vote: &proto.Vote{
					Type: proto.PrecommitType, Height: 12345, Timestamp: time.Unix(1514170801, 0).UTC(), Extension: []byte("extension"),
				},
				ChainId: "test_chain_id", SkipExtensionSigning: skip,
			}},
		})
	}
}

func write(name, head string, message privval.Message) {
	body, err := message.Marshal()
	check(err)
	all := append(binary.AppendUvarint(nil, uint64(len(body))), body...)
	expect, rest, _ := strings.Cut(head, "\n")
	text := expect + "\n" + source + "\n"
	if rest != "" {
		text += rest + "\n"
	}
	text += "\n"
	for len(all) > 0 {
		n := min(32, len(all))
		text += hex.EncodeToString(all[:n]) + "\n"
		all = all[n:]
	}
	check(os.WriteFile(filepath.Join(root, "wire", name+".txt"), []byte(text), 0o644))
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
