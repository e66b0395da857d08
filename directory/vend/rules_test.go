package vend

import (
	"testing"
	"time"

	"communicator/wire"
)

func TestRules(t *testing.T) {
	token := Token{7}
	worked := ask(1)
	worked.Zeros = 12
	shown := ask(1)
	shown.Token = token
	for name, c := range map[string]struct {
		rule    Rule
		token   TokenKind // made valid; 0 none
		ask     Ask
		granted bool
	}{
		"closed":                   {Closed, 0, worked, false},
		"open without work":        {Open, 0, ask(1), false},
		"open":                     {Open, 0, worked, true},
		"open with a token":        {Open, Contact, shown, false},
		"invited without token":    {Invited, 0, shown, false},
		"invited":                  {Invited, Contact, shown, true},
		"invited, as a member":     {Invited, Member, shown, false},
		"members without token":    {Members, 0, shown, false},
		"members":                  {Members, Member, shown, true},
		"members, with invitation": {Members, Contact, shown, false},
		"approved":                 {Approved, 0, worked, false},
	} {
		t.Run(name, func(t *testing.T) {
			d := newAliceWith(t, c.rule, "p")
			d.must(SetSpace{space, Space{Policy{Rule: Closed}, 12}})
			scope := map[TokenKind]Scope{Contact: OwnerScope(alice, holder), Member: SpaceScope(space)}[c.token]
			if c.token != 0 {
				d.must(Issue{c.token, scope, d.now.Add(24 * time.Hour), []Digest{TokenDigest(c.token, scope, token)}})
			}
			if out := d.do(c.ask); out.Granted() != c.granted {
				t.Errorf("granted: %v", out.Granted())
			}
		})
	}
}

func TestDefaultIsTheNamespaces(t *testing.T) {
	d := newAliceWith(t, Default, "p", "q")
	if d.do(ask(1)).Granted() {
		t.Error("granted without any rule")
	}
	d.must(SetSpace{space, Space{Policy{Open, 10}, 0}})
	worked := ask(1)
	worked.Zeros = 0
	if !d.do(worked).Granted() {
		t.Error("not granted by the namespace's rule")
	}
	d.rule(Closed, 0)
	worked.Request = RequestID{2}
	if d.do(worked).Granted() {
		t.Error("the name's own rule does not come first")
	}
}

// Whatever the reason, the answer and the reads before it are the same.
func TestRefusalsAreAlike(t *testing.T) {
	token := Token{9}
	prepare := map[string]func(d *desk) Ask{
		"no such name": func(*desk) Ask { a := ask(1); a.Name = NameID{0xee}; return a },
		"nobody's name": func(d *desk) Ask {
			d.rule(Open, 10)
			a := ask(1)
			a.Holder = Identity{}
			return a
		},
		"another holder": func(d *desk) Ask {
			d.rule(Open, 10)
			d.stock(d.pack(OneTime, "p", 48))
			a := ask(1)
			a.Holder, a.Zeros = Identity{0xbb}, 30
			return a
		},
		"closed":      func(d *desk) Ask { d.rule(Closed, 0); return ask(1) },
		"wrong token": func(d *desk) Ask { d.rule(Invited, 10); a := ask(1); a.Token = token; return a },
		"no work": func(d *desk) Ask {
			d.rule(Open, 10)
			d.must(SetSpace{space, Space{Policy{Rule: Closed}, 8}})
			d.stock(d.pack(OneTime, "p", 48))
			return ask(1)
		},
		"throttled": func(d *desk) Ask {
			d.rule(Open, 10)
			d.stock(d.pack(OneTime, "p", 48))
			a := ask(1)
			a.Zeros, a.Throttled = 30, true
			return a
		},
		"hour used up": func(d *desk) Ask {
			d.rule(Open, 1)
			d.stock(d.pack(OneTime, "p", 48), d.pack(OneTime, "q", 48))
			a := ask(1)
			a.Zeros = 30
			d.must(a)
			a.Request = RequestID{2}
			return a
		},
		"nothing in stock": func(d *desk) Ask { d.rule(Open, 10); a := ask(1); a.Zeros = 30; return a },
		"waits":            func(d *desk) Ask { d.rule(Approved, 10); a := ask(1); a.Zeros = 30; return a },
		"still waits": func(d *desk) Ask {
			d.rule(Approved, 10)
			a := ask(1)
			a.Zeros = 30
			d.do(a)
			return a
		},
		"declined": func(d *desk) Ask {
			d.rule(Approved, 10)
			a := ask(1)
			a.Zeros = 30
			d.do(a)
			d.must(Decide{alice, holder, false, []Digest{a.Request.Digest()}})
			return a
		},
		"pool full": func(d *desk) Ask {
			d.rule(Approved, 10)
			d.limits.Waiting = 0
			a := ask(1)
			a.Zeros = 30
			return a
		},
	}
	for name, p := range prepare {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t)
			a := p(d)
			d.rows.gets, d.rows.scans = 0, 0
			out, err := Step(d.now, d.rows, d.limits, a)
			if err != nil {
				t.Fatal(err)
			}
			if out.Status != wire.StatusPermission || out.Position != 0 {
				t.Errorf("status %v, position %d", out.Status, out.Position)
			}
			if d.rows.gets != 6 || d.rows.scans != 1 {
				t.Errorf("%d rows were read and %d scanned, not 6 and 1", d.rows.gets, d.rows.scans)
			}
		})
	}
}

func TestDrainedStockFallsBackAndSays(t *testing.T) {
	d := newAliceWith(t, Open, "one")
	a := func(id byte) Ask { a := ask(id); a.Zeros = 0; return a }
	first := d.do(a(1))
	if d.do(a(2)).Granted() {
		t.Fatal("granted from an empty stock")
	}
	last := d.stock(d.pack(LastResort, "shared", 24))
	second, third := d.do(a(2)), d.do(a(3))
	if !second.Granted() || second.Position != third.Position || second.Position == first.Position {
		t.Fatalf("positions %d, %d, %d", first.Position, second.Position, third.Position)
	}
	if len(last.Facts) != 1 {
		t.Errorf("%d facts", len(last.Facts))
	}
	st, err := Look(d.now, d.rows, alice, holder, d.limits)
	if err != nil || st.Drained != HourAt(d.now) || st.Shared != 2 || st.Live != 0 {
		t.Errorf("the owner sees %+v, %v", st, err)
	}
	d.stock(d.pack(OneTime, "two", 48))
	if st, _ := Look(d.now, d.rows, alice, holder, d.limits); st.Drained != 0 || st.Live != 1 {
		t.Errorf("after an upload the owner sees %+v", st)
	}
}

func TestRepeatGetsTheSame(t *testing.T) {
	d := newAliceWith(t, Open, "one", "two")
	a := ask(1)
	a.Zeros = 0
	first := d.do(a)
	d.rule(Closed, 0) // what was granted stays granted
	a.Zeros, a.Throttled = -1, true
	if again := d.do(a); again.Position != first.Position || len(again.Facts) != 0 {
		t.Errorf("position %d, then %d with %d facts", first.Position, again.Position, len(again.Facts))
	}
	d.now = d.now.Add(72 * time.Hour)
	d.must(Sweep{})
	if d.do(a).Granted() || !d.rows.erased[first.Position] {
		t.Error("a package that expired is still there")
	}
}

func TestTokenIsUsedOnce(t *testing.T) {
	d := newAliceWith(t, Invited, "one", "two")
	scope, token := OwnerScope(alice, holder), Token{5}
	d.must(Issue{Contact, scope, d.now.Add(time.Hour * 48), []Digest{TokenDigest(Contact, scope, token)}})
	a, b := ask(1), ask(2)
	a.Token, b.Token = token, token
	if !d.do(a).Granted() || d.do(b).Granted() || !d.do(a).Granted() {
		t.Error("one token, two packages; or none for the first again")
	}
}

func TestNewHolderBeginsAnew(t *testing.T) {
	d := newAliceWith(t, Open, "old one", "old two")
	a := ask(1)
	a.Zeros = 0
	if !d.do(a).Granted() {
		t.Fatal("not granted")
	}
	next := Identity{0xa2}
	a.Holder = next
	if d.do(a).Granted() {
		t.Error("a repeat gets the former holder's package")
	}
	a.Request = RequestID{2}
	if d.do(a).Granted() {
		t.Error("the former holder's stock is vended")
	}
	d.must(Add{alice, next, []Package{d.pack(OneTime, "new", 48)}})
	if d.do(a).Granted() {
		t.Error("the former holder's rule holds")
	}
	d.must(SetRule{alice, next, Policy{Open, 10}})
	if out := d.do(a); !out.Granted() {
		t.Error("the new holder's package is not vended")
	}
}

// Nobody knows what was vended after a backup: nothing of it is vended again.
func TestRestoredStockIsVoid(t *testing.T) {
	d := newAliceWith(t, Open, "one", "two")
	a := ask(1)
	if !d.do(a).Granted() {
		t.Fatal("not granted")
	}
	d.must(BeginEra{1})
	if out := d.must(BeginEra{1}); len(out.Facts) != 0 {
		t.Error("an era began twice")
	}
	for id := range byte(3) {
		a.Request = RequestID{id}
		if d.do(a).Granted() {
			t.Error("a package of before is vended")
		}
	}
	d.rule(Open, 10)
	d.stock(d.pack(OneTime, "three", 48))
	if !d.do(a).Granted() {
		t.Error("what was added since is not vended")
	}
}

func TestAddRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		p    func(d *desk) []Package
		want wire.Status
	}{
		"none":      {func(*desk) []Package { return nil }, wire.StatusTooLarge},
		"too many":  {func(d *desk) []Package { return make([]Package, MaxPackages+1) }, wire.StatusTooLarge},
		"empty":     {func(d *desk) []Package { return []Package{d.pack(OneTime, "", 48)} }, wire.StatusMalformed},
		"no kind":   {func(d *desk) []Package { return []Package{d.pack(3, "x", 48)} }, wire.StatusMalformed},
		"too large": {func(d *desk) []Package { return []Package{d.pack(OneTime, string(make([]byte, MaxPackage+1)), 48)} }, wire.StatusTooLarge},
		"expired":   {func(d *desk) []Package { return []Package{d.pack(OneTime, "x", 1)} }, wire.StatusExpired},
		"no room": {func(d *desk) []Package {
			return []Package{d.pack(OneTime, "x", 48), d.pack(OneTime, "y", 48)}
		}, wire.StatusTryAgain},
	} {
		t.Run(name, func(t *testing.T) {
			d := newAliceWith(t, Open, "one")
			d.limits.Stock = 2
			out := d.do(Add{alice, holder, c.p(d)})
			if out.Status != c.want || len(out.Facts) != 0 {
				t.Errorf("%v with %d facts", out.Status, len(out.Facts))
			}
		})
	}
	d := newAliceWith(t, Open, "one")
	if out := d.stock(d.pack(OneTime, "one", 48), d.pack(OneTime, "two", 48), d.pack(OneTime, "two", 48)); len(out.Facts) != 1 {
		t.Errorf("%d of one new package", len(out.Facts))
	}
}

func TestApproval(t *testing.T) {
	d := newAliceWith(t, Approved, "one")
	d.limits.Waiting = 2
	var requests []Digest
	for id := range byte(3) {
		a := ask(id + 1)
		a.Zeros, a.Note = 0, []byte{id}
		d.do(a)
		requests = append(requests, a.Request.Digest())
	}
	list, more, err := ListWaiting(d.rows, alice, 0, 10)
	if err != nil || more || len(list) != 2 || list[0].Request != requests[0] {
		t.Fatalf("%v waits, %v, %v", list, more, err)
	}
	if out := d.do(Decide{alice, holder, true, requests[:2]}); out.Status != wire.StatusTryAgain || len(out.Facts) != 0 {
		t.Fatalf("two approved with one package: %v", out.Status)
	}
	d.stock(d.pack(LastResort, "shared", 48))
	d.must(Decide{alice, holder, true, requests[:1]})
	d.must(Decide{alice, holder, false, requests[1:2]})
	for id, want := range []bool{true, false, false} {
		if got := d.do(ask(byte(id + 1))).Granted(); got != want {
			t.Errorf("request %d: granted %v", id+1, got)
		}
	}
	for _, w := range list {
		if !d.rows.erased[w.Position] {
			t.Error("the note of a request that was decided is kept")
		}
	}
}

func TestTokenBounds(t *testing.T) {
	d := newDesk(t)
	scope := SpaceScope(space)
	two := []Digest{{1}, {2}}
	for name, c := range map[string]struct {
		in   Input
		want wire.Status
	}{
		"none":            {Issue{Member, scope, d.now.Add(time.Hour), nil}, wire.StatusTooLarge},
		"too many":        {Issue{Member, scope, d.now.Add(time.Hour), make([]Digest, MaxTokens+1)}, wire.StatusTooLarge},
		"expired":         {Issue{Member, scope, d.now, two}, wire.StatusExpired},
		"for ever":        {Issue{Member, scope, d.now.Add(MaxTokenLife + time.Hour), two}, wire.StatusMalformed},
		"no kind":         {Issue{9, scope, d.now.Add(time.Hour), two}, wire.StatusMalformed},
		"revoke no kind":  {Revoke{9, scope, two}, wire.StatusMalformed},
		"revoke none":     {Revoke{Member, scope, nil}, wire.StatusTooLarge},
		"spend a nothing": {Spend{space, Token{}}, wire.StatusPermission},
	} {
		if out := d.do(c.in); out.Status != c.want || len(out.Facts) != 0 {
			t.Errorf("%s: %v with %d facts", name, out.Status, len(out.Facts))
		}
	}
	d.limits.Tokens = 2
	d.must(Issue{Member, scope, d.now.Add(2 * time.Hour), two})
	d.must(Issue{Member, scope, d.now.Add(2 * time.Hour), two})
	if out := d.do(Issue{Member, scope, d.now.Add(2 * time.Hour), []Digest{{3}}}); out.Status != wire.StatusTryAgain {
		t.Errorf("beyond the quota: %v", out.Status)
	}
	d.must(Revoke{Member, scope, []Digest{{1}, {9}}})
	d.must(Issue{Member, scope, d.now.Add(2 * time.Hour), []Digest{{3}}})
	d.now = d.now.Add(3 * time.Hour)
	d.must(Sweep{})
	if n := len(d.rows.rows); n != 0 {
		t.Errorf("%d rows are left of expired tokens", n)
	}
	token := Token{4}
	d.must(Issue{Registration, scope, d.now.Add(2 * time.Hour), []Digest{TokenDigest(Registration, scope, token)}})
	d.must(Spend{space, token})
	if out := d.do(Spend{space, token}); out.Status != wire.StatusPermission {
		t.Errorf("spent twice: %v", out.Status)
	}
	d.check()
}
