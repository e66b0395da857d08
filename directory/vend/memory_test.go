package vend

import (
	"bytes"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"communicator/wire"
)

// memory is a table in memory that counts its reads.
type memory struct {
	rows   map[string][]byte
	erased map[uint64]bool
	gets   int
	scans  int
}

func newMemory() *memory { return &memory{rows: map[string][]byte{}, erased: map[uint64]bool{}} }

func (m *memory) Get(key []byte) ([]byte, error) {
	m.gets++
	return m.rows[string(key)], nil
}

func (m *memory) Scan(prefix, start []byte, fn func(k, v []byte) bool) error {
	m.scans++
	for _, k := range slices.Sorted(maps.Keys(m.rows)) {
		if strings.HasPrefix(k, string(prefix)) && k >= string(start) && !fn([]byte(k), m.rows[k]) {
			return nil
		}
	}
	return nil
}

func (m *memory) Set(key, value []byte) error {
	m.rows[string(key)] = bytes.Clone(append([]byte{}, value...))
	return nil
}

func (m *memory) Delete(key []byte) error {
	delete(m.rows, string(key))
	return nil
}

func (m *memory) EraseBody(position uint64) error {
	m.erased[position] = true
	return nil
}

func (m *memory) count(prefix []byte) (n int) {
	for k := range m.rows {
		if strings.HasPrefix(k, string(prefix)) {
			n++
		}
	}
	return n
}

// desk is a directory without network or log: steps, and facts folded at once.
type desk struct {
	t        fatal
	rows     *memory
	now      time.Time
	limits   Limits
	facts    []applied
	position uint64
}

type fatal interface {
	Helper()
	Fatalf(string, ...any)
}

// applied is a fact as a log would keep it.
type applied struct {
	position       uint64
	at             time.Time
	kind           uint16
	stream, header []byte
}

func newDesk(t fatal) *desk {
	return &desk{t: t, rows: newMemory(), now: time.Unix(1_764_000_000, 0), limits: DefaultLimits()}
}

// do steps, and applies what that decided as a log would: the time cut to minutes, each
// fact through its encoding.
func (d *desk) do(in Input) Effects {
	d.t.Helper()
	out, err := Step(d.now, d.rows, d.limits, in)
	if err != nil {
		d.t.Fatalf("%T: %v", in, err)
	}
	for _, f := range out.Facts {
		d.position++
		a := applied{d.position, d.now.Truncate(time.Minute), f.Kind(), f.Stream(), f.Header()}
		d.facts = append(d.facts, a)
		d.apply(d.rows, a)
	}
	return out
}

func (d *desk) apply(into *memory, a applied) {
	d.t.Helper()
	f, err := ParseFact(a.kind, Version, a.stream, a.header)
	if err != nil {
		d.t.Fatalf("fact %#x: %v", a.kind, err)
	}
	if !bytes.Equal(f.Header(), a.header) || !bytes.Equal(f.Stream(), a.stream) {
		d.t.Fatalf("fact %#x encodes to other bytes", a.kind)
	}
	if err := Apply(into, a.position, a.at, f); err != nil {
		d.t.Fatalf("fact %#x: %v", a.kind, err)
	}
}

// must does what has to be allowed.
func (d *desk) must(in Input) Effects {
	d.t.Helper()
	out := d.do(in)
	if out.Status != wire.StatusOK {
		d.t.Fatalf("%T: %v", in, out.Status)
	}
	return out
}

// check compares counters with rows, and replays everything into a fresh table.
func (d *desk) check(names ...NameID) {
	d.t.Helper()
	for _, id := range names {
		n, err := loadName(d.rows, id)
		if err != nil {
			d.t.Fatalf("name: %v", err)
		}
		if n == nil {
			continue
		}
		if got := d.rows.count(stockPrefix(id, n.Generation)); got != int(n.Stock) {
			d.t.Fatalf("%d packages are counted, %d stored", n.Stock, got)
		}
		free, err := someStocked(d.rows, id, *n, HourAt(d.now), int(n.Stock))
		all := *n
		all.from = stocked{}
		every, err2 := someStocked(d.rows, id, all, HourAt(d.now), int(n.Stock))
		if err != nil || err2 != nil || !slices.Equal(free, every) {
			d.t.Fatalf("%v are found, and %v are there", free, every)
		}
		if got := d.rows.count(key(rowWaiting, id[:])); got != int(n.Waiting) {
			d.t.Fatalf("%d requests are counted, %d wait", n.Waiting, got)
		}
	}
	again := newMemory()
	for _, a := range d.facts {
		d.apply(again, a)
	}
	if !maps.EqualFunc(again.rows, d.rows.rows, bytes.Equal) {
		d.t.Fatalf("replaying gives other rows")
	}
}

var (
	space  = SpaceID{1}
	alice  = NameIDOf(space, "alice")
	holder = Identity{0xa1}
)

// pack is a package that expires so many hours from now.
func (d *desk) pack(kind PackageKind, content string, hours int) Package {
	return Package{Kind: kind, Expires: d.now.Add(time.Duration(hours) * time.Hour), Bytes: []byte(content)}
}

func (d *desk) stock(packages ...Package) Effects {
	d.t.Helper()
	return d.must(Add{Name: alice, Holder: holder, Packages: packages})
}

func (d *desk) rule(r Rule, perHour uint32) {
	d.t.Helper()
	d.must(SetRule{Name: alice, Holder: holder, Policy: Policy{r, perHour}})
}

func ask(id byte) Ask {
	return Ask{Space: space, Name: alice, Holder: holder, Request: RequestID{id}, Zeros: -1}
}

func newAliceWith(t *testing.T, r Rule, packages ...string) *desk {
	t.Helper()
	d := newDesk(t)
	if r != Default {
		d.rule(r, 100)
	}
	for _, p := range packages {
		d.stock(d.pack(OneTime, p, 48))
	}
	t.Cleanup(func() { d.check(alice) })
	return d
}
