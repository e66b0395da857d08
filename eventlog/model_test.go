package eventlog_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"communicator/eventlog"
	"communicator/eventlog/logtest"

	"pgregory.net/rapid"
)

// model is what a log with a ledger must behave like.
type model struct {
	now    time.Time
	bodies []string          // by sequence less 1; "\x00" once erased
	rows   map[string]uint64 // stream to the sequence of its put
	heads  map[string]string // stream to header
	keys   map[string]string // key to content
	seqs   map[string]uint64 // key to sequence
}

const erasedBody = "\x00"

func (m *model) apply(e eventlog.Event) {
	m.bodies = append(m.bodies, string(e.Body))
	if old, ok := m.rows[string(e.Stream)]; ok && m.bodies[old-1] != "" {
		m.bodies[old-1] = erasedBody
	}
	delete(m.rows, string(e.Stream))
	if e.Kind == logtest.Put {
		m.rows[string(e.Stream)] = uint64(len(m.bodies))
		m.heads[string(e.Stream)] = string(e.Header)
	}
}

func TestLogAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		memory := new(eventlog.Memory)
		m := &model{
			now: time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC), rows: map[string]uint64{}, heads: map[string]string{},
			keys: map[string]string{}, seqs: map[string]uint64{},
		}
		o := quiet()
		o.Memory = memory
		o.Now = func() time.Time { return m.now }
		open := func() eventlog.Log {
			log, err := eventlog.OpenMemory(o)
			if err != nil {
				t.Fatal(err)
			}
			return log
		}
		log := open()
		defer func() { _ = log.Close() }()
		stream := rapid.StringMatching(`[ab]{1,2}`)
		t.Repeat(map[string]func(*rapid.T){
			"append": func(t *rapid.T) {
				e := put(stream.Draw(t, "stream"), rapid.StringN(0, 3, 9).Draw(t, "header"), strings.Repeat("b", rapid.IntRange(0, 600).Draw(t, "body")))
				if rapid.Bool().Draw(t, "keyed") {
					e.Key = []byte(rapid.StringMatching(`[k-m]`).Draw(t, "key"))
				}
				m.append(t, log, e)
			},
			"drop": func(t *rapid.T) { m.append(t, log, drop(stream.Draw(t, "stream"))) },
			"advance": func(t *rapid.T) {
				m.now = m.now.Add(time.Duration(rapid.IntRange(-100, 300).Draw(t, "minutes")) * time.Minute)
			},
			"reopen": func(t *rapid.T) {
				if err := log.Close(); err != nil {
					t.Fatal(err)
				}
				log = open()
			},
			"rebuild": func(t *rapid.T) {
				if err := log.Rebuild(t.Context()); err != nil {
					t.Fatal(err)
				}
			},
			"": func(t *rapid.T) { m.compare(t, log) },
		})
		logtest.CheckLog(t, log, testPub, logtest.LedgerID)
	})
}

func (m *model) append(t *rapid.T, log eventlog.Log, e eventlog.Event) {
	a, err := log.Append(t.Context(), e)
	content := fmt.Sprintf("%d %q %q %q", e.Kind, e.Stream, e.Header, e.Body)
	known, used := m.keys[string(e.Key)]
	used = used && len(e.Key) > 0
	switch {
	case used && known != content:
		if !errors.Is(err, eventlog.ErrConflict) {
			t.Fatalf("other content under a known key: %v", err)
		}
	case err != nil:
		t.Fatalf("append: %v", err)
	case used:
		if !a[0].Duplicate || a[0].Seq != m.seqs[string(e.Key)] {
			t.Fatalf("the same content under a known key: %+v", a)
		}
	default:
		m.apply(e)
		if a[0].Seq != uint64(len(m.bodies)) || a[0].Duplicate {
			t.Fatalf("appended as %+v", a[0])
		}
		if len(e.Key) > 0 {
			m.keys[string(e.Key)], m.seqs[string(e.Key)] = content, a[0].Seq
		}
	}
}

func (m *model) compare(t *rapid.T, log eventlog.Log) {
	for i, want := range m.bodies {
		got, err := log.Body(uint64(i + 1))
		switch {
		case want == "" && !errors.Is(err, eventlog.ErrNoRecord),
			want == erasedBody && !errors.Is(err, eventlog.ErrErased),
			want != "" && want != erasedBody && (err != nil || string(got) != want):
			t.Fatalf("body %d is %d bytes, want %d: %v", i+1, len(got), len(want), err)
		}
	}
	rows := 0
	err := log.View(func(tables eventlog.Tables) error {
		return tables.Table(logtest.LedgerID).Scan(nil, nil, func(key, value []byte) bool {
			rows++
			if string(value[8:]) != m.heads[string(key)] || m.rows[string(key)] == 0 {
				t.Fatalf("row %q is %q", key, value)
			}
			return true
		})
	})
	if err != nil || rows != len(m.rows) {
		t.Fatalf("%d rows, want %d: %v", rows, len(m.rows), err)
	}
}
