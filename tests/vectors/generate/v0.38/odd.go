// Requests that no node writes: those that protobuf allows all the same, and broken ones.

package main

import (
	"encoding/binary"
	"fmt"
	"math"
	"strings"

	proto "github.com/cometbft/cometbft/proto/tendermint/types"
)

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
