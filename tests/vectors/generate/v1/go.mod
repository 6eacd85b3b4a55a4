module vectors

go 1.23.1

require github.com/cometbft/cometbft/api v1.0.0

require (
	github.com/cosmos/gogoproto v1.4.12 // indirect
	github.com/golang/protobuf v1.5.3 // indirect
	github.com/google/go-cmp v0.6.0 // indirect
	golang.org/x/exp v0.0.0-20231110203233-9a3e6036ecaa // indirect
	google.golang.org/protobuf v1.33.0 // indirect
)
