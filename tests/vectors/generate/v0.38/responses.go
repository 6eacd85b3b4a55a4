// Replies.

package main

import (
	"encoding/hex"
	"math"
	"strings"

	cryptoenc "github.com/cometbft/cometbft/crypto/encoding"
	"github.com/cometbft/cometbft/libs/protoio"
	cryptoproto "github.com/cometbft/cometbft/proto/tendermint/crypto"
	privval "github.com/cometbft/cometbft/proto/tendermint/privval"
	proto "github.com/cometbft/cometbft/proto/tendermint/types"
	"github.com/cometbft/cometbft/types"
)

func response(name string, h header, sum privval.Message, ours bool) {
	bytes, err := protoio.MarshalDelimited(&sum)
	check(err)
	expect := "reply"
	if ours {
		expect = "encoded"
	}
	write("wire", name, append(header{"expect: " + expect, "source: " + source + "privval.Message"}, h...), bytes)
}

func pubkeyResponse(e *privval.RemoteSignerError, pk cryptoproto.PublicKey) privval.Message {
	return privval.Message{Sum: &privval.Message_PubKeyResponse{PubKeyResponse: &privval.PubKeyResponse{PubKey: pk, Error: e}}}
}

func voteResponse(e *privval.RemoteSignerError, v proto.Vote) privval.Message {
	return privval.Message{Sum: &privval.Message_SignedVoteResponse{SignedVoteResponse: &privval.SignedVoteResponse{Vote: v, Error: e}}}
}

func proposalResponse(e *privval.RemoteSignerError, p proto.Proposal) privval.Message {
	return privval.Message{Sum: &privval.Message_SignedProposalResponse{SignedProposalResponse: &privval.SignedProposalResponse{Proposal: p, Error: e}}}
}

func sign(bytes []byte) []byte {
	signature, err := key.Sign(bytes)
	check(err)
	return signature
}

func responses() {
	response("response-ping", header{"message: ping"}, privval.Message{Sum: &privval.Message_PingResponse{PingResponse: &privval.PingResponse{}}}, true)

	public, err := cryptoenc.PubKeyToProto(key.PubKey())
	check(err)
	response("reply-pubkey", nil, pubkeyResponse(nil, public), false)
	response("reply-vote-golden", nil, voteResponse(nil, goldenVote()), false)
	response("reply-proposal-golden", nil, proposalResponse(nil, goldenProposal()), false)

	// What other signers answer: the extension echoed, only what the node needs, no zero vote beside an error.
	whole := with(vote(), func(v *proto.Vote) { v.Extension = []byte("extension") })
	whole.Signature = sign(types.VoteSignBytes(chain, &whole))
	whole.ExtensionSignature = sign(types.VoteExtensionSignBytes(chain, &whole))
	response("reply-vote-whole", nil, voteResponse(nil, whole), false)
	response("reply-vote-least", nil, voteResponse(nil, proto.Vote{
		Timestamp: whole.Timestamp, Signature: whole.Signature, ExtensionSignature: whole.ExtensionSignature,
	}), false)
	request("reply-vote-error-alone", message(4, message(2, varint(1, 2), message(2, []byte("double signing requested at height: 10")))))

	// The key for every version: this one's field and those of v1, which skip each other's.
	raw := key.PubKey().Bytes()
	both := message(2, message(1, message(1, raw)), message(3, raw), message(4, []byte("ed25519")))
	var read privval.Message
	check(read.Unmarshal(both))
	if string(read.GetPubKeyResponse().PubKey.GetEd25519()) != string(raw) {
		panic("the key for every version is not readable")
	}
	write("wire", "response-pubkey", header{
		"expect: encoded", "source: field 1 as cometbft v0.38.25, 3 and 4 as v1.0.1; both read it",
		"message: pubkey", "key: " + hex.EncodeToString(raw),
	}, delimit(both))

	errors := []struct {
		name string
		it   privval.RemoteSignerError
	}{
		{"golden", privval.RemoteSignerError{Code: 1, Description: "it's a error"}},
		{"empty", privval.RemoteSignerError{}},
		{"conflict", privval.RemoteSignerError{Code: 2, Description: "double signing requested at height: 10"}},
		{"negative-code", privval.RemoteSignerError{Code: -1, Description: "κ"}},
		{"longest", privval.RemoteSignerError{Code: math.MaxInt32, Description: strings.Repeat("x", 1024)}},
	}
	for _, e := range errors {
		about := func(what string) header {
			h := header{"message: " + what + " error"}
			h.add("code", "%d", e.it.Code)
			h.add("description", "%s", e.it.Description)
			return h
		}
		response("response-pubkey-error-"+e.name, about("pubkey"), pubkeyResponse(&e.it, cryptoproto.PublicKey{}), true)
		response("response-vote-error-"+e.name, about("vote"), voteResponse(&e.it, proto.Vote{}), true)
		response("response-proposal-error-"+e.name, about("proposal"), proposalResponse(&e.it, proto.Proposal{}), true)
	}

	for _, c := range []struct {
		name    string
		vote    proto.Vote
		extends bool
	}{
		{"precommit", with(vote(), func(v *proto.Vote) { v.Extension = []byte("extension") }), true},
		{"precommit-empty-extension", vote(), true},
		{"precommit-no-extension", vote(), false},
		{"nil", with(vote(), func(v *proto.Vote) { v.BlockID = proto.BlockID{} }), false},
		{"prevote", with(vote(), func(v *proto.Vote) { v.Type = 1 }), false},
		{"index-0-address-empty", with(vote(), func(v *proto.Vote) { v.ValidatorIndex, v.ValidatorAddress = 0, nil }), false},
		{"longest", with(vote(), func(v *proto.Vote) {
			v.Height, v.Round, v.ValidatorIndex, v.BlockID = math.MaxInt64, math.MaxInt32, -1, blocks()[7].id
			v.Timestamp = times()[1].at
		}), true},
	} {
		v := c.vote
		v.Signature = sign(types.VoteSignBytes(chain, &v))
		if c.extends {
			v.ExtensionSignature = sign(types.VoteExtensionSignBytes(chain, &v))
		}
		v.Extension = nil
		h := header{"message: vote"}
		h.add("type", "%d", v.Type)
		h.add("height", "%d", v.Height)
		h.add("round", "%d", v.Round)
		h.block(v.BlockID)
		h.time(v.Timestamp)
		h.add("validator_address", "%x", v.ValidatorAddress)
		h.add("validator_index", "%d", v.ValidatorIndex)
		h.add("signature", "%x", v.Signature)
		h.add("extension_signature", "%x", v.ExtensionSignature)
		response("response-vote-"+c.name, h, voteResponse(nil, v), true)
	}
	for name, p := range map[string]proto.Proposal{
		"base":        proposal(),
		"type-echoed": with(proposal(), func(p *proto.Proposal) { p.Type, p.PolRound = 1, 0 }),
		"longest": with(proposal(), func(p *proto.Proposal) {
			p.Height, p.Round, p.BlockID, p.Timestamp = math.MaxInt64, math.MaxInt32, blocks()[7].id, times()[1].at
		}),
	} {
		p.Signature = sign(types.ProposalSignBytes(chain, &p))
		h := header{"message: proposal"}
		h.add("type", "%d", p.Type)
		h.add("height", "%d", p.Height)
		h.add("round", "%d", p.Round)
		h.add("pol_round", "%d", p.PolRound)
		h.block(p.BlockID)
		h.time(p.Timestamp)
		h.add("signature", "%x", p.Signature)
		response("response-proposal-"+name, h, proposalResponse(nil, p), true)
	}
}
