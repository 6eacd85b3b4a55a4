// Sign-bytes.

package main

import (
	"fmt"
	"math"
	"strings"
	"time"

	proto "github.com/cometbft/cometbft/proto/tendermint/types"
	"github.com/cometbft/cometbft/types"
)

func canonVote(name, chainID string, v proto.Vote) {
	var h header
	h.add("expect", expectSignBytes(badVote(&v), chainID))
	h.add("source", source+"types.VoteSignBytes")
	h.add("message", "vote")
	h.add("type", "%d", v.Type)
	h.add("height", "%d", v.Height)
	h.add("round", "%d", v.Round)
	h.block(v.BlockID)
	h.time(v.Timestamp)
	h.add("chain_id", "%s", chainID)
	write("canon", "vote-"+name, h, types.VoteSignBytes(chainID, &v))
}

func vote() proto.Vote {
	return proto.Vote{
		Type: proto.PrecommitType, Height: 12345, Round: 2, BlockID: block(), Timestamp: voteTime,
		ValidatorAddress: key.PubKey().Address(), ValidatorIndex: 7,
	}
}

func with[T any](value T, change func(*T)) T {
	change(&value)
	return value
}

func canonVotes() {
	// TestVoteSignBytesTestVectors of types/vote_test.go.
	canonVote("cometbft-0", "", proto.Vote{})
	canonVote("cometbft-1", "", proto.Vote{Height: 1, Round: 1, Type: proto.PrecommitType})
	canonVote("cometbft-2", "", proto.Vote{Height: 1, Round: 1, Type: proto.PrevoteType})
	canonVote("cometbft-3", "", proto.Vote{Height: 1, Round: 1})
	canonVote("cometbft-4", chain, proto.Vote{Height: 1, Round: 1})
	canonVote("cometbft-5", chain, proto.Vote{Height: 1, Round: 1, Extension: []byte("extension")})
	// src/privval.rs of tmkms.
	canonVote("tmkms", chain, proto.Vote{
		Type: proto.PrevoteType, Height: 500001, Round: 2, Timestamp: time.Unix(1696413600, 0).UTC(),
		BlockID: proto.BlockID{
			Hash: []byte("some hash00000000000000000000000"),
			PartSetHeader: proto.PartSetHeader{
				Total: 1000000, Hash: []byte("parts_hash0000000000000000000000"),
			},
		},
	})
	canonVote("prevote-height-1-round-0-hash-only", chain, with(vote(), func(v *proto.Vote) {
		v.Type, v.Height, v.Round, v.BlockID = 1, 1, 0, blocks()[2].id
	}))
	canonVote("prevote-round-0", chain, with(vote(), func(v *proto.Vote) { v.Type, v.Round = 1, 0 }))
	canonVote("prevote-height-1-round-0-nil-1970", chain, with(vote(), func(v *proto.Vote) {
		v.Type, v.Height, v.Round, v.BlockID, v.Timestamp = 1, 1, 0, proto.BlockID{}, time.Unix(0, 0).UTC()
	}))
	for _, kind := range []struct {
		name string
		kind proto.SignedMsgType
	}{{"prevote", 1}, {"precommit", 2}, {"type-0", 0}, {"type-3", 3}, {"type-32", 32}, {"type-negative", -1}, {"type-greatest", math.MaxInt32}} {
		for _, b := range blocks() {
			canonVote(kind.name+"-"+b.name, chain, with(vote(), func(v *proto.Vote) { v.Type, v.BlockID = kind.kind, b.id }))
		}
	}
	for _, height := range []int64{0, 1, -1, 127, 128, 1 << 32, 1 << 62, math.MaxInt64, math.MinInt64} {
		canonVote(fmt.Sprintf("height-%d", height), chain, with(vote(), func(v *proto.Vote) { v.Height = height }))
	}
	for _, round := range []int32{0, 1, -1, 128, math.MaxInt32, math.MinInt32} {
		canonVote(fmt.Sprintf("round-%d", round), chain, with(vote(), func(v *proto.Vote) { v.Round = round }))
	}
	for _, t := range times() {
		canonVote("block-"+t.name, chain, with(vote(), func(v *proto.Vote) { v.Timestamp = t.at }))
		canonVote("nil-"+t.name, chain, with(vote(), func(v *proto.Vote) { v.Timestamp, v.BlockID = t.at, proto.BlockID{} }))
	}
	for _, n := range []int{0, 1, 11, 12, 50, 51, 127, 128} {
		canonVote(fmt.Sprintf("chain-id-%d", n), strings.Repeat("x", n), vote())
	}
	canonVote("chain-id-not-ascii", "κόσμος-1", vote())
	canonVote("longest", strings.Repeat("x", 50), proto.Vote{
		Type: 2, Height: math.MaxInt64, Round: math.MaxInt32, BlockID: blocks()[7].id, Timestamp: times()[1].at,
	})
}

func canonProposal(name, chainID string, p proto.Proposal) {
	var h header
	h.add("expect", expectSignBytes(badProposal(&p), chainID))
	h.add("source", source+"types.ProposalSignBytes")
	h.add("message", "proposal")
	h.add("height", "%d", p.Height)
	h.add("round", "%d", p.Round)
	h.add("pol_round", "%d", p.PolRound)
	h.block(p.BlockID)
	h.time(p.Timestamp)
	h.add("chain_id", "%s", chainID)
	write("canon", "proposal-"+name, h, types.ProposalSignBytes(chainID, &p))
}

func proposal() proto.Proposal {
	return proto.Proposal{
		Type: proto.ProposalType, Height: 12345, Round: 23456, PolRound: -1, BlockID: block(), Timestamp: proposalTime,
	}
}

func canonProposals() {
	canonProposal("base", chain, proposal())
	canonProposal("zero", "", proto.Proposal{})
	canonProposal("tmkms", chain, proto.Proposal{
		Height: 12345, Round: 1, PolRound: -1, Timestamp: time.Unix(1696413600, 0).UTC(),
	})
	for _, pol := range []int32{0, 1, 2, 127, 128, math.MaxInt32, -2, math.MinInt32} {
		canonProposal(fmt.Sprintf("pol-round-%d", pol), chain, with(proposal(), func(p *proto.Proposal) { p.PolRound = pol }))
	}
	canonProposal("round-1-pol-round-0", chain, with(proposal(), func(p *proto.Proposal) { p.Round, p.PolRound = 1, 0 }))
	canonProposal("round-3-pol-round-2", chain, with(proposal(), func(p *proto.Proposal) { p.Round, p.PolRound = 3, 2 }))
	canonProposal("type-ignored", chain, with(proposal(), func(p *proto.Proposal) { p.Type = 1 }))
	for _, b := range blocks() {
		canonProposal(b.name, chain, with(proposal(), func(p *proto.Proposal) { p.BlockID = b.id }))
	}
	for _, height := range []int64{0, 1, -1, math.MaxInt64, math.MinInt64} {
		canonProposal(fmt.Sprintf("height-%d", height), chain, with(proposal(), func(p *proto.Proposal) { p.Height = height }))
	}
	for _, round := range []int32{0, 1, -1, math.MaxInt32, math.MinInt32} {
		canonProposal(fmt.Sprintf("round-%d", round), chain, with(proposal(), func(p *proto.Proposal) { p.Round = round }))
	}
	for _, t := range times() {
		canonProposal(t.name, chain, with(proposal(), func(p *proto.Proposal) { p.Timestamp = t.at }))
	}
	for _, n := range []int{0, 1, 50, 51, 127, 128} {
		canonProposal(fmt.Sprintf("chain-id-%d", n), strings.Repeat("x", n), proposal())
	}
	canonProposal("longest", strings.Repeat("x", 50), proto.Proposal{
		Height: math.MaxInt64, Round: math.MaxInt32, PolRound: -1, BlockID: blocks()[7].id, Timestamp: times()[1].at,
	})
}

func canonExtension(name, chainID string, height int64, round int32, extension []byte) {
	var h header
	expect := "encodable"
	if height >= 1 && round >= 0 && len(chainID) >= 1 && len(chainID) <= 50 {
		expect = "signable"
	}
	h.add("expect", expect)
	h.add("source", source+"types.VoteExtensionSignBytes")
	h.add("message", "extension")
	h.add("extension", "%x", extension)
	h.add("height", "%d", height)
	h.add("round", "%d", round)
	h.add("chain_id", "%s", chainID)
	v := proto.Vote{Height: height, Round: round, Extension: extension}
	write("canon", "extension-"+name, h, types.VoteExtensionSignBytes(chainID, &v))
}

func canonExtensions() {
	canonExtension("base", chain, 12345, 2, []byte("extension"))
	canonExtension("empty", chain, 1, 0, nil)
	canonExtension("zero", "", 0, 0, nil)
	for _, n := range []int{1, 127, 128, 1000} {
		canonExtension(fmt.Sprintf("length-%d", n), chain, 12345, 2, []byte(strings.Repeat("e", n)))
	}
	for _, height := range []int64{0, -1, math.MaxInt64, math.MinInt64} {
		canonExtension(fmt.Sprintf("height-%d", height), chain, height, 2, []byte("extension"))
	}
	for _, round := range []int32{0, -1, math.MaxInt32, math.MinInt32} {
		canonExtension(fmt.Sprintf("round-%d", round), chain, 12345, round, []byte("extension"))
	}
	for _, n := range []int{0, 1, 50, 51} {
		canonExtension(fmt.Sprintf("chain-id-%d", n), strings.Repeat("x", n), 12345, 2, []byte("extension"))
	}
}
