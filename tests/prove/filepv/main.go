// CometBFT's own FilePV behind CometBFT's own SignerServer, as a signer that dials a Unix socket:
// filepv SOCKET CHAIN-ID SEED-HEX STATE-FILE
//
// A request at which FilePV panics is answered with code -1, where a node's signer would be gone.
package main

import (
	stded25519 "crypto/ed25519"
	"encoding/hex"
	"fmt"
	"os"

	"github.com/cometbft/cometbft/crypto/ed25519"
	"github.com/cometbft/cometbft/libs/log"
	"github.com/cometbft/cometbft/privval"
	privvalproto "github.com/cometbft/cometbft/proto/tendermint/privval"
	"github.com/cometbft/cometbft/types"
)

func main() {
	if len(os.Args) != 5 {
		fmt.Fprintln(os.Stderr, "usage: filepv SOCKET CHAIN-ID SEED-HEX STATE-FILE")
		os.Exit(2)
	}
	socket, chainID, stateFile := os.Args[1], os.Args[2], os.Args[4]
	seed, err := hex.DecodeString(os.Args[3])
	if err != nil || len(seed) != stded25519.SeedSize {
		fmt.Fprintln(os.Stderr, "a seed is 64 hex digits")
		os.Exit(2)
	}
	key := ed25519.PrivKey(stded25519.NewKeyFromSeed(seed))
	pv := privval.NewFilePV(key, "", stateFile)
	endpoint := privval.NewSignerDialerEndpoint(log.NewNopLogger(), privval.DialUnixFn(socket))
	server := privval.NewSignerServer(endpoint, chainID, pv)
	server.SetRequestHandler(recovering)
	if err := server.Start(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	<-server.Quit()
}

func recovering(pv types.PrivValidator, request privvalproto.Message, chainID string) (reply privvalproto.Message, err error) {
	defer func() {
		if panicked := recover(); panicked != nil {
			failure := &privvalproto.RemoteSignerError{Code: -1, Description: fmt.Sprint(panicked)}
			if _, ok := request.Sum.(*privvalproto.Message_SignVoteRequest); ok {
				reply.Sum = &privvalproto.Message_SignedVoteResponse{
					SignedVoteResponse: &privvalproto.SignedVoteResponse{Error: failure}}
			} else {
				reply.Sum = &privvalproto.Message_SignedProposalResponse{
					SignedProposalResponse: &privvalproto.SignedProposalResponse{Error: failure}}
			}
		}
	}()
	return privval.DefaultValidationRequestHandler(pv, request, chainID)
}
