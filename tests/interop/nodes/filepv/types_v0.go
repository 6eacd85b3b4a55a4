//go:build !v1

package main

import (
	"github.com/cometbft/cometbft/privval"
	proto "github.com/cometbft/cometbft/proto/tendermint/types"
)

type (
	vote     = proto.Vote
	voteType = proto.SignedMsgType
	blockID  = proto.BlockID
	parts    = proto.PartSetHeader
)

func sign(validator *privval.FilePV, chain string, v *vote) error {
	return validator.SignVote(chain, v)
}
