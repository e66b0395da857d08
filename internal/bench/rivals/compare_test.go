package main

import (
	"context"
	"io"
	"strings"
	"testing"
	"time"
)

// stub is a side that reaches the given rates, one in each round.
func stub(name string, rates ...float64) side {
	return side{name: name, missing: func() string { return "" }, does: name, goals: map[int]float64{64: 2},
		measure: func(context.Context, options, int) (float64, error) {
			rate := rates[0]
			rates = rates[1:]
			return rate, nil
		}}
}

func TestRatiosAreTakenWithinRounds(t *testing.T) {
	defer func(o side, r []side) { ours, rivals = o, r }(ours, rivals)
	ours = stub(ours.name, 100, 1000, 300)
	absent := stub("absent")
	absent.missing = func() string { return "apt-get install absent" }
	rivals = []side{stub("other", 50, 250, 100), absent}
	r, err := compare(t.Context(), options{clients: []int{64}, rounds: 3, dir: t.TempDir(), duration: time.Second}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	got := r.Results[0]
	// The machine was ten times as fast in the second round: 2, 4 and 3 times, not 300
	// against 100 of whatever round.
	if got.Ratio["other"] != 3 || got.Median["ours"] != 300 || got.Goal["other"] != 2 {
		t.Errorf("%+v", got)
	}
	if r.Missing["absent"] == "" {
		t.Error("a rival that is not installed is not named")
	}
	var b strings.Builder
	if err := r.print(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"3.00 ×", "2 ×: reached", "apt-get install absent"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the table does not say %q:\n%s", want, b.String())
		}
	}
}

func TestLoopCountsWhatWasDone(t *testing.T) {
	busy := func(context.Context) error { time.Sleep(time.Millisecond); return nil }
	rate, err := loop(t.Context(), 500*time.Millisecond, []sendFunc{busy, busy})
	if err != nil || rate <= 0 || rate > 2000 {
		t.Errorf("%v messages a second, %v", rate, err)
	}
	if _, err := loop(t.Context(), time.Millisecond, []sendFunc{func(context.Context) error { return io.EOF }}); err == nil {
		t.Error("a failing client is not reported")
	}
}

func TestText(t *testing.T) {
	for _, size := range []int{2, 100, 1024, maxSize} {
		if got := text(size); len(got) != size || !strings.HasSuffix(string(got), "\r\n") {
			t.Errorf("text of %d bytes has %d", size, len(got))
		}
	}
}
