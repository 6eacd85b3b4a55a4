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
	Cargo   []string // what cargo builds, if it is no Go program: the manifest, then arguments
}

// cargoBinary is a program of this tree's own, in its development profile.
func cargoBinary(name, manifest string, arguments ...string) Binary {
	return Binary{Name: name, Cargo: append([]string{manifest}, arguments...)}
}

func nodeBinary(release string) Binary {
	module := "github.com/cometbft/cometbft"
	if release == "v0.34.35" {
		module = "github.com/tendermint/tendermint" // the name that CometBFT kept in this line
	}
	return Binary{Name: "cometbft-" + release, Release: release, Package: module + "/cmd/cometbft"}
}

func extappBinary(release string) Binary {
	return Binary{Name: "extapp-" + release, Release: release, Package: "./extapp"}
}

// refsigners are the node's own signers. Lines that speak the same protocol share one.
func refsigners() []Binary {
	var all []Binary
	for _, release := range []string{"v0.37.18", "v0.38.25", "v0.40.0", "v1.0.1"} {
		all = append(all, Binary{Name: "refsigner-" + release, Release: release, Package: "./refsigner"})
	}
	return all
}

// build makes what the cases need, one after another: a node is a minute of work for two cores.
// What did not change since the last run costs a second.
func build(ctx context.Context, w *World, cases []Case) error {
	var needed []Binary
	for _, c := range cases {
		for _, b := range c.Needs {
			if !slices.ContainsFunc(needed, func(other Binary) bool { return other.Name == b.Name }) {
				needed = append(needed, b)
			}
		}
	}
	began := time.Now()
	for _, b := range needed {
		if b.Cargo != nil {
			if err := cargo(ctx, w, b); err != nil {
				return err
			}
			continue
		}
		if b.Name == rival().Name {
			if err := install(ctx, w, b); err != nil {
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

// cargo builds a program and takes a copy: another set of features would replace it where cargo leaves it.
func cargo(ctx context.Context, w *World, b Binary) error {
	target, err := filepath.Abs("../../target/interop")
	if err != nil {
		return err
	}
	args := append([]string{"build", "--locked", "--target-dir", target, "--manifest-path"}, b.Cargo...)
	if out, err := exec.CommandContext(ctx, "cargo", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("cargo build of %s: %w\n%s", b.Name, err, out)
	}
	built := b.Name
	if at := slices.Index(b.Cargo, "--bin"); at >= 0 {
		built = b.Cargo[at+1]
	}
	if at := slices.Index(b.Cargo, "--example"); at >= 0 {
		built = filepath.Join("examples", b.Cargo[at+1])
	}
	program, err := os.ReadFile(filepath.Join(target, "debug", built))
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(w.Bin(b.Name)), 0o755); err != nil {
		return err
	}
	_ = os.Remove(w.Bin(b.Name)) // one that runs cannot be written to
	return os.WriteFile(w.Bin(b.Name), program, 0o755)
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
