package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"communicator/client/lookup"
	"communicator/directory/proof"
)

// TestWhatIsHeldIsNotShownAsTheKey: a person who reads one line must not be misled.
func TestWhatIsHeldIsNotShownAsTheKey(t *testing.T) {
	res := lookup.Result{Full: "alice@club", Held: true}
	res.IdDoc[1], res.Settles = 1, time.Unix(1_790_000_000, 0)
	var out strings.Builder
	if err := printResult(&out, res, false); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "  NOT YET the key ") || strings.Contains(out.String(), "  key ") || !strings.Contains(out.String(), "in force from 2026-") {
		t.Errorf("%s", out.String())
	}
}

func TestWatchedShowsAResultOnlyIfThereIsOne(t *testing.T) {
	var out strings.Builder
	seen := lookup.Watched{Full: "alice@club", Changed: true, Logged: []uint32{2}, Warnings: []string{"what is new could not be looked up"}}
	if err := printWatched(&out, seen); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "version [2]") || strings.Contains(out.String(), "logged;") {
		t.Errorf("%s", out.String())
	}
}

func TestExitStatusOfWhatDoesNotHold(t *testing.T) {
	for _, err := range []error{proof.ErrSignature, proof.ErrInclusion, proof.ErrCheckpoint, lookup.ErrFrozen, lookup.ErrUncompared, lookup.ErrVetoed} {
		if got := statusOf(fmt.Errorf("alice: %w", err)); got != exitInvalid {
			t.Errorf("%v: status %d", err, got)
		}
	}
	for err, want := range map[error]int{lookup.ErrURI: exitUsage, proof.ErrName: exitUsage, lookup.ErrNotFound: exitNotFound, lookup.ErrUnreachable: exitFailed} {
		if got := statusOf(err); got != want {
			t.Errorf("%v: status %d, want %d", err, got, want)
		}
	}
}
