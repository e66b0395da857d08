package proof

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"testing"
	"time"

	"communicator/wire"
)

// samples are one statement of each change, unsigned, with who is to sign it.
func samples(t testing.TB, w world) map[Change]struct {
	s       Statement
	signers []string
} {
	t.Helper()
	st, _ := w.bound(t)
	rotated := mustApply(t, w, st, signed(t, st.Rotate(idDocNamed("alice 2"), Hash{}, at(time.Hour)), "alice", "alice 2", "attesting"), time.Hour)
	reset := mustApply(t, w, st, signed(t, st.Reset(idDocNamed("alice 2"), Hash{}, DefaultHold, at(time.Hour)), "alice 2", "attesting"), time.Hour)
	type sample = struct {
		s       Statement
		signers []string
	}
	return map[Change]sample{
		FirstBind:   {NewName(w.ns, "bob").FirstBind(idDocNamed("bob"), commitmentNamed("bob"), at(0)), []string{"bob", "attesting"}},
		Rotation:    {st.Rotate(idDocNamed("alice 2"), commitmentNamed("alice 2"), at(0)), []string{"alice 2", "alice", "attesting"}},
		Undo:        {rotated.UndoTo(rotated.Base, at(2*time.Hour)), []string{"alice", "attesting"}},
		HeldReset:   {st.Reset(idDocNamed("alice 2"), Hash{}, DefaultHold, at(0)), []string{"alice 2", "attesting"}},
		RootReset:   {st.RootReset(idDocNamed("alice 2"), Hash{}, roots("root 1", "root 2"), t0), []string{"alice 2", "root 1", "root 2"}},
		Release:     {st.Release(at(0)), []string{"alice", "attesting"}},
		HeldRelease: {st.HeldRelease(DefaultHold, at(0)), []string{"attesting"}},
		RootRelease: {st.RootRelease(roots("root 2", "root 3"), t0), []string{"root 2", "root 3"}},
		Delegating:  {NewName(w.ns, "sales").DelegateTo(NSID{9}, 0, at(0)), []string{"attesting"}},
		Vetoing:     {reset.VetoOf(0, t0.Add(2*time.Hour)), []string{"alice"}},
		Revoking:    {Revocation(w.ns, "alice", publicNamed("alice"), codeNamed("alice"), t0), []string{"alice"}},
	}
}

func mustApply(t testing.TB, w world, st NameState, s Statement, when time.Duration) NameState {
	t.Helper()
	next, err := Apply(st, s, w.m, t0.Add(when))
	if err != nil {
		t.Fatal(err)
	}
	return next
}

func TestEveryChangeRoundTrips(t *testing.T) {
	w := newWorld(t)
	all := samples(t, w)
	if len(all) != len(rules) {
		t.Fatalf("%d samples of %d changes", len(all), len(rules))
	}
	for want, sample := range all {
		s := sample.s
		if change, err := s.Change(); err != nil || change != want {
			t.Errorf("%v: is a %v, %v", want, change, err)
		}
		if n := len(s.Missing()); n != len(sample.signers) {
			t.Errorf("%v: %d signatures missing", want, n)
		}
		draft, err := s.MarshalDraft()
		if err != nil {
			t.Fatalf("%v: %v", want, err)
		}
		if _, err := ParseStatement(draft); !errors.Is(err, ErrSignature) {
			t.Errorf("%v: a draft passes for a statement: %v", want, err)
		}
		// Each signer gets the draft that the one before it handed on.
		for _, name := range sample.signers {
			if s, err = ParseDraft(draft); err != nil {
				t.Fatal(err)
			}
			if err = s.Verify(w.m); !errors.Is(err, ErrSignature) {
				t.Errorf("%v: verifies before %s has signed: %v", want, name, err)
			}
			s = signed(t, s, name)
			if draft, err = s.MarshalDraft(); err != nil {
				t.Fatal(err)
			}
		}
		b, err := s.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := ParseStatement(b)
		if err != nil {
			t.Fatalf("%v: %v", want, err)
		}
		if err := parsed.Verify(w.m); err != nil {
			t.Errorf("%v: %v", want, err)
		}
		if again, err := parsed.Marshal(); err != nil || !bytes.Equal(again, b) || parsed.Hash() != s.Hash() {
			t.Errorf("%v: encodes to other bytes: %v", want, err)
		}
		for i := range b {
			changed, err := ParseStatement(flip(b, i))
			if err == nil {
				err = changed.Verify(w.m)
			}
			if err == nil {
				t.Fatalf("%v: byte %d changed, and it verifies", want, i)
			}
		}
		if _, err := ParseStatement(append(bytes.Clone(b), 0)); !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("%v: trailing byte: %v", want, err)
		}
	}
}

// TestEveryOtherCombinationIsRefused goes over all kinds, signers and fields: only the
// rows of the table are statements.
func TestEveryOtherCombinationIsRefused(t *testing.T) {
	fits := 0
	for kind := Kind(0); kind < 8; kind++ {
		for signers := range signersKnown {
			for fields := range 1 << 5 {
				s := Statement{Kind: kind, Signers: signers, Issued: t0, NotBefore: t0}
				if fields&1 != 0 {
					s.Identity = Hash{1}
					if kind == Delegate {
						s.Identity, s.Delegate = Hash{}, NSID{1}
					}
				}
				if fields&2 != 0 {
					s.Key = Key{1}
				}
				if fields&4 != 0 {
					s.Replaced = Key{2}
				}
				if fields&8 != 0 {
					s.Revocation = [32]byte{1}
				}
				if fields&16 != 0 {
					s.NotBefore = t0.Add(DefaultHold)
				}
				n := 0
				for _, r := range rules {
					if r.fits(s) {
						n++
					}
				}
				if n > 1 {
					t.Errorf("kind %d, signers %b, fields %b mean %d things", kind, signers, fields, n)
				}
				if n == 1 {
					fits++
				} else if _, err := s.Change(); !errors.Is(err, ErrKind) {
					t.Errorf("kind %d, signers %b, fields %b: %v", kind, signers, fields, err)
				}
			}
		}
	}
	if fits != 18 {
		t.Errorf("%d combinations mean something", fits)
	}
	if _, err := (Statement{Kind: Bind, Signers: ByIdentity | ByAttesting, Key: Key{1}, Delegate: NSID{1}, Issued: t0, NotBefore: t0}).Change(); !errors.Is(err, ErrKind) {
		t.Errorf("a delegate in a bind: %v", err)
	}
}

func TestStatementRules(t *testing.T) {
	w := newWorld(t)
	all := samples(t, w)
	for what, test := range map[string]struct {
		of     Change
		change func(*Statement)
		want   error
	}{
		"a name in capitals":        {FirstBind, func(s *Statement) { s.Name = "Bob" }, ErrName},
		"no name":                   {FirstBind, func(s *Statement) { s.Name = "" }, ErrName},
		"version 0":                 {FirstBind, func(s *Statement) { s.Version = 0 }, wire.ErrMalformed},
		"a past without one":        {FirstBind, func(s *Statement) { s.Prev = Hash{1} }, wire.ErrMalformed},
		"no past where there is":    {Rotation, func(s *Statement) { s.Prev = Hash{} }, wire.ErrMalformed},
		"version 1 of a rotation":   {Rotation, func(s *Statement) { s.Version = 1 }, wire.ErrMalformed},
		"a version to a revocation": {Revoking, func(s *Statement) { s.Version = 1 }, wire.ErrMalformed},
		"in force before issued":    {FirstBind, func(s *Statement) { s.NotBefore = s.Issued.Add(-time.Second) }, wire.ErrMalformed},
		"a first bind that waits":   {FirstBind, func(s *Statement) { s.NotBefore = s.Issued.Add(DefaultHold) }, ErrKind},
		"a reset that does not":     {HeldReset, func(s *Statement) { s.NotBefore = s.Issued }, ErrKind},
		"a hold of a minute":        {HeldReset, func(s *Statement) { s.NotBefore = s.Issued.Add(time.Minute) }, wire.ErrMalformed},
		"a hold of a year":          {HeldReset, func(s *Statement) { s.NotBefore = s.Issued.AddDate(1, 0, 0) }, wire.ErrMalformed},
		"replaces itself":           {Rotation, func(s *Statement) { s.Key = s.Replaced }, ErrKind},
		"no attesting key":          {FirstBind, func(s *Statement) { s.Attesting = Key{} }, wire.ErrMalformed},
		"an attesting key besides":  {Vetoing, func(s *Statement) { s.Attesting = Key{1} }, wire.ErrMalformed},
		"no roots":                  {RootReset, func(s *Statement) { s.Roots = nil }, wire.ErrMalformed},
		"roots besides":             {Rotation, func(s *Statement) { s.Roots = []Key{{1}} }, wire.ErrMalformed},
		"roots out of order":        {RootReset, func(s *Statement) { s.Roots[0], s.Roots[1] = s.Roots[1], s.Roots[0] }, wire.ErrMalformed},
		"a root twice":              {RootRelease, func(s *Statement) { s.Roots[1] = s.Roots[0] }, wire.ErrMalformed},
		"half a second":             {FirstBind, func(s *Statement) { s.Issued = s.Issued.Add(time.Second / 2) }, wire.ErrMalformed},
	} {
		s := all[test.of].s
		s.Roots = append([]Key(nil), s.Roots...)
		test.change(&s)
		if _, err := s.MarshalDraft(); !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", what, err, test.want)
		}
		if _, err := s.Message(); err == nil {
			t.Errorf("%s: can be signed", what)
		}
	}
}

func TestWhoMaySign(t *testing.T) {
	w := newWorld(t)
	st, _ := w.bound(t)
	bind := func(attesting string) Statement {
		by := at(0)
		by.Attesting = publicNamed(attesting)
		return signed(t, NewName(w.ns, "bob").FirstBind(idDocNamed("bob"), Hash{}, by), "bob", attesting)
	}
	decide := func(names ...string) Statement {
		return signed(t, st.RootReset(idDocNamed("alice 2"), Hash{}, roots(names...), t0), append(names, "alice 2")...)
	}
	for what, test := range map[string]struct {
		s    Statement
		want error
	}{
		"the attesting key":    {bind("attesting"), nil},
		"a retired key":        {bind("retired"), ErrExpiredKey},
		"a stranger":           {bind("stranger"), ErrSigner},
		"a root that attests":  {bind("root 1"), ErrSigner},
		"two roots":            {decide("root 1", "root 3"), nil},
		"three roots":          {decide("root 1", "root 2", "root 3"), nil},
		"one root":             {decide("root 1"), ErrThreshold},
		"a root, one stranger": {decide("root 1", "stranger"), ErrSigner},
	} {
		if err := test.s.Verify(w.m); !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", what, err, test.want)
		}
	}
	early := at(-time.Hour - time.Second)
	if err := signed(t, NewName(w.ns, "bob").FirstBind(idDocNamed("bob"), Hash{}, early), "bob", "attesting").Verify(w.m); !errors.Is(err, ErrExpiredKey) {
		t.Errorf("before the attesting key was valid: %v", err)
	}
	s := NewName(w.ns, "bob").FirstBind(idDocNamed("bob"), Hash{}, at(0))
	if err := s.Sign(keyNamed("stranger")); !errors.Is(err, ErrSigner) {
		t.Errorf("a stranger signs: %v", err)
	}
	if err := s.AddSignature(publicNamed("bob"), Signature{1}); !errors.Is(err, ErrSignature) {
		t.Errorf("a bad signature is taken: %v", err)
	}
	message, err := s.Message()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.AddSignature(publicNamed("bob"), Signature(ed25519.Sign(keyNamed("bob"), message))); err != nil {
		t.Errorf("a signature made elsewhere: %v", err)
	}
	if missing := s.Missing(); len(missing) != 1 || missing[0] != publicNamed("attesting") {
		t.Errorf("missing: %x", missing)
	}
}

func TestFresh(t *testing.T) {
	w := newWorld(t)
	all := samples(t, w)
	s := all[FirstBind].s
	for offset, want := range map[time.Duration]error{
		0: nil, MaxSkew: nil, -MaxSkew: nil, MaxSkew + 1: ErrTime, -MaxSkew - 1: ErrTime,
	} {
		if err := s.Fresh(t0.Add(offset)); !errors.Is(err, want) {
			t.Errorf("%v: %v", offset, err)
		}
	}
	if err := all[Revoking].s.Fresh(t0.AddDate(5, 0, 0)); err != nil {
		t.Errorf("a revocation made in advance: %v", err)
	}
}

func TestVerifyStatementsKeepsTheOrder(t *testing.T) {
	w := newWorld(t)
	_, good := w.bound(t)
	bad := good
	bad.Signatures = append([]Signature(nil), good.Signatures...)
	bad.Signatures[1][5] ^= 1
	all := []Statement{good, bad, good, good, bad}
	for _, workers := range []int{0, 1, 2, 9} {
		for i, err := range VerifyStatements(w.m, workers, all...) {
			if want := i == 1 || i == 4; errors.Is(err, ErrSignature) != want {
				t.Errorf("%d workers, statement %d: %v", workers, i, err)
			}
		}
	}
	if errs := VerifyStatements(w.m, 2); len(errs) != 0 {
		t.Errorf("%v", errs)
	}
}

func TestIdDoc(t *testing.T) {
	d := idDocNamed("alice")
	if parsed, err := ParseIdDoc(d[:]); err != nil || parsed != d || parsed.Key() != publicNamed("alice") {
		t.Errorf("%v", err)
	}
	for what, test := range map[string]struct {
		b    []byte
		want error
	}{
		"nothing": {nil, wire.ErrMalformed}, "long": {append(bytes.Clone(d[:]), 0), wire.ErrMalformed},
		"another suite": {flip(d[:], 0), wire.ErrVersion}, "another key": {flip(d[:], 3), ErrSignature},
		"another X25519 key": {flip(d[:], 50), ErrSignature}, "another signature": {flip(d[:], 128), ErrSignature},
	} {
		if _, err := ParseIdDoc(test.b); !errors.Is(err, test.want) {
			t.Errorf("%s: %v", what, err)
		}
	}
}
