package relay

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"communicator/eventlog"
	"communicator/relay/receipt"
	"communicator/wire"
)

var update = flag.Bool("update", false, "write testdata/events.json; only for a new version of a layout")

// goldenEvent is an event of some version as it was once written, and the row that
// it made. Entries are added, never changed: a log keeps its events for ever.
type goldenEvent struct {
	Name    string `json:"name"`
	Kind    uint16 `json:"kind"`
	Version uint8  `json:"version"`
	Stream  string `json:"stream"`
	Key     string `json:"key"`
	Header  string `json:"header"`
	Body    string `json:"body"`
	Row     string `json:"row"`    // after the event, at seq 9; empty: deleted
	Erased  uint64 `json:"erased"` // the event whose body it erased
}

var goldenPath = filepath.Join("testdata", "events.json")

func goldenSubmission() receipt.SubmissionBody {
	return receipt.SubmissionBody{
		Account: wire.AccountID(bytes.Repeat([]byte{0xac}, 16)),
		URI:     "/ip4/8.8.8.8/tcp/4001/p2p/12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp",
		KeyID:   wire.KeyID(bytes.Repeat([]byte{0x1d}, 8)), Sealed: bytes.Repeat([]byte{0x5e}, wire.SealedSize),
		Payload: []byte("payload"), NotAfter: time.Unix(1_893_456_000, 0).UTC(), Jitter: 1500 * time.Millisecond,
	}
}

// currentEvents makes one of each kind with today's code.
func currentEvents(t *testing.T) map[string]eventlog.Event {
	h := wire.Handle(bytes.Repeat([]byte{7}, 32)).Hash()
	sub, err := submitted(h, goldenSubmission())
	if err != nil {
		t.Fatal(err)
	}
	s := settled{submitted: 5, notAfter: hourOf(goldenSubmission().NotAfter)}
	return map[string]eventlog.Event{
		"Submitted 1":           sub,
		"Forwarded 1":           forwarded(h, s, []byte("outcome")),
		"Abandoned 1":           abandoned(h, s),
		"OutcomeAcknowledged 1": dropped(KindOutcomeAcknowledged, h, 6),
		"OutcomeExpired 1":      dropped(KindOutcomeExpired, h, 6),
		"Refused 1":             refusedEvent(h, refused{s, wire.StatusMalformed}),
	}
}

func TestGoldenEvents(t *testing.T) {
	current := currentEvents(t)
	if *update {
		writeGolden(t, current)
	}
	b, err := os.ReadFile(goldenPath)
	if err != nil {
		t.Fatal(err)
	}
	var golden []goldenEvent
	if err := json.Unmarshal(b, &golden); err != nil {
		t.Fatal(err)
	}
	for _, g := range golden {
		// Written today the event has the same bytes...
		e, known := current[g.Name]
		if !known {
			t.Errorf("%s: no longer written", g.Name)
		} else if got := goldenOf(g.Name, e); got.Kind != g.Kind || got.Version != g.Version || got.Stream != g.Stream ||
			got.Key != g.Key || got.Header != g.Header || got.Body != g.Body {
			t.Errorf("%s is now written as %+v", g.Name, got)
		}
		delete(current, g.Name)
		// ...and read it makes the same row.
		w := apply(t, g)
		if hex.EncodeToString(w.row) != g.Row || w.erased != g.Erased {
			t.Errorf("%s: row %x, erased %d", g.Name, w.row, w.erased)
		}
	}
	for name := range current {
		t.Errorf("%s is not in %s", name, goldenPath)
	}
}

func goldenOf(name string, e eventlog.Event) goldenEvent {
	return goldenEvent{
		Name: name, Kind: uint16(e.Kind), Version: e.Version, Stream: hex.EncodeToString(e.Stream),
		Key: hex.EncodeToString(e.Key), Header: hex.EncodeToString(e.Header), Body: hex.EncodeToString(e.Body),
	}
}

func writeGolden(t *testing.T, current map[string]eventlog.Event) {
	var all []goldenEvent
	for _, name := range []string{"Submitted 1", "Forwarded 1", "Abandoned 1", "OutcomeAcknowledged 1", "OutcomeExpired 1", "Refused 1"} {
		g := goldenOf(name, current[name])
		w := apply(t, g)
		g.Row, g.Erased = hex.EncodeToString(w.row), w.erased
		all = append(all, g)
	}
	b, err := json.MarshalIndent(all, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(goldenPath, append(b, '\n'), 0o644); err != nil {
		t.Fatal(err)
	}
}

// oneRow is a table with at most one row.
type oneRow struct {
	row    []byte
	erased uint64
}

func (w *oneRow) Get([]byte) ([]byte, error)                           { return w.row, nil }
func (w *oneRow) Scan([]byte, []byte, func([]byte, []byte) bool) error { return nil }
func (w *oneRow) Set(_, v []byte) error                                { w.row = v; return nil }
func (w *oneRow) Delete([]byte) error                                  { w.row = nil; return nil }
func (w *oneRow) EraseBody(seq uint64) error                           { w.erased = seq; return nil }

func apply(t *testing.T, g goldenEvent) *oneRow {
	t.Helper()
	w := new(oneRow)
	if err := (projection{}).Apply(w, record(t, g), unhex(t, g.Body)); err != nil {
		t.Fatalf("%s: %v", g.Name, err)
	}
	return w
}

func record(t *testing.T, g goldenEvent) eventlog.Record {
	return eventlog.Record{
		Seq: 9, Kind: eventlog.Kind(g.Kind), Version: g.Version, Stream: unhex(t, g.Stream), Header: unhex(t, g.Header),
	}
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestApplyRefusesWhatItCannotRead(t *testing.T) {
	for name, e := range currentEvents(t) {
		good := eventlog.Record{Seq: 9, Kind: e.Kind, Version: e.Version, Stream: e.Stream, Header: e.Header}
		newer, short, long := good, good, good
		newer.Version++
		short.Stream = short.Stream[:31]
		long.Header = append(bytes.Clone(good.Header), 0)
		for what, r := range map[string]eventlog.Record{"a newer version": newer, "a short stream": short} {
			if err := (projection{}).Apply(new(oneRow), r, e.Body); err == nil {
				t.Errorf("%s: %s was applied", name, what)
			}
		}
		if len(good.Header) > 0 {
			if err := (projection{}).Apply(new(oneRow), long, e.Body); !errors.Is(err, wire.ErrMalformed) {
				t.Errorf("%s: a long header: %v", name, err)
			}
		}
	}
	other := eventlog.Record{Seq: 9, Kind: wire.KindsMailbox + 1, Version: 99}
	if err := (projection{}).Apply(new(oneRow), other, nil); err != nil {
		t.Errorf("another package's event: %v", err)
	}
}

// TestReplayWithoutBodies replays a settled submission whose body is gone.
func TestReplayWithoutBodies(t *testing.T) {
	events := currentEvents(t)
	live, replayed := new(oneRow), new(oneRow)
	for i, name := range []string{"Submitted 1", "Forwarded 1"} {
		e := events[name]
		r := eventlog.Record{Seq: uint64(5 + i), Kind: e.Kind, Version: e.Version, Stream: e.Stream, Header: e.Header}
		if err := (projection{}).Apply(live, r, e.Body); err != nil {
			t.Fatal(err)
		}
		if err := (projection{}).Apply(replayed, r, nil); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(live.row, replayed.row) || live.erased != 5 {
		t.Fatalf("row %x, replayed %x, erased %d", live.row, replayed.row, live.erased)
	}
}

// FuzzRow holds the row's parser to its encoder.
func FuzzRow(f *testing.F) {
	f.Add(row{state: stateForwarded, seq: 1, notAfter: 2}.marshal())
	f.Add(row{state: stateRefused, seq: 1, notAfter: 2, status: 4}.marshal())
	f.Add(row{state: stateQueued, seq: 1, notAfter: 2, jitterMS: 3, size: 4, uri: "/ip4/8.8.8.8/tcp/1"}.marshal())
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := parseRow(b)
		if err == nil && !bytes.Equal(r.marshal(), b) {
			t.Fatalf("%x encodes as %x", b, r.marshal())
		}
	})
}

// FuzzHeaders does the same for the events' headers.
func FuzzHeaders(f *testing.F) {
	f.Add(settled{1, 2}.marshal())
	f.Add(refused{settled{1, 2}, 4}.marshal())
	f.Fuzz(func(t *testing.T, b []byte) {
		if s, err := parseSettled(b); err == nil && !bytes.Equal(s.marshal(), b) {
			t.Fatalf("%x encodes as %x", b, s.marshal())
		}
		if r, err := parseRefused(b); err == nil && !bytes.Equal(r.marshal(), b) {
			t.Fatalf("%x encodes as %x", b, r.marshal())
		}
		if seq, err := parseDropped(b); err == nil {
			if got := dropped(KindOutcomeExpired, wire.HandleHash{}, seq).Header; !bytes.Equal(got, b) {
				t.Fatalf("%x encodes as %x", b, got)
			}
		}
	})
}
