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
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/cometbft/cometbft/crypto/ed25519"
	cryptoenc "github.com/cometbft/cometbft/crypto/encoding"
	"github.com/cometbft/cometbft/libs/protoio"
	cryptoproto "github.com/cometbft/cometbft/proto/tendermint/crypto"
	privval "github.com/cometbft/cometbft/proto/tendermint/privval"
	proto "github.com/cometbft/cometbft/proto/tendermint/types"
	"github.com/cometbft/cometbft/types"
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

// ---- files

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

// ---- values

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

// The first value that keeps a vote or proposal from being signed, in the order in which the signer
// looks; empty if there is none.
func badBlock(id proto.BlockID) bool {
	nilID := len(id.Hash) == 0 && id.PartSetHeader.Total == 0 && len(id.PartSetHeader.Hash) == 0
	whole := len(id.Hash) == 32 && id.PartSetHeader.Total > 0 && len(id.PartSetHeader.Hash) == 32
	return !nilID && !whole
}

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

// ---- sign-bytes

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

// ---- requests

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

// ---- requests that no node writes, but protobuf allows

func tag(field, wireType uint64) []byte { return binary.AppendUvarint(nil, field<<3|wireType) }

func varint(field, value uint64) []byte { return binary.AppendUvarint(tag(field, 0), value) }

func message(field uint64, parts ...[]byte) []byte {
	return append(tag(field, 2), delimit(join(parts...))...)
}

func join(parts ...[]byte) []byte {
	var all []byte
	for _, part := range parts {
		all = append(all, part...)
	}
	return all
}

func voteBytes(v proto.Vote) []byte {
	bytes, err := v.Marshal()
	check(err)
	return bytes
}

func oddRequests() {
	fields := voteBytes(vote())
	chainID := message(2, []byte(chain))
	voteOf := func(parts ...[]byte) []byte { return message(3, message(1, parts...), chainID) }
	ping, pubkey := message(7), message(1, message(1, []byte(chain)))

	request("odd-vote-missing", message(3, chainID))
	request("odd-vote-empty", message(3, message(1), chainID))
	request("odd-vote-request-empty", message(3))
	request("odd-proposal-missing", message(5, chainID))
	request("odd-fields-backwards", message(3, chainID, message(1,
		message(9, []byte("extension")), varint(7, 7), message(6, goldenAddress), message(5, varint(2, 5), varint(1, 4)),
		message(4, message(2, message(2, goldenParts), varint(1, 1)), message(1, goldenHash)),
		varint(3, 1), varint(2, 9), varint(1, 1))))
	request("odd-timestamp-absent", voteOf(varint(1, 1), varint(2, 9)))
	request("odd-timestamp-empty", voteOf(varint(1, 1), varint(2, 9), message(5)))
	request("odd-timestamp-twice-is-not-merged", voteOf(fields, message(5, varint(1, 4)), message(5, varint(2, 9))))
	request("odd-timestamp-zeros-written", voteOf(varint(1, 1), varint(2, 9), message(5, varint(1, 0), varint(2, 0))))
	request("odd-block-id-absent", voteOf(varint(1, 1), varint(2, 9)))
	request("odd-block-id-without-parts", voteOf(varint(1, 1), varint(2, 9), message(4, message(1, goldenHash))))
	request("odd-block-id-twice-is-merged", voteOf(varint(1, 1), varint(2, 9),
		message(4, message(1, goldenHash), message(2, varint(1, 5))), message(4, message(2, message(2, goldenParts)))))
	request("odd-block-id-emptied-again", voteOf(fields, message(4, message(1), message(2, varint(1, 0), message(2)))))
	request("odd-block-id-empty-member-changes-nothing", voteOf(fields, message(4), message(4, message(2))))
	request("odd-vote-twice-is-merged", message(3, message(1, fields), message(1, varint(2, 99)), chainID))
	request("odd-proposal-twice-is-merged", message(5, message(1, varint(2, 5), varint(4, 3)), message(1, varint(2, 6), varint(3, 4))))
	request("odd-request-twice-is-replaced", join(voteOf(fields), message(3, message(1, varint(2, 99)))))
	request("odd-last-request-stands-ping", join(voteOf(fields), ping))
	request("odd-last-request-stands-pubkey", join(ping, pubkey))
	request("odd-scalar-twice", voteOf(fields, varint(1, 1), varint(1, 2), varint(2, 8), varint(2, 7), varint(3, 1), varint(3, 0)))
	request("odd-chain-id-twice", message(3, message(1, fields), chainID, message(2, []byte("other"))))
	request("odd-chain-id-not-utf8", message(3, message(1, fields), message(2, []byte{0xff})), "signable vote")
	request("odd-int32-of-33-bits", voteOf(fields, varint(3, 1<<32+7), varint(1, 1<<40+1), varint(7, 1<<33-1)))
	request("odd-int32-negative-in-five-bytes", voteOf(fields, varint(3, math.MaxUint32)))
	request("odd-uint32-of-33-bits", voteOf(fields, message(4, message(2, varint(1, 1<<32+3)))))
	request("odd-uint32-of-33-bits-is-zero", voteOf(fields, message(4, message(2, varint(1, 1<<32)))))
	request("odd-varint-longer-than-needed", voteOf(fields, tag(2, 0), []byte{0x81, 0x80, 0x80, 0}))
	request("odd-varint-of-ten-bytes-overflowing", voteOf(fields, tag(2, 0), []byte{0x81, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x7e}))
	request("odd-tag-longer-than-needed", voteOf(fields, []byte{0x90, 0x80, 0}, []byte{5}))
	request("odd-tag-above-32-bits", voteOf(fields, tag(1<<32+2, 0), []byte{5}))
	request("odd-length-longer-than-needed", join(tag(7, 2), []byte{0x80, 0}))
	group := join(tag(90, 3), tag(91, 3), varint(1, 5), tag(91, 4), tag(3, 1), make([]byte, 8), tag(3, 5), make([]byte, 4), message(3, []byte("x")), tag(77, 4))
	unknown := join(varint(100, 5), tag(101, 1), make([]byte, 8), message(102, []byte("unknown")), tag(103, 5), make([]byte, 4), group)
	request("odd-unknown-fields-everywhere", join(unknown, message(3, unknown, message(1, unknown, fields, unknown,
		message(4, unknown, message(2, unknown)), message(5, unknown)), chainID, unknown), unknown))
	request("odd-unknown-fields-proposal", message(5, unknown, message(1, unknown, varint(2, 4), message(6, unknown)), unknown))
	request("odd-unknown-fields-ping", message(7, unknown))
	request("odd-unknown-fields-pubkey", message(1, unknown, message(1, []byte(chain))))
	request("odd-deep-groups", join(make5(tag(90, 3), 500), make5(tag(90, 4), 500), ping))
	request("request-vote-golden-v2", message(3, message(1, voteBytes(goldenVote()), message(11, []byte("non-rp-extension")))))
	request("odd-vote-with-v2-extension", voteOf(fields, message(11, []byte("non-rp-extension")), message(12)))
}

func make5(bytes []byte, times int) []byte {
	return []byte(strings.Repeat(string(bytes), times))
}

func brokenRequests() {
	fields := voteBytes(vote())
	voteOf := func(parts ...[]byte) []byte { return message(3, message(1, parts...)) }
	ping := message(7)

	for field := uint64(1); field <= 10; field++ {
		right := map[uint64]uint64{1: 0, 2: 0, 3: 0, 7: 0}
		wrong := varint(field, 1)
		if _, scalar := right[field]; scalar {
			wrong = message(field, []byte{1})
		}
		request(fmt.Sprintf("broken-vote-field-%d-wrong-type", field), voteOf(fields, wrong))
	}
	for field := uint64(1); field <= 7; field++ {
		wrong := varint(field, 1)
		if field <= 4 {
			wrong = join(tag(field, 1), make([]byte, 8))
		}
		request(fmt.Sprintf("broken-proposal-field-%d-wrong-type", field), message(5, message(1, wrong)))
	}
	request("broken-block-id-hash-wrong-type", voteOf(message(4, varint(1, 1))))
	request("broken-block-id-parts-wrong-type", voteOf(message(4, varint(2, 1))))
	request("broken-parts-total-wrong-type", voteOf(message(4, message(2, message(1, []byte{1})))))
	request("broken-parts-hash-wrong-type", voteOf(message(4, message(2, varint(2, 1)))))
	request("broken-timestamp-seconds-wrong-type", voteOf(message(5, message(1))))
	request("broken-timestamp-nanos-wrong-type", voteOf(message(5, message(2))))
	request("broken-vote-request-vote-wrong-type", message(3, varint(1, 1)))
	request("broken-vote-request-chain-wrong-type", message(3, varint(2, 1)))
	request("broken-proposal-request-chain-wrong-type", message(5, varint(2, 1)))
	request("broken-pubkey-chain-wrong-type", message(1, varint(1, 1)))
	request("broken-envelope-wrong-type", varint(3, 1))
	request("broken-tag-zero", join(ping, varint(0, 1)))
	request("broken-tag-negative", join(ping, varint(1<<31, 1)))
	request("broken-tag-of-eleven-bytes", []byte("\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01"))
	request("broken-varint-of-eleven-bytes", voteOf(tag(2, 0), []byte("\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01")))
	request("broken-unknown-varint-of-eleven-bytes", join(tag(99, 0), []byte("\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01")))
	request("broken-length-beyond-the-end", join(tag(7, 2), []byte{1}))
	request("broken-length-negative", join(tag(7, 2), []byte("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01")))
	request("broken-length-of-an-exbibyte", join(tag(7, 2), []byte("\x80\x80\x80\x80\x80\x80\x80\x80\x10")))
	request("broken-unknown-length-negative", join(tag(99, 2), []byte("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01")))
	request("broken-unknown-beyond-the-end", join(ping, tag(99, 2), []byte{9}))
	request("broken-fixed64-beyond-the-end", join(ping, tag(99, 1), []byte{9}))
	request("broken-fixed32-beyond-the-end", join(ping, tag(99, 5), []byte{9}))
	request("broken-group-never-ends", join(ping, tag(99, 3), varint(1, 1)))
	request("broken-group-never-begun", join(ping, tag(99, 4)))
	request("broken-group-of-known-number", join(tag(7, 3), tag(7, 4)))
	request("broken-wire-type-6", join(ping, tag(99, 6)))
	request("broken-wire-type-7", join(ping, tag(99, 7)))
	request("broken-wire-type-6-in-group", join(ping, tag(99, 3), tag(99, 6), tag(99, 4)))
	request("broken-ping-content", message(7, tag(1, 0)))
	request("broken-before-a-good-request", join(message(7, tag(1, 0)), ping))
	request("broken-deep-groups", make5(tag(90, 3), 1000))

	// The node's code reports a timestamp out of range as it decodes; the signer when it judges values.
	for name, content := range map[string][]byte{
		"seconds-too-small": varint(1, 1<<64-62135596801), "seconds-too-great": varint(1, 253402300800),
		"nanos-negative": varint(2, math.MaxUint64), "nanos-too-great": varint(2, 1000000000),
	} {
		request("refused-timestamp-"+name, voteOf(varint(1, 1), varint(2, 1), message(5, content)), "refused vote: timestamp")
	}
	// To the node's code these are nothing at all.
	request("unknown-tag-11", message(11, []byte("x")), "unknown")
	request("unknown-tag-16-of-another-type", varint(16, 1), "unknown")
	request("raw-bytes-celestia", message(9, message(1, []byte("test")), message(2, []byte(strings.Repeat("\x01", 1000))), message(3, []byte("test-msg"))), "raw bytes")
	request("raw-bytes-then-ping", join(message(9, []byte("x")), ping))
	request("broken-raw-bytes-wrong-type", varint(9, 1), "malformed")
	request("reply-raw-bytes", message(10, message(1, []byte(strings.Repeat("\x01", 64)))), "reply")
	// Of several members the last would stand; the signer does not look for one behind a reply.
	request("reply-then-ping", join(message(8), ping), "reply")
}

// ---- responses

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
