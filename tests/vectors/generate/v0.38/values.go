// What cases are made of, and what the signer thinks of it.

package main

import (
	"math"
	"time"

	proto "github.com/cometbft/cometbft/proto/tendermint/types"
)

func block() proto.BlockID {
	return proto.BlockID{
		Hash:          goldenHash,
		PartSetHeader: proto.PartSetHeader{Total: 1000000, Hash: goldenParts},
	}
}

type namedBlock struct {
	name string
	id   proto.BlockID
}

func blocks() []namedBlock {
	hashOnly, totalOnly, partsOnly, noTotal, noParts, most := block(), block(), block(), block(), block(), block()
	hashOnly.PartSetHeader = proto.PartSetHeader{}
	totalOnly.Hash, totalOnly.PartSetHeader.Hash = nil, nil
	partsOnly.Hash, partsOnly.PartSetHeader.Total = nil, 0
	noTotal.PartSetHeader.Total = 0
	noParts.PartSetHeader.Hash = nil
	most.PartSetHeader.Total = math.MaxUint32
	return []namedBlock{
		{"block", block()}, {"nil", proto.BlockID{}}, {"hash-only", hashOnly}, {"total-only", totalOnly},
		{"parts-hash-only", partsOnly}, {"no-total", noTotal}, {"no-parts-hash", noParts}, {"most-parts", most},
	}
}

type namedTime struct {
	name string
	at   time.Time
}

func times() []namedTime {
	return []namedTime{
		{"year-1", time.Time{}},
		{"year-1-last-nanosecond", time.Date(1, 12, 31, 23, 59, 59, 999999999, time.UTC)},
		{"before-1970", time.Unix(-1, 0).UTC()},
		{"before-1970-nanos", time.Unix(-1, 999999999).UTC()},
		{"1970", time.Unix(0, 0).UTC()},
		{"1970-one-nanosecond", time.Unix(0, 1).UTC()},
		{"1970-127-seconds", time.Unix(127, 0).UTC()},
		{"1970-128-seconds", time.Unix(128, 127).UTC()},
		{"year-2038", time.Unix(1<<31, 128).UTC()},
		{"year-9999", time.Date(9999, 12, 31, 23, 59, 59, 999999999, time.UTC)},
	}
}

func (h *header) block(id proto.BlockID) {
	h.add("hash", "%x", id.Hash)
	h.add("total", "%d", id.PartSetHeader.Total)
	h.add("parts_hash", "%x", id.PartSetHeader.Hash)
}

func (h *header) time(t time.Time) {
	h.add("timestamp", "%d %d", t.Unix(), t.Nanosecond())
}

func badBlock(id proto.BlockID) bool {
	nilID := len(id.Hash) == 0 && id.PartSetHeader.Total == 0 && len(id.PartSetHeader.Hash) == 0
	whole := len(id.Hash) == 32 && id.PartSetHeader.Total > 0 && len(id.PartSetHeader.Hash) == 32
	return !nilID && !whole
}

// The first value that keeps a vote or proposal from being signed, in the order in which the signer
// looks; empty if there is none.
func badVote(v *proto.Vote) string {
	switch {
	case len(v.ValidatorAddress) > 20:
		return "address"
	case v.Type != proto.PrevoteType && v.Type != proto.PrecommitType:
		return "type"
	case v.Height < 1:
		return "height"
	case v.Round < 0:
		return "round"
	case badBlock(v.BlockID):
		return "block id"
	}
	return ""
}

func badProposal(p *proto.Proposal) string {
	switch {
	case p.Height < 1:
		return "height"
	case p.Round < 0:
		return "round"
	case p.PolRound < -1:
		return "pol_round"
	case badBlock(p.BlockID):
		return "block id"
	case len(p.BlockID.Hash) == 0:
		return "no block"
	}
	return ""
}

func expectSignBytes(bad string, chainID string) string {
	if bad == "" && len(chainID) >= 1 && len(chainID) <= 50 {
		return "signable"
	}
	return "encodable"
}
