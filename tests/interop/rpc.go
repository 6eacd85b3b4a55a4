package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// RPC asks a node over its HTTP interface. The answers read here have the same form in every
// release that we test.
type RPC string

var client = http.Client{Timeout: 2 * time.Second}

func (r RPC) get(path string, result any) error {
	answer, err := client.Get(string(r) + path)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	var envelope struct {
		Result json.RawMessage
		Error  json.RawMessage
	}
	if err := json.NewDecoder(answer.Body).Decode(&envelope); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if envelope.Error != nil {
		return fmt.Errorf("%s: %s", path, envelope.Error)
	}
	return json.Unmarshal(envelope.Result, result)
}

// Height is the newest block of the node, 0 if it does not answer.
func (r RPC) Height() int64 {
	var status struct {
		SyncInfo struct {
			LatestBlockHeight int64 `json:"latest_block_height,string"`
		} `json:"sync_info"`
	}
	if r.get("/status", &status) != nil {
		return 0
	}
	return status.SyncInfo.LatestBlockHeight
}

// Commit is the proof of a block: the precommits of its height.
type Commit struct {
	Height     int64 `json:",string"`
	Round      int64
	BlockID    BlockID `json:"block_id"`
	Signatures []CommitSig
}

type BlockID struct {
	Hash  string // upper-case hex
	Parts struct {
		Total uint64
		Hash  string
	}
}

type CommitSig struct {
	Flag      int    `json:"block_id_flag"` // 1 absent, 2 for the block, 3 for nil
	Address   string `json:"validator_address"`
	Timestamp time.Time
	Signature []byte
}

func (r RPC) Commit(height int64) (Commit, error) {
	var result struct {
		SignedHeader struct{ Commit Commit } `json:"signed_header"`
	}
	err := r.get(fmt.Sprintf("/commit?height=%d", height), &result)
	return result.SignedHeader.Commit, err
}

// Evidence counts the proofs of double signing in a block.
func (r RPC) Evidence(height int64) (int, error) {
	var result struct {
		Block struct {
			Evidence struct{ Evidence []json.RawMessage }
		}
	}
	err := r.get(fmt.Sprintf("/block?height=%d", height), &result)
	return len(result.Block.Evidence.Evidence), err
}

// Query asks the application of the node.
func (r RPC) Query(path string) ([]byte, error) {
	var result struct{ Response struct{ Value []byte } }
	err := r.get("/abci_query?path="+url.QueryEscape(`"`+path+`"`), &result)
	return result.Response.Value, err
}

// ConsensusAddress is the address of the key that the node votes with.
func (r RPC) ConsensusAddress() (string, error) {
	var status struct {
		ValidatorInfo struct{ Address string } `json:"validator_info"`
	}
	err := r.get("/status", &status)
	return strings.ToUpper(status.ValidatorInfo.Address), err
}
