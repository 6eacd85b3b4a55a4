// Requests that nodes write.

package main

import (
	"encoding/binary"
	"fmt"
	"math"
	"strings"

	privval "github.com/cometbft/cometbft/proto/tendermint/privval"
	proto "github.com/cometbft/cometbft/proto/tendermint/types"
)

// Writes a request and what CometBFT decodes it to. A case that the signer takes in another way on
// purpose brings its own expectation.
func request(name string, body []byte, differs ...string) {
	var h header
	var message privval.Message
	err := message.Unmarshal(body)
	expect, rest := decoded(&message, err)
	if len(differs) > 0 {
		expect = differs[0]
	}
	h.add("expect", "%s", expect)
	h.add("source", source+"privval.Message")
	if err != nil {
		h.add("cometbft", "%s", strings.Join(strings.Fields(err.Error()), " "))
	} else {
		h = append(h, rest...)
	}
	write("wire", name, h, delimit(body))
}

func decoded(message *privval.Message, err error) (string, header) {
	var h header
	if err != nil {
		return "malformed", h
	}
	verdict := func(what, bad string) string {
		if bad == "" {
			return "signable " + what
		}
		return "refused " + what + ": " + bad
	}
	switch it := message.Sum.(type) {
	case nil:
		return "unknown", h
	case *privval.Message_PingRequest:
		return "ping", h
	case *privval.Message_PubKeyRequest:
		h.add("chain_id", "%s", strings.ToValidUTF8(it.PubKeyRequest.ChainId, "\uFFFD"))
		return "pubkey", h
	case *privval.Message_SignVoteRequest:
		v := it.SignVoteRequest.Vote
		if v == nil {
			h.add("note", "no vote at all, which the node's own signer does not survive")
			v = &proto.Vote{}
		}
		h.add("type", "%d", v.Type)
		h.add("height", "%d", v.Height)
		h.add("round", "%d", v.Round)
		h.block(v.BlockID)
		h.time(v.Timestamp)
		h.add("validator_address", "%x", v.ValidatorAddress)
		h.add("validator_index", "%d", v.ValidatorIndex)
		h.add("extension", "%x", v.Extension)
		h.add("skip_extension_signing", "false")
		h.add("chain_id", "%s", strings.ToValidUTF8(it.SignVoteRequest.ChainId, "\uFFFD"))
		return verdict("vote", badVote(v)), h
	case *privval.Message_SignProposalRequest:
		p := it.SignProposalRequest.Proposal
		if p == nil {
			h.add("note", "no proposal at all, which the node's own signer does not survive")
			p = &proto.Proposal{}
		}
		h.add("type", "%d", p.Type)
		h.add("height", "%d", p.Height)
		h.add("round", "%d", p.Round)
		h.add("pol_round", "%d", p.PolRound)
		h.block(p.BlockID)
		h.time(p.Timestamp)
		h.add("chain_id", "%s", strings.ToValidUTF8(it.SignProposalRequest.ChainId, "\uFFFD"))
		return verdict("proposal", badProposal(p)), h
	default:
		return "reply", h
	}
}

func delimit(body []byte) []byte {
	return append(binary.AppendUvarint(nil, uint64(len(body))), body...)
}

func voteRequest(chainID string, v proto.Vote) []byte {
	return marshal(privval.Message{Sum: &privval.Message_SignVoteRequest{
		SignVoteRequest: &privval.SignVoteRequest{Vote: &v, ChainId: chainID},
	}})
}

func proposalRequest(chainID string, p proto.Proposal) []byte {
	return marshal(privval.Message{Sum: &privval.Message_SignProposalRequest{
		SignProposalRequest: &privval.SignProposalRequest{Proposal: &p, ChainId: chainID},
	}})
}

func marshal(message privval.Message) []byte {
	bytes, err := message.Marshal()
	check(err)
	return bytes
}

func goldenVote() proto.Vote {
	return proto.Vote{
		Type: proto.PrecommitType, Height: 3, Round: 2, BlockID: block(), Timestamp: goldenTime,
		ValidatorAddress: goldenAddress, ValidatorIndex: 56789, Extension: []byte("extension"),
	}
}

func goldenProposal() proto.Proposal {
	return proto.Proposal{
		Type: proto.PrevoteType, Height: 3, Round: 2, PolRound: 2, BlockID: block(), Timestamp: goldenTime,
		Signature: []byte("it's a signature"),
	}
}

func requests() {
	ping := privval.Message{Sum: &privval.Message_PingRequest{PingRequest: &privval.PingRequest{}}}
	request("request-ping", marshal(ping))
	for name, chainID := range map[string]string{"pubkey-no-chain": "", "pubkey": chain} {
		request("request-"+name, marshal(privval.Message{Sum: &privval.Message_PubKeyRequest{
			PubKeyRequest: &privval.PubKeyRequest{ChainId: chainID},
		}}))
	}
	request("request-vote-golden-v0.34", voteRequest("", with(goldenVote(), func(v *proto.Vote) {
		v.Type, v.Extension = proto.PrevoteType, nil
	})))
	request("request-vote-golden", voteRequest("", goldenVote()))
	request("request-vote-extension", voteRequest(chain, with(vote(), func(v *proto.Vote) { v.Extension = []byte("extension") })))
	request("request-vote-nil", voteRequest(chain, with(vote(), func(v *proto.Vote) { v.BlockID = proto.BlockID{} })))
	request("request-vote-signatures-ignored", voteRequest(chain, with(vote(), func(v *proto.Vote) {
		v.Signature, v.ExtensionSignature = []byte("one"), []byte("two")
	})))
	request("request-vote-long-extension", voteRequest(chain, with(vote(), func(v *proto.Vote) {
		v.Extension = []byte(strings.Repeat("e", 2000))
	})))
	request("request-vote-long-address", voteRequest(chain, with(vote(), func(v *proto.Vote) {
		v.ValidatorAddress = append(v.ValidatorAddress, 1)
	})))
	request("request-vote-negative-index", voteRequest(chain, with(vote(), func(v *proto.Vote) { v.ValidatorIndex = -1 })))
	request("request-vote-zero", voteRequest("", proto.Vote{}))
	for _, kind := range []proto.SignedMsgType{0, 1, 3, 32, -1} {
		request(fmt.Sprintf("request-vote-type-%d", kind), voteRequest(chain, with(vote(), func(v *proto.Vote) { v.Type = kind })))
	}
	for _, b := range blocks()[1:] {
		request("request-prevote-"+b.name, voteRequest(chain, with(vote(), func(v *proto.Vote) { v.BlockID, v.Type = b.id, 1 })))
		request("request-proposal-"+b.name, proposalRequest(chain, with(proposal(), func(p *proto.Proposal) { p.BlockID = b.id })))
	}
	short := with(block(), func(b *proto.BlockID) { b.Hash = b.Hash[:31] })
	request("request-vote-short-hash", voteRequest(chain, with(vote(), func(v *proto.Vote) { v.BlockID = short })))
	long := with(block(), func(b *proto.BlockID) { b.PartSetHeader.Hash = append(append([]byte{}, goldenParts...), 0) })
	request("request-proposal-long-parts-hash", proposalRequest(chain, with(proposal(), func(p *proto.Proposal) { p.BlockID = long })))
	for _, height := range []int64{0, 1, -1, math.MaxInt64, math.MinInt64} {
		request(fmt.Sprintf("request-vote-height-%d", height), voteRequest(chain, with(vote(), func(v *proto.Vote) { v.Height = height })))
		request(fmt.Sprintf("request-proposal-height-%d", height), proposalRequest(chain, with(proposal(), func(p *proto.Proposal) { p.Height = height })))
	}
	for _, round := range []int32{0, -1, math.MaxInt32, math.MinInt32} {
		request(fmt.Sprintf("request-vote-round-%d", round), voteRequest(chain, with(vote(), func(v *proto.Vote) { v.Round = round })))
		request(fmt.Sprintf("request-proposal-round-%d", round), proposalRequest(chain, with(proposal(), func(p *proto.Proposal) { p.Round = round })))
	}
	for _, t := range times() {
		request("request-vote-"+t.name, voteRequest(chain, with(vote(), func(v *proto.Vote) { v.Timestamp = t.at })))
	}
	request("request-proposal", proposalRequest(chain, proposal()))
	request("request-proposal-golden", proposalRequest("", goldenProposal()))
	for _, pol := range []int32{0, 1, math.MaxInt32, -2, math.MinInt32} {
		request(fmt.Sprintf("request-proposal-pol-round-%d", pol), proposalRequest(chain, with(proposal(), func(p *proto.Proposal) { p.PolRound = pol })))
	}
	for _, n := range []int{0, 50, 51, 300} {
		request(fmt.Sprintf("request-vote-chain-id-%d", n), voteRequest(strings.Repeat("x", n), vote()))
	}
}
