package model

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"slices"
	"testing"
	"time"

	"communicator/simulations/scenario"
	"communicator/simulations/script"
	"communicator/simulations/trace"
)

// tape records what tests ask about, and a hash over every call.
type tape struct {
	hash     hash.Hash
	buf      []byte
	kinds    [16]int
	frames   bool
	frameN   int
	bytes    map[string]int64
	sent     map[uint32]time.Duration
	accepted map[uint32]time.Duration
	got      map[uint32]time.Duration
	ended    map[uint32]bool
	events   []trace.Event
	keep     bool
	last     time.Duration
	disorder int
	loads    []trace.Load
	lookups  []trace.Lookup
	seen     []trace.Frame
	on       func(trace.Event)
}

func newTape() *tape {
	return &tape{hash: sha256.New(), bytes: map[string]int64{}, sent: map[uint32]time.Duration{},
		accepted: map[uint32]time.Duration{}, got: map[uint32]time.Duration{}, ended: map[uint32]bool{}}
}

func (t *tape) write(kind byte, at time.Duration, values ...int64) {
	if at < t.last {
		t.disorder++
	}
	t.last = at
	t.buf = binary.BigEndian.AppendUint64(append(t.buf[:0], kind), uint64(at))
	for _, v := range values {
		t.buf = binary.BigEndian.AppendUint64(t.buf, uint64(v))
	}
	t.hash.Write(t.buf)
}

func truth(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

func (t *tape) Event(e trace.Event) {
	t.write(1, e.At, int64(e.Kind), int64(e.Message), int64(e.User), int64(e.Peer), int64(e.Agent), int64(e.Other), int64(e.Mailbox), int64(e.Size), int64(e.Took))
	t.kinds[e.Kind]++
	switch e.Kind {
	case trace.Sent:
		t.sent[e.Message] = e.At
	case trace.Accepted:
		t.accepted[e.Message] = e.At
	case trace.Received:
		if _, twice := t.got[e.Message]; twice {
			t.kinds[trace.Repeated]++
		}
		t.got[e.Message] = e.At
	case trace.Expired, trace.Failed:
		t.ended[e.Message] = true
	}
	if t.keep {
		t.events = append(t.events, e)
	}
	if t.on != nil {
		t.on(e)
	}
}

func (t *tape) Lookup(l trace.Lookup) {
	t.write(2, l.At, int64(l.Took), int64(l.Hops), truth(l.Found), truth(l.True))
	t.lookups = append(t.lookups, l)
}

func (t *tape) Load(l trace.Load) {
	t.write(3, l.At, int64(l.Agent), int64(l.Queued), int64(l.Held), l.Bytes, l.Events, int64(l.Conns))
	t.loads = append(t.loads, l)
}

func (t *tape) Frame(f trace.Frame) {
	t.write(4, f.At, int64(f.From), int64(f.To), int64(f.Size))
	t.frameN++
	if t.keep {
		t.seen = append(t.seen, f)
	}
}

func (t *tape) Frames() bool { return t.frames }

func (t *tape) Bytes(protocol string, n int64) {
	t.write(5, t.last, int64(len(protocol)), n)
	t.bytes[protocol] += n
}

// latencies of the messages that arrived, sorted.
func (t *tape) latencies() []time.Duration {
	var out []time.Duration
	for n, at := range t.got {
		out = append(out, at-t.sent[n])
	}
	slices.Sort(out)
	return out
}

func (t *tape) quantile(q float64) time.Duration {
	l := t.latencies()
	return l[min(len(l)-1, int(q*float64(len(l))))]
}

// over is the share of messages that took longer.
func (t *tape) over(d time.Duration) float64 {
	n := 0
	for _, l := range t.latencies() {
		if l > d {
			n++
		}
	}
	return float64(n) / float64(len(t.got))
}

func build(t testing.TB, yaml string, settings ...string) *script.Script {
	t.Helper()
	sc, err := scenario.Parse("test.yaml", []byte(yaml), settings...)
	if err != nil {
		t.Fatal(err)
	}
	s, err := script.Build(sc)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// play runs a scenario and checks what holds of every run.
func play(t testing.TB, s *script.Script) (*tape, trace.Outcome) {
	t.Helper()
	return playOn(t, s, newTape())
}

func playOn(t testing.TB, s *script.Script, rec *tape) (*tape, trace.Outcome) {
	t.Helper()
	o, err := Run(context.Background(), s, rec, trace.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if len(o.Broken) > 0 {
		t.Errorf("broken: %v", o.Broken)
	}
	if rec.disorder > 0 {
		t.Errorf("%d calls went back in time", rec.disorder)
	}
	if rec.kinds[trace.Repeated] > 0 {
		t.Errorf("%d messages shown twice", rec.kinds[trace.Repeated])
	}
	if o.Stopped == "" && o.Virtual != s.End() {
		t.Errorf("ended at %v, not at %v", o.Virtual, s.End())
	}
	return rec, o
}
