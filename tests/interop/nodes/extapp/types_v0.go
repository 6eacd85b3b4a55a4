//go:build !v1

package main

import abci "github.com/cometbft/cometbft/abci/types"

type (
	extendRequest  = abci.RequestExtendVote
	extendResponse = abci.ResponseExtendVote
	verifyRequest  = abci.RequestVerifyVoteExtension
	verifyResponse = abci.ResponseVerifyVoteExtension
	queryRequest   = abci.RequestQuery
	queryResponse  = abci.ResponseQuery
)

const (
	accept = abci.ResponseVerifyVoteExtension_ACCEPT
	reject = abci.ResponseVerifyVoteExtension_REJECT
)
