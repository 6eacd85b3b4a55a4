package main

import (
	"crypto/ed25519"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"time"
)

// Chain is what a case learns when it reads all blocks of a chain.
type Chain struct {
	Heights int64
	Missed  []int64 // heights without our validator's vote for the block
	Rounds  []int64 // heights that took more than one round
}

// Read fetches the commit of each height and checks our validator's signature under the public key
// that the key file had before it was taken from the node. The sign-bytes are made here, by
// nobody's code but ours, so that neither the node nor the signer vouches for itself.
func (t *T) Read(node *Node, key *ValidatorKey) Chain {
	chain := Chain{Heights: node.RPC.Height()}
	for height := int64(1); height <= chain.Heights; height++ {
		commit, err := node.RPC.Commit(height)
		t.check(err)
		evidence, err := node.RPC.Evidence(height)
		t.check(err)
		if evidence > 0 {
			t.Fatalf("block %d holds evidence of double signing", height)
		}
		if commit.Round > 0 {
			chain.Rounds = append(chain.Rounds, height)
		}
		voted := false
		for _, sig := range commit.Signatures {
			if sig.Address != key.Address || sig.Flag != 2 {
				continue
			}
			voted = true
			if !ed25519.Verify(key.Public, precommit(node.Chain, commit, sig.Timestamp), sig.Signature) {
				t.Fatalf("the signature in the commit of height %d is wrong", height)
			}
		}
		if !voted {
			chain.Missed = append(chain.Missed, height)
		}
	}
	return chain
}

// precommit makes the sign-bytes of a precommit: a CanonicalVote, delimited.
func precommit(chainID string, c Commit, at time.Time) []byte {
	var parts, block, stamp, vote []byte
	parts = integer(parts, 1, c.BlockID.Parts.Total)
	parts = bytesField(parts, 2, unhex(c.BlockID.Parts.Hash))
	block = bytesField(block, 1, unhex(c.BlockID.Hash))
	block = bytesField(block, 2, parts)
	stamp = integer(stamp, 1, uint64(at.Unix()))
	stamp = integer(stamp, 2, uint64(at.Nanosecond()))
	vote = integer(vote, 1, 2)
	vote = fixed(vote, 2, c.Height)
	vote = fixed(vote, 3, c.Round)
	vote = bytesField(vote, 4, block)
	vote = bytesField(vote, 5, stamp)
	vote = bytesField(vote, 6, []byte(chainID))
	return append(binary.AppendUvarint(nil, uint64(len(vote))), vote...)
}

// The three wire types of protobuf that a vote needs. A zero is left out.

func integer(to []byte, field int, value uint64) []byte {
	if value == 0 {
		return to
	}
	return binary.AppendUvarint(append(to, byte(field<<3)), value)
}

func fixed(to []byte, field int, value int64) []byte {
	if value == 0 {
		return to
	}
	return binary.LittleEndian.AppendUint64(append(to, byte(field<<3|1)), uint64(value))
}

func bytesField(to []byte, field int, value []byte) []byte {
	to = binary.AppendUvarint(append(to, byte(field<<3|2)), uint64(len(value)))
	return append(to, value...)
}

func unhex(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(fmt.Sprintf("a node answered %q where hex belongs", s))
	}
	return b
}
