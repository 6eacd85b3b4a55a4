// Command interop runs real, unmodified nodes against the real tmkms and prints a line for each
// case. See README.md.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// A hung machine must not hang whoever waits for the result.
const (
	caseTimeout = 3 * time.Minute
	runTimeout  = 30 * time.Minute
)

func main() {
	pattern := flag.String("case", "", "run the cases whose names start with this, or one of these, separated by commas")
	signer := flag.String("signer", "tmkms", "tmkms, or reference for the signer that comes with the node")
	jobs := flag.Int("jobs", 2, "cases at a time")
	keep := flag.Bool("keep", false, "keep the directories of cases that pass, too")
	list := flag.Bool("list", false, "print the names of the cases")
	flag.Parse()

	work, err := filepath.Abs(".work")
	if err != nil {
		fatal(err)
	}
	world := &World{Work: work, Reference: *signer == "reference", Keep: *keep}
	if world.Tmkms, err = tmkmsBinary(); err != nil && !world.Reference && !*list {
		fatal(err)
	}
	cases := selectCases(allCases(world), *pattern)
	if *list {
		for _, c := range cases {
			fmt.Println(c.Name)
		}
		return
	}
	if len(cases) == 0 {
		fatal(fmt.Errorf("no case is called %q; -list prints their names", *pattern))
	}

	ctx, cancel := context.WithTimeout(context.Background(), runTimeout)
	defer cancel()
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()

	if err := build(ctx, world, cases); err != nil {
		fatal(err)
	}
	if run(ctx, world, cases, *jobs) > 0 {
		os.Exit(1)
	}
}

// World is what all cases share.
type World struct {
	Work      string // everything we write lies below it
	Tmkms     string // the binary under test
	Reference bool   // use the node's own signer in its place
	Keep      bool   // leave the directory of every case
}

func (w *World) Bin(name string) string { return filepath.Join(w.Work, "bin", name) }

// Case is one line of the result.
type Case struct {
	Name  string
	Needs []Binary
	Run   func(t *T)
}

func allCases(w *World) []Case {
	var cases []Case
	cases = append(cases, lifeCases()...)
	cases = append(cases, extensionCases()...)
	cases = append(cases, harnessCases()...)
	cases = append(cases, networkCases()...)
	if !w.Reference {
		cases = append(cases, walkthroughCases()...)
		cases = append(cases, stateCases()...)
		cases = append(cases, migrationCases()...)
		cases = append(cases, yubihsmCases()...)
		cases = append(cases, ledgerCases()...)
		cases = append(cases, fortanixdsmCases()...)
	}
	if w.Reference {
		for i := range cases {
			cases[i].Needs = append(cases[i].Needs, refsigners()...)
		}
	}
	return cases
}

func selectCases(cases []Case, pattern string) []Case {
	var selected []Case
	for _, c := range cases {
		for _, prefix := range strings.Split(pattern, ",") {
			if strings.HasPrefix(c.Name, prefix) {
				selected = append(selected, c)
				break
			}
		}
	}
	return selected
}

// run prints a line for each case and returns how many failed.
func run(ctx context.Context, w *World, cases []Case, jobs int) (failed int) {
	began := time.Now()
	queue := make(chan Case)
	go func() {
		defer close(queue)
		for _, c := range cases {
			queue <- c
		}
	}()

	var mu sync.Mutex // one report at a time
	var workers sync.WaitGroup
	for range jobs {
		workers.Go(func() {
			for c := range queue {
				t := newT(ctx, w, c.Name)
				t.run(c.Run)
				mu.Lock()
				t.report()
				if t.failure != "" {
					failed++
				}
				mu.Unlock()
			}
		})
	}
	workers.Wait()
	fmt.Printf("%d passed, %d failed in %.0f s\n", len(cases)-failed, failed, time.Since(began).Seconds())
	return failed
}

func tmkmsBinary() (string, error) {
	path := os.Getenv("TMKMS")
	if path == "" {
		path = "../../target/release/tmkms"
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	_, err = os.Stat(path)
	return path, err
}

func fatal(err error) {
	fmt.Fprintln(os.Stderr, "interop:", err)
	os.Exit(1)
}
