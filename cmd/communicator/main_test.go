package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"communicator/internal/agentproc"
	"communicator/internal/testenv"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"communicator": main})
}

// TestScripts plays the scripts in testdata: each a user's session, with the exit
// statuses and the words of every refusal.
func TestScripts(t *testing.T) { testscript.Run(t, scripts("testdata")) }

// TestNetworkScripts plays those that need a network of their own.
func TestNetworkScripts(t *testing.T) {
	if testenv.InNetwork(t, 5*time.Minute) {
		testscript.Run(t, scripts("testdata/netns"))
	}
}

// TestSimulateScripts plays those about simulations.
func TestSimulateScripts(t *testing.T) {
	testenv.Tool(t, "parallel")
	testscript.Run(t, scripts("testdata/simulate"))
}

func scripts(dir string) testscript.Params {
	return testscript.Params{
		Dir:                 dir,
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("COMMUNICATOR_PASSPHRASE", "a passphrase for tests")
			root, err := filepath.Abs("../..")
			if err != nil {
				return err
			}
			env.Setenv("ROOT", root)
			for i := range 3 {
				port, err := agentproc.FreePort()
				if err != nil {
					return err
				}
				env.Setenv(fmt.Sprintf("PORT%d", i+1), fmt.Sprint(port))
			}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"status":  scriptStatus,
			"until":   scriptUntil,
			"capture": scriptCapture,
			"waitfor": scriptWaitFor,
		},
	}
}

// scriptStatus runs a command and checks its exit status: status 2 communicator send.
func scriptStatus(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: status N PROGRAM [ARG…]")
	}
	err := ts.Exec(args[1], args[2:]...)
	got := "0"
	if err != nil {
		got = strings.TrimPrefix(err.Error(), "exit status ")
	}
	if got != args[0] {
		ts.Fatalf("exit status %s, want %s\nstdout:\n%sstderr:\n%s", got, args[0], ts.ReadFile("stdout"), ts.ReadFile("stderr"))
	}
}

// scriptUntil repeats a command until its output contains a text: until TEXT PROGRAM
// [ARG…].
func scriptUntil(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: until TEXT PROGRAM [ARG…]")
	}
	for deadline := time.Now().Add(30 * time.Second); ; {
		err := ts.Exec(args[1], args[2:]...)
		if err == nil && strings.Contains(ts.ReadFile("stdout"), args[0]) {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("%v never printed %q: %v\n%s", args[1:], args[0], err, ts.ReadFile("stdout"))
		}
	}
}

// scriptCapture puts the first line of a file, or of stdout, into a variable: capture
// NAME FILE.
func scriptCapture(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: capture NAME FILE")
	}
	line, _, _ := strings.Cut(ts.ReadFile(args[1]), "\n")
	ts.Setenv(args[0], line)
}

// scriptWaitFor waits until a file is there: waitfor FILE.
func scriptWaitFor(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: waitfor FILE")
	}
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for deadline := time.Now().Add(30 * time.Second); ; <-ticker.C {
		if _, err := os.Stat(ts.MkAbs(args[0])); err == nil {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("%s never appeared", args[0])
		}
	}
}

// TestInterruptEndsCleanly checks that a running command ends when its context does.
func TestInterruptEndsCleanly(t *testing.T) {
	dir := t.TempDir() + "/node"
	port, err := agentproc.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	listen := fmt.Sprintf("/ip4/127.0.0.1/tcp/%d", port)
	if status := run(t.Context(), []string{"node", "init", "--data", dir, "--listen", listen, "--allow-private", "--admin", ""}); status != 0 {
		t.Fatalf("init: exit status %d", status)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGUSR1)
	defer stop()
	done := make(chan int, 1)
	go func() { done <- run(ctx, []string{"node", "--data", dir}) }()
	if err := syscall.Kill(os.Getpid(), syscall.SIGUSR1); err != nil {
		t.Fatal(err)
	}
	if status := <-done; status != 0 {
		t.Fatalf("exit status %d", status)
	}
}
