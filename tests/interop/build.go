package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"
)

// Binary is a program that a case needs: a package, built with the versions that
// nodes/<release>.mod pins.
type Binary struct {
	Name    string // as World.Bin knows it
	Release string
	Package string
}

func nodeBinary(release string) Binary {
	module := "github.com/cometbft/cometbft"
	if release == "v0.34.35" {
		module = "github.com/tendermint/tendermint" // the name that CometBFT kept in this line
	}
	return Binary{"cometbft-" + release, release, module + "/cmd/cometbft"}
}

func extappBinary(release string) Binary {
	return Binary{"extapp-" + release, release, "./extapp"}
}

// refsigners are the node's own signers. Lines that speak the same protocol share one.
func refsigners() []Binary {
	var all []Binary
	for _, release := range []string{"v0.37.18", "v0.38.25", "v0.40.0", "v1.0.1"} {
		all = append(all, Binary{"refsigner-" + release, release, "./refsigner"})
	}
	return all
}

// build makes what the cases need, one after another: a node is a minute of work for two cores.
// What did not change since the last run costs a second.
func build(ctx context.Context, w *World, cases []Case) error {
	var needed []Binary
	for _, c := range cases {
		for _, b := range c.Needs {
			if !slices.Contains(needed, b) {
				needed = append(needed, b)
			}
		}
	}
	began := time.Now()
	for _, b := range needed {
		if b == rival() {
			if err := install(ctx, w, b); err != nil {
				return err
			}
			continue
		}
		if b == withYubihsm() {
			if err := installYubihsm(ctx, w); err != nil {
				return err
			}
			continue
		}
		args := []string{"build", "-trimpath", "-modfile=" + b.Release + ".mod", "-o", w.Bin(b.Name)}
		if b.Release == "v1.0.1" {
			args = append(args, "-tags=v1")
		}
		cmd := exec.CommandContext(ctx, "go", append(args, b.Package)...)
		cmd.Dir = "nodes"
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-mod=readonly -buildvcs=false", "GOWORK=off")
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("go build %s of %s: %w\n%s", filepath.Base(b.Package), b.Release, err, out)
		}
	}
	fmt.Printf("built %d programs in %.0f s\n", len(needed), time.Since(began).Seconds())
	return nil
}

// install builds the tmkms that operators come from, once: it is three minutes of work for two cores.
func install(ctx context.Context, w *World, b Binary) error {
	if _, err := os.Stat(w.Bin(b.Name)); err == nil {
		return nil
	}
	root := filepath.Join(w.Work, "cargo")
	cmd := exec.CommandContext(ctx, "cargo", "install", "tmkms", "--locked", "--version", b.Release,
		"--features", "softsign", "--root", root)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("cargo install tmkms %s: %w\n%s", b.Release, err, out)
	}
	return os.Rename(filepath.Join(root, "bin/tmkms"), w.Bin(b.Name))
}
