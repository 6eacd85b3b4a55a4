// Command refsigner is CometBFT's own remote signer, built from the same release as the node it
// serves. It is the control of these tests: a case that fails with it too is wrong itself.
package main

import (
	"errors"
	"flag"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/cometbft/cometbft/crypto/ed25519"
	"github.com/cometbft/cometbft/libs/log"
	"github.com/cometbft/cometbft/privval"
)

func main() {
	chain := flag.String("chain", "", "chain id")
	key := flag.String("key", "", "priv_validator_key.json")
	state := flag.String("state", "", "priv_validator_state.json")
	flag.Parse()

	logger := log.NewTMLogger(log.NewSyncWriter(os.Stdout))
	validator := privval.LoadFilePV(*key, *state)
	var mu sync.Mutex
	for _, addr := range flag.Args() {
		endpoint := privval.NewSignerDialerEndpoint(logger.With("addr", addr), dialer(addr),
			privval.SignerDialerEndpointConnRetries(1<<30))
		server := privval.NewSignerServer(endpoint, *chain, validator)
		server.SetRequestHandler(locked(&mu, privval.DefaultValidationRequestHandler))
		// Start dials until the node listens, which is long after the next address must be dialled.
		go func() {
			if err := server.Start(); err != nil {
				panic(err)
			}
		}()
	}
	select {}
}

func dialer(addr string) privval.SocketDialer {
	dial := privval.DialTCPFn(strings.TrimPrefix(addr, "tcp://"), 3*time.Second, ed25519.GenPrivKey())
	if path, ok := strings.CutPrefix(addr, "unix://"); ok {
		dial = privval.DialUnixFn(path)
	}
	return func() (net.Conn, error) {
		conn, err := dial()
		return hangup{conn}, err
	}
}

// hangup reports the end of the stream as a reset: SignerServer redials after that one only, and
// reads a stream that ended for ever.
type hangup struct{ net.Conn }

func (h hangup) Read(b []byte) (int, error) {
	n, err := h.Conn.Read(b)
	if errors.Is(err, io.EOF) {
		err = &net.OpError{Op: "read", Net: "privval", Err: syscall.ECONNRESET}
	}
	return n, err
}

// locked lets several nodes of one validator use one FilePV, which is not safe for that by itself.
// It is generic because the releases keep these types in different packages.
func locked[PV, Msg any](mu *sync.Mutex, handle func(PV, Msg, string) (Msg, error)) func(PV, Msg, string) (Msg, error) {
	return func(pv PV, request Msg, chain string) (Msg, error) {
		mu.Lock()
		defer mu.Unlock()
		return handle(pv, request, chain)
	}
}
