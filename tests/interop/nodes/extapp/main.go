// Command extapp is CometBFT's kvstore with vote extensions that are not empty: their sizes take
// turns by height, their bytes follow from the height, and every one a node hands over for checking
// is checked and counted.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"strconv"
	"sync"

	"github.com/cometbft/cometbft/abci/example/kvstore"
	"github.com/cometbft/cometbft/abci/server"
)

func main() {
	listen := flag.String("listen", "", "where the node finds us, unix:///path")
	flag.Parse()

	app := &app{Application: kvstore.NewInMemoryApplication(), verified: map[string]map[int]int{}}
	for _, arg := range flag.Args() {
		size, err := strconv.Atoi(arg)
		if err != nil {
			panic(err)
		}
		app.sizes = append(app.sizes, size)
	}
	s := server.NewSocketServer(*listen, app)
	if err := s.Start(); err != nil {
		panic(err)
	}
	select {}
}

type app struct {
	*kvstore.Application
	sizes []int

	mu       sync.Mutex
	verified map[string]map[int]int // validator address → size → how many
}

func (a *app) extension(height int64) []byte {
	b := make([]byte, a.sizes[height%int64(len(a.sizes))])
	for i := range b {
		b[i] = byte(int(height) + i + i>>8)
	}
	return b
}

func (a *app) ExtendVote(_ context.Context, r *extendRequest) (*extendResponse, error) {
	return &extendResponse{VoteExtension: a.extension(r.Height)}, nil
}

func (a *app) VerifyVoteExtension(_ context.Context, r *verifyRequest) (*verifyResponse, error) {
	if !bytes.Equal(r.VoteExtension, a.extension(r.Height)) {
		return &verifyResponse{Status: reject}, nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	address := fmt.Sprintf("%X", r.ValidatorAddress)
	if a.verified[address] == nil {
		a.verified[address] = map[int]int{}
	}
	a.verified[address][len(r.VoteExtension)]++
	return &verifyResponse{Status: accept}, nil
}

// Query answers every path with the counts, as JSON.
func (a *app) Query(context.Context, *queryRequest) (*queryResponse, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	counts, err := json.Marshal(a.verified)
	return &queryResponse{Value: counts}, err
}
