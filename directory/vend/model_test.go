package vend

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"communicator/wire"
)

// TestVendsOnce lets owners, askers and time act at random, and checks after each step
// what must hold whatever happens.
func TestVendsOnce(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		d := newDesk(r)
		d.limits.Stock, d.limits.Waiting = 6, 3
		m := &market{desk: d, r: r, oneTime: map[uint64]Digest{}, granted: map[Digest]grant{}, kinds: map[uint64]PackageKind{}}
		for range rapid.IntRange(1, 60).Draw(r, "steps") {
			m.act()
			d.check(alice)
		}
	})
}

type market struct {
	*desk
	r       *rapid.T
	made    int
	holder  byte
	era     uint32
	oneTime map[uint64]Digest // to whom each one-time package went
	granted map[Digest]grant
	kinds   map[uint64]PackageKind
}

// grant is what a request got, and from whom.
type grant struct {
	position uint64
	holder   byte
	era      uint32
	until    Hour
}

func (m *market) who() Identity { return Identity{0xa0 + m.holder} }

func (m *market) act() {
	pick := func(n int, what string) int { return rapid.IntRange(0, n-1).Draw(m.r, what) }
	switch pick(12, "step") {
	case 0, 1:
		m.upload(PackageKind(1+pick(2, "kind")), 1+pick(100, "hours"))
	case 2:
		rule := Rule(pick(6, "rule"))
		per := uint32(1 + pick(4, "per hour"))
		if rule == Default || rule == Closed {
			per = 0
		}
		m.must(SetRule{alice, m.who(), Policy{rule, per}})
	case 3:
		m.must(SetSpace{space, Space{Policy{Open, 3}, uint8(pick(3, "bits"))}})
	case 4:
		m.now = m.now.Add(time.Duration(pick(40, "hours")) * time.Hour)
	case 5:
		m.must(Sweep{})
	case 6:
		switch pick(6, "replace") {
		case 0:
			m.holder++
		case 1:
			m.era++
			m.must(BeginEra{m.era})
		}
	case 7:
		m.decide(pick(2, "approve") == 0, byte(pick(8, "request")))
	case 8:
		kind := TokenKind(2 + pick(2, "kind"))
		m.must(Issue{kind, m.scope(kind), m.now.Add(30 * time.Hour), []Digest{TokenDigest(kind, m.scope(kind), Token{byte(pick(3, "token"))})}})
	default:
		a := ask(byte(pick(8, "request")))
		a.Holder, a.Zeros, a.Token = m.who(), pick(5, "zeros")-1, Token{byte(pick(4, "token"))}
		a.Throttled = pick(10, "throttled") == 0
		m.asked(a)
	}
}

func (m *market) scope(k TokenKind) Scope {
	if k == Contact {
		return OwnerScope(alice, m.who())
	}
	return SpaceScope(space)
}

func (m *market) upload(kind PackageKind, hours int) {
	m.made++
	out := m.do(Add{alice, m.who(), []Package{m.pack(kind, fmt.Sprint("package ", m.made), hours)}})
	for i, f := range out.Facts {
		if f, ok := f.(PackageAdded); ok {
			m.kinds[m.position-uint64(len(out.Facts)-1-i)] = f.Package
		}
	}
}

func (m *market) decide(approve bool, id byte) {
	out := m.do(Decide{alice, m.who(), approve, []Digest{RequestID{id}.Digest()}})
	for _, f := range out.Facts {
		if v, ok := f.(PackageVended); ok {
			m.vended(v)
		}
	}
}

func (m *market) asked(a Ask) {
	before, known := m.granted[a.Request.Digest()]
	out := m.do(a)
	for _, f := range out.Facts {
		if v, ok := f.(PackageVended); ok {
			m.vended(v)
		}
	}
	if !out.Granted() {
		if out.Status != wire.StatusPermission {
			m.r.Fatalf("refused with %v", out.Status)
		}
		if known && before.holder == m.holder && before.era == m.era && before.until > HourAt(m.now) {
			m.r.Fatalf("what was granted before is refused")
		}
		return
	}
	now := m.granted[a.Request.Digest()]
	if now.position != out.Position {
		m.r.Fatalf("package %d was answered, %d vended", out.Position, now.position)
	}
	if m.rows.erased[out.Position] {
		m.r.Fatalf("a package that is erased was granted")
	}
	if known && before.holder == m.holder && before.era == m.era && before.until > HourAt(m.now) && before.position != out.Position {
		m.r.Fatalf("a repeat got another package")
	}
}

// vended notes a package, and fails if it went to somebody before.
func (m *market) vended(v PackageVended) {
	if m.kinds[v.Position] != v.Package {
		m.r.Fatalf("package %d is of kind %d, vended as %d", v.Position, m.kinds[v.Position], v.Package)
	}
	if v.Expires < HourAt(m.now)+minLeft {
		m.r.Fatalf("vended with no time left")
	}
	if to, before := m.oneTime[v.Position]; before && v.Package == OneTime {
		m.r.Fatalf("package %d was vended to %x and to %x", v.Position, to, v.Request)
	}
	if v.Package == OneTime {
		m.oneTime[v.Position] = v.Request
	}
	m.granted[v.Request] = grant{v.Position, m.holder, m.era, v.Expires}
}

// TestRateHolds: no more grants in an hour than the rule says, whoever asks.
func TestRateHolds(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		d := newDesk(r)
		per := uint32(rapid.IntRange(1, 5).Draw(r, "per hour"))
		d.must(SetRule{alice, holder, Policy{Open, per}})
		d.must(Add{alice, holder, []Package{d.pack(LastResort, "shared", 700)}})
		hours := map[Hour]uint32{}
		for i := range rapid.IntRange(1, 60).Draw(r, "asks") {
			d.now = d.now.Add(time.Duration(rapid.IntRange(0, 30).Draw(r, "minutes")) * time.Minute)
			a := ask(byte(i))
			a.Zeros = 0
			if d.do(a).Granted() {
				hours[HourAt(d.now)]++
			}
		}
		for h, n := range hours {
			if n > per {
				r.Fatalf("%d in the hour %d, not %d", n, h, per)
			}
		}
	})
}

func FuzzParseFact(f *testing.F) {
	for _, fact := range []Fact{
		SpaceSet{space, Space{Policy{Open, 3}, 7}}, RuleSet{alice, Policy{Members, 9}},
		PackageAdded{Name: alice, Package: OneTime, Expires: 5, Digest: Digest{1}},
		PackageVended{Name: alice, Package: LastResort, Position: 4, Request: Digest{2}},
		StockVoided{alice, holder}, ContactAsked{Name: alice, Forget: 3}, ContactDeclined{alice, Digest{4}},
		TokensIssued{Member, SpaceScope(space), 9, []Digest{{1}, {2}}}, TokensRevoked{Contact, Scope{3}, []Digest{{1}}},
		TokenSpent{Registration, SpaceScope(space), Digest{8}}, Forgotten{7, 128}, EraBegun{1},
	} {
		f.Add(fact.Kind(), fact.Stream(), fact.Header())
	}
	f.Fuzz(func(t *testing.T, kind uint16, stream, header []byte) {
		fact, err := ParseFact(kind, Version, stream, header)
		if err != nil {
			return
		}
		if fact.Kind() != kind || string(fact.Stream()) != string(stream) || string(fact.Header()) != string(header) {
			t.Fatalf("%T encodes to other bytes", fact)
		}
	})
}

func FuzzRows(f *testing.F) {
	f.Add(Space{Policy{Open, 3}, 7}.Marshal())
	f.Add(Name{Identity: holder, Policy: Policy{Invited, 3}}.Marshal())
	f.Add(Name{Identity: holder, from: stocked{4, 5}}.Marshal())
	f.Add(requestRow{stateVended, 1, 2, 3}.marshal())
	f.Add(packageRow{OneTime, 1, alice, Digest{3}}.marshal())
	f.Fuzz(func(t *testing.T, row []byte) {
		if v, err := ParseSpace(row); err == nil && string(v.Marshal()) != string(row) {
			t.Error("space")
		}
		if v, err := ParseName(row); err == nil && string(v.Marshal()) != string(row) {
			t.Error("name")
		}
		if v, err := parseRequest(row); err == nil && string(v.marshal()) != string(row) {
			t.Error("request")
		}
		if v, err := parsePackage(row); err == nil && string(v.marshal()) != string(row) {
			t.Error("package")
		}
	})
}
