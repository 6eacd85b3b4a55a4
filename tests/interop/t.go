package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// T is one running case: its directory, its deadline, the processes to end, and its verdict.
type T struct {
	*World
	Name string
	Dir  string // empty at the start; kept if the case fails

	ctx     context.Context
	began   time.Time
	took    time.Duration
	procs   []*Proc
	notes   []string
	failure string
}

func newT(ctx context.Context, w *World, name string) *T {
	// Short, because the path of a unix socket ends after 107 bytes.
	dir := filepath.Join(w.Work, strings.ReplaceAll(name, "/", "-"))
	return &T{World: w, Name: name, Dir: dir, ctx: ctx}
}

// failed unwinds a case from Fatalf to run.
type failed struct{}

func (t *T) run(body func(*T)) {
	ctx, cancel := context.WithTimeout(t.ctx, caseTimeout)
	defer cancel()
	t.ctx, t.began = ctx, time.Now()
	defer func() {
		for _, p := range t.procs {
			p.Kill()
		}
		t.took = time.Since(t.began)
		switch p := recover(); p.(type) {
		case nil:
			if !t.Keep {
				_ = os.RemoveAll(t.Dir) // or else the next run does
			}
		case failed:
		default:
			panic(p)
		}
	}()
	t.check(os.RemoveAll(t.Dir))
	t.check(os.MkdirAll(t.Dir, 0o700))
	body(t)
}

// Fatalf ends the case.
func (t *T) Fatalf(format string, args ...any) {
	t.failure = fmt.Sprintf(format, args...)
	panic(failed{})
}

// Notef adds to what stands on the line of the case.
func (t *T) Notef(format string, args ...any) {
	t.notes = append(t.notes, fmt.Sprintf(format, args...))
}

func (t *T) check(err error) {
	if err != nil {
		t.Fatalf("%v", err)
	}
}

// until polls a condition; what is said when it does not come true in time comes from why.
func (t *T) until(limit time.Duration, condition func() bool, why func() string) {
	deadline := time.Now().Add(limit)
	for !condition() {
		for _, p := range t.procs {
			if err := p.Unexpected(); err != nil {
				t.Fatalf("%v, while %s", err, why())
			}
		}
		if t.ctx.Err() != nil || time.Now().After(deadline) {
			t.Fatalf("gave up after %.0f s: %s", limit.Seconds(), why())
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func (t *T) report() {
	verdict, details := "ok  ", strings.Join(t.notes, ", ")
	if t.failure != "" {
		verdict, details = "FAIL", t.failure
	}
	fmt.Printf("%s %-22s %5.1fs  %s\n", verdict, t.Name, t.took.Seconds(), details)
	if t.failure == "" {
		return
	}
	for _, note := range t.notes {
		fmt.Println("     until then:", note)
	}
	seen := map[string]bool{}
	for _, p := range t.procs {
		if seen[p.Log] {
			continue // a process that was restarted goes on in the same log
		}
		seen[p.Log] = true
		fmt.Printf("     ---- %s\n", p.Log)
		for _, line := range p.Tail(25) {
			fmt.Println("     ", line)
		}
	}
}
