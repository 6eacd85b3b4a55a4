//go:build v1

package main

import abci "github.com/cometbft/cometbft/abci/types"

type (
	extendRequest  = abci.ExtendVoteRequest
	extendResponse = abci.ExtendVoteResponse
	verifyRequest  = abci.VerifyVoteExtensionRequest
	verifyResponse = abci.VerifyVoteExtensionResponse
	queryRequest   = abci.QueryRequest
	queryResponse  = abci.QueryResponse
)

const (
	accept = abci.VERIFY_VOTE_EXTENSION_STATUS_ACCEPT
	reject = abci.VERIFY_VOTE_EXTENSION_STATUS_REJECT
)
