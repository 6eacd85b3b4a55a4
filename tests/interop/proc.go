package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Proc is a process of a case. It has a process group of its own, and its output goes to a log.
type Proc struct {
	Name string
	Log  string

	cmd      *exec.Cmd
	done     chan struct{} // closed when it has ended
	expected bool          // we ended it
}

// Spawn starts a process that must run until Stop or Kill. A process of the same name goes on in
// the log of the one before.
func (t *T) Spawn(name, program string, args ...string) *Proc {
	p := &Proc{Name: name, Log: filepath.Join(t.Dir, name+".log"), done: make(chan struct{})}
	log, err := os.OpenFile(p.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	t.check(err)
	defer log.Close()
	p.cmd = exec.Command(program, args...)
	p.cmd.Stdout, p.cmd.Stderr = log, log
	p.cmd.Dir = t.Dir
	// Pdeathsig is for the day we are killed ourselves and cannot clean up.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	t.check(p.cmd.Start())
	t.procs = append(t.procs, p)
	go func() {
		_ = p.cmd.Wait() // how it ended stands in ProcessState
		close(p.done)
	}()
	return p
}

// Unexpected says that the process ended although nobody asked it to.
func (p *Proc) Unexpected() error {
	select {
	case <-p.done:
		if !p.expected {
			return fmt.Errorf("%s ended by itself: %v", p.Name, p.cmd.ProcessState)
		}
	default:
	}
	return nil
}

// Kill ends the process as a power cut would.
func (p *Proc) Kill() {
	p.expected = true
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL) // it may have ended already
	<-p.done
}

// Stop asks the process to end, as systemd would.
func (t *T) Stop(p *Proc) {
	p.expected = true
	t.check(p.cmd.Process.Signal(syscall.SIGTERM))
	select {
	case <-p.done:
	case <-time.After(20 * time.Second):
		t.Fatalf("%s did not end within 20 s of SIGTERM", p.Name)
	}
}

// Text is all the process has printed, those before it under the same name included.
func (p *Proc) Text() string {
	text, _ := os.ReadFile(p.Log) // no log is an empty log
	return string(text)
}

func (p *Proc) Tail(n int) []string {
	lines := strings.Split(strings.TrimSpace(p.Text()), "\n")
	return lines[max(0, len(lines)-n):]
}

// Exec runs a command to its end and returns what it printed. It fails the case if the command does.
func (t *T) Exec(program string, args ...string) string {
	out, err := t.TryExec(program, args...)
	if err != nil {
		t.Fatalf("%s %s: %v: %s", filepath.Base(program), strings.Join(args, " "), err, out)
	}
	return out
}

func (t *T) TryExec(program string, args ...string) (string, error) {
	cmd := exec.CommandContext(t.ctx, program, args...)
	cmd.Dir = t.Dir
	out, err := cmd.CombinedOutput()
	return string(bytes.TrimSpace(out)), err
}

var ports struct {
	sync.Mutex
	taken map[int]bool
}

// Port finds a free TCP port of 127.0.0.1. It stays below the ports the kernel gives to clients: a
// signer that dials such a port before the node listens can be connected to itself, and then the
// node cannot listen.
func (t *T) Port() int {
	ports.Lock()
	defer ports.Unlock()
	if ports.taken == nil {
		ports.taken = map[int]bool{}
	}
	for {
		port := 20000 + rand.IntN(12000)
		if ports.taken[port] {
			continue
		}
		ports.taken[port] = true
		if listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			t.check(listener.Close())
			return port
		}
	}
}

// Socket is an address for a unix socket of this case.
func (t *T) Socket(name string) string {
	path := filepath.Join(t.Dir, name+".sock")
	if len(path) > 107 {
		t.Fatalf("%s is too long for a socket; use a checkout nearer to the root", path)
	}
	return "unix://" + path
}
