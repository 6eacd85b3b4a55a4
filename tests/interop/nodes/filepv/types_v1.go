//go:build v1

package main

import (
	proto "github.com/cometbft/cometbft/api/cometbft/types/v1"
	"github.com/cometbft/cometbft/privval"
)

type (
	vote     = proto.Vote
	voteType = proto.SignedMsgType
	blockID  = proto.BlockID
	parts    = proto.PartSetHeader
)

func sign(validator *privval.FilePV, chain string, v *vote) error {
	return validator.SignVote(chain, v, false)
}
