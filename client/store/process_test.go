package store

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"
)

const (
	childEnv     = "STORE_TEST_CHILD" // mode ' ' number ' ' path
	childUpdates = 60
	killRounds   = 6
)

func TestMain(m *testing.M) {
	if v := os.Getenv(childEnv); v != "" {
		if err := child(strings.SplitN(v, " ", 3)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// child is the other process: it says on its standard output what has been
// committed.
func child(args []string) error {
	who, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	s, err := Open(args[2], secret, testOptions())
	if err != nil {
		return err
	}
	for n := uint64(1); args[0] == "forever" || n <= childUpdates; n++ {
		if err := s.Update(context.Background(), func(tx *Tx) error { return step(tx, byte(who)) }); err != nil {
			return err
		}
		if args[0] == "half" {
			return s.Update(context.Background(), func(tx *Tx) error {
				if err := step(tx, byte(who)); err != nil {
					return err
				}
				fmt.Println("half")
				select {} // until killed
			})
		}
		fmt.Println(n)
	}
	return s.Close()
}

// step is one state change over three tables that belong together: the shared
// counter, the particle state and a message that carry its value.
func step(tx *Tx, who byte) error {
	n, err := tx.NextCounter([]byte("shared"))
	if err != nil {
		return err
	}
	var id ID
	binary.BigEndian.PutUint64(id[:], n)
	id[15] = who
	if err := tx.SetParticle(testID(1), particleFor(n)); err != nil {
		return err
	}
	_, err = tx.AddMessage(Message{ID: id, Contact: testID(1), Text: strconv.FormatUint(n, 10)})
	return err
}

// particleFor is a value of several pages that shows when it is torn.
func particleFor(n uint64) []byte {
	return []byte(strings.Repeat(fmt.Sprintf("%08d", n), 1200))
}

// checkSteps is the oracle: every table shows the same number of whole steps,
// each of them once. It returns the number.
func checkSteps(tx *Tx) (uint64, error) {
	c, err := tx.Contact(testID(1))
	if err != nil {
		return 0, err
	}
	msgs, err := tx.MessagesAfter(testID(1), 0, 1<<30)
	if err != nil {
		return 0, err
	}
	for i, m := range msgs {
		if m.Text != strconv.Itoa(i+1) {
			return 0, fmt.Errorf("message %d says %q", i+1, m.Text)
		}
	}
	n := uint64(len(msgs))
	if n > 0 && string(c.Particle) != string(particleFor(n)) {
		return 0, fmt.Errorf("%d messages, but the particle state says %.8s", n, c.Particle)
	}
	return n, nil
}

func startChild(t *testing.T, mode string, who int, path string) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s %d %s", childEnv, mode, who, path))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, bufio.NewScanner(out)
}

func newSteppedStore(t *testing.T) *Store {
	s := newStore(t)
	update(t, s, func(tx *Tx) error { return addContact(tx, 1, "Blair") })
	return s
}

func TestProcessesWriteTogether(t *testing.T) {
	s := newSteppedStore(t)
	const others = 2
	exits := make(chan error, others)
	for who := 1; who <= others; who++ {
		cmd, out := startChild(t, "count", who, s.path)
		go func() {
			for out.Scan() {
			}
			exits <- cmd.Wait()
		}()
	}
	// This process reads whole states all the while, and writes too.
	reading, stop := context.WithCancel(t.Context())
	torn := make(chan error, 1)
	go func() {
		for gen, err := uint64(0), error(nil); ; {
			if gen, err = s.Changed(reading, gen); err == nil {
				err = s.View(reading, func(tx *Tx) error { _, err := checkSteps(tx); return err })
			}
			if err != nil {
				torn <- err
				return
			}
		}
	}()
	for range childUpdates {
		update(t, s, func(tx *Tx) error { return step(tx, 0) })
	}
	for range others {
		if err := <-exits; err != nil {
			t.Error("child:", err)
		}
	}
	stop()
	wantErr(t, <-torn, context.Canceled)
	view(t, s, func(tx *Tx) error {
		n, err := checkSteps(tx)
		if n != (others+1)*childUpdates {
			t.Errorf("%d steps, want %d", n, (others+1)*childUpdates)
		}
		return err
	})
	integrity(t, s)
}

func TestKilledProcessLosesNothingCommitted(t *testing.T) {
	s := newSteppedStore(t)
	rounds := killRounds
	if os.Getenv("COMMUNICATOR_SOAK") == "1" {
		rounds = 200
	}
	for round := range rounds {
		before := steps(t, s)
		if round%2 == 0 {
			// Every other time no other process has it open: the next one recovers.
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		}
		cmd, out := startChild(t, "forever", 1, s.path)
		acked := uint64(0)
		for until := 1 + rand.Uint64N(20); acked < until && out.Scan(); {
			acked, _ = strconv.ParseUint(out.Text(), 10, 64)
		}
		time.AfterFunc(time.Duration(rand.Int64N(int64(3*time.Millisecond))), func() { cmd.Process.Kill() })
		for out.Scan() { // what it still said before it died
			acked, _ = strconv.ParseUint(out.Text(), 10, 64)
		}
		cmd.Wait()
		if round%2 == 0 {
			again, err := Open(s.path, secret, testOptions())
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { again.Close() })
			s = again
		}
		if n := steps(t, s); n < before+acked || n > before+acked+1 {
			t.Fatalf("round %d: %d steps, of which %d before and %d acknowledged", round, n, before, acked)
		}
	}
	integrity(t, s)
}

func TestKilledInsideUpdateLeavesNothing(t *testing.T) {
	s := newSteppedStore(t)
	cmd, out := startChild(t, "half", 1, s.path)
	if !out.Scan() || out.Text() != "half" {
		t.Fatalf("child said %q", out.Text())
	}
	cmd.Process.Kill()
	cmd.Wait()
	if n := steps(t, s); n != 1 {
		t.Fatalf("%d steps, want the one that was committed", n)
	}
	update(t, s, func(tx *Tx) error { return step(tx, 0) }) // the lock died with it
	if n := steps(t, s); n != 2 {
		t.Fatalf("%d steps after going on", n)
	}
}

func steps(t *testing.T, s *Store) (n uint64) {
	t.Helper()
	view(t, s, func(tx *Tx) (err error) { n, err = checkSteps(tx); return err })
	return n
}

// integrity asks SQLite to check the whole file.
func integrity(t *testing.T, s *Store) {
	t.Helper()
	if err := s.Scrub(t.Context()); err != nil {
		t.Error(err)
	}
	view(t, s, func(tx *Tx) error {
		bad, err := list(tx, (*row).text, "PRAGMA integrity_check")
		if len(bad) != 1 || bad[0] != "ok" {
			err = errors.Join(err, fmt.Errorf("integrity: %q", bad))
		}
		return err
	})
}
