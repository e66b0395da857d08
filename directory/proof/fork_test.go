package proof

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"communicator/internal/testenv"
	"communicator/wire"

	"golang.org/x/mod/sumdb/tlog"
)

// twoFaces are two logs that agree on their first 20 entries.
func twoFaces(t testing.TB) (a, b *tree) {
	t.Helper()
	a, b = &tree{}, &tree{}
	a.fill(t, 20, "shared")
	b.fill(t, 20, "shared")
	a.fill(t, 100, "a")
	b.fill(t, 100, "b")
	return a, b
}

func TestForksOfEverySize(t *testing.T) {
	w := newWorld(t)
	a, b := twoFaces(t)
	for n, sizes := range [][2]int64{{100, 100}, {50, 100}, {64, 100}, {32, 64}, {99, 100}, {21, 22}} {
		small := w.checkpoint(t, sizes[0], a.root(t, sizes[0]), 0, 1)
		large := w.checkpoint(t, sizes[1], b.root(t, sizes[1]), 1, 2)
		var prefix tlog.Hash
		var p tlog.TreeProof
		if sizes[0] < sizes[1] {
			var err error
			prefix = b.root(t, sizes[0])
			if p, err = tlog.ProveTree(sizes[1], sizes[0], b); err != nil {
				t.Fatal(err)
			}
		}
		f, err := NewFork(w.chain, large, small, prefix, p)
		if err != nil {
			t.Fatalf("%v: %v", sizes, err)
		}
		file, err := f.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := ParseFork(file)
		if err != nil {
			t.Fatal(err)
		}
		found, err := parsed.VerifyAlone()
		if err != nil || !found.Current || found.A.Size != sizes[0] || found.B.Size != sizes[1] {
			t.Errorf("%v, from the file alone: %+v, %v", sizes, found, err)
		}
		parsed.Manifests = nil
		if _, err := parsed.Verify(w.chain); err != nil {
			t.Errorf("%v, with manifests given: %v", sizes, err)
		}
		if _, err := parsed.VerifyAlone(); !errors.Is(err, ErrManifest) {
			t.Errorf("%v, without manifests: %v", sizes, err)
		}
		for i := n; i < len(file); i += testenv.Times(6, 1) { // six files: each place once
			changed, err := ParseFork(flip(file, i))
			if err == nil {
				_, err = changed.VerifyAlone()
			}
			if err == nil {
				t.Fatalf("%v: verifies with byte %d changed", sizes, i)
			}
		}
	}
}

func TestHonestLogsHaveNoForks(t *testing.T) {
	w := newWorld(t)
	a, b := twoFaces(t)
	note := func(tr *tree, size int64) []byte { return w.checkpoint(t, size, tr.root(t, size), 0, 1) }
	p, err := tlog.ProveTree(100, 50, a)
	if err != nil {
		t.Fatal(err)
	}
	stranger, err := SignCheckpoint(Checkpoint{NS: w.ns, Size: 100, Root: b.root(t, 100), Time: t0}, keyNamed("stranger"))
	if err != nil {
		t.Fatal(err)
	}
	for what, test := range map[string]struct {
		a, b   []byte
		prefix tlog.Hash
		p      tlog.TreeProof
		want   error
	}{
		"one checkpoint twice":         {note(a, 100), note(a, 100), tlog.Hash{}, nil, ErrNoFork},
		"a log that grew":              {note(a, 50), note(a, 100), a.root(t, 50), p, ErrNoFork},
		"a claim without proof":        {note(a, 50), note(b, 100), b.root(t, 50), nil, ErrNoFork},
		"the proof of another prefix":  {note(a, 50), note(a, 100), tlog.Hash{1}, p, ErrNoFork},
		"an older log with no entries": {note(&tree{}, 0), note(a, 100), tlog.Hash{1}, p, ErrNoFork},
		"another's signature":          {note(a, 100), stranger, tlog.Hash{}, nil, ErrUnverifiable},
		"no checkpoint":                {note(a, 100), []byte("nothing"), tlog.Hash{}, nil, ErrCheckpoint},
		"an endless proof":             {note(a, 50), note(b, 100), tlog.Hash{1}, make(tlog.TreeProof, MaxTreeProof+1), ErrNoFork},
	} {
		if _, err := NewFork(w.chain, test.a, test.b, test.prefix, test.p); !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", what, err, test.want)
		}
	}
}

func TestForkOfAReplacedKeyDoesNotFreeze(t *testing.T) {
	w := newWorld(t)
	a, b := twoFaces(t)
	next := w.m
	next.Issued, next.Log = t0, publicNamed("log 2")
	amendment, err := Amend(w.m, next, privates(rootNames)...)
	if err != nil {
		t.Fatal(err)
	}
	chain, err := w.chain.Extend(amendment)
	if err != nil {
		t.Fatal(err)
	}
	f, err := NewFork(chain, w.checkpoint(t, 100, a.root(t, 100)), w.checkpoint(t, 100, b.root(t, 100)), tlog.Hash{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if found, err := f.Verify(chain); err != nil || found.Current {
		t.Errorf("%+v, %v", found, err)
	}
	if found, err := f.Verify(w.chain); err != nil || !found.Current {
		t.Errorf("who does not know the newer manifest: %+v, %v", found, err)
	}
	if _, err := f.Verify(Chain{}); !errors.Is(err, ErrNamespace) {
		t.Errorf("no manifests: %v", err)
	}
	if _, err := ParseFork(make([]byte, MaxFork+1)); !errors.Is(err, wire.ErrTooLarge) {
		t.Errorf("%v", err)
	}
}

func signedRelation(t testing.TB, r Relation, names ...string) Relation {
	t.Helper()
	for _, name := range names {
		if err := r.Sign(keyNamed(name)); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

func TestRelations(t *testing.T) {
	a, b := idDocNamed("alice"), idDocNamed("alice 2")
	for what, r := range map[string]Relation{
		"succession":      signedRelation(t, Follows(a, b, t0), "alice", "alice 2"),
		"equivalence":     signedRelation(t, Equivalent(a, b, t0), "alice", "alice 2"),
		"the other order": signedRelation(t, Equivalent(b, a, t0), "alice", "alice 2"),
	} {
		file, err := r.Marshal()
		if err != nil || len(file) != MaxRelation {
			t.Fatalf("%s: %d bytes, %v", what, len(file), err)
		}
		parsed, err := ParseRelation(file)
		if err != nil || parsed != r || parsed.Verify() != nil {
			t.Errorf("%s: %v", what, err)
		}
		for i := range file {
			changed, err := ParseRelation(flip(file, i))
			if err == nil {
				err = changed.Verify()
			}
			if err == nil {
				t.Fatalf("%s: verifies with byte %d changed", what, i)
			}
		}
		if _, err := ParseRelation(file[1:]); err == nil {
			t.Errorf("%s: parsed without its first byte", what)
		}
		if _, err := ParseRelation(append(bytes.Clone(file), 0)); !errors.Is(err, wire.ErrTooLarge) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if !bytes.Equal(Equivalent(a, b, t0).body(), Equivalent(b, a, t0).body()) {
		t.Error("A is B, but B is not A")
	}
	if err := signedRelation(t, Follows(a, b, t0), "alice").Verify(); !errors.Is(err, ErrSignature) {
		t.Errorf("one signature: %v", err)
	}
	r := Follows(a, b, t0)
	if err := r.Sign(keyNamed("stranger")); !errors.Is(err, ErrSigner) {
		t.Errorf("a stranger: %v", err)
	}
	for what, r := range map[string]Relation{
		"follows itself":   Follows(a, a, t0),
		"half a second":    Follows(a, b, t0.Add(time.Second/2)),
		"an unknown kind":  {Kind: 3, A: PartyOf(a), B: PartyOf(b), Issued: t0},
		"the higher first": func() Relation { r := Equivalent(a, b, t0); r.A, r.B = r.B, r.A; return r }(),
	} {
		if _, err := r.Marshal(); err == nil {
			t.Errorf("%s: encoded", what)
		}
	}
}

func TestConflicts(t *testing.T) {
	a, b, c, d := idDocNamed("a"), idDocNamed("b"), idDocNamed("c"), idDocNamed("d")
	follows := func(older, newer IdDoc) Relation { return Follows(older, newer, t0) }
	named := func(known, now IdDoc) Named { return Named{PartyOf(known), PartyOf(now)} }
	for what, test := range map[string]struct {
		relations []Relation
		names     []Named
		want      []ConflictKind
	}{
		"nothing":                     {nil, nil, nil},
		"a line":                      {[]Relation{follows(a, b), follows(b, c)}, []Named{named(a, c), named(c, c)}, nil},
		"one told twice":              {[]Relation{follows(a, b), follows(a, b)}, nil, nil},
		"two successors":              {[]Relation{follows(a, b), follows(a, c)}, nil, []ConflictKind{TwoSuccessors}},
		"a circle":                    {[]Relation{follows(a, b), follows(b, a)}, nil, []ConflictKind{Circle, Circle}},
		"an equivalence":              {[]Relation{Equivalent(a, b, t0), Equivalent(a, c, t0)}, nil, nil},
		"renamed":                     {[]Relation{follows(a, b)}, []Named{named(a, d)}, []ConflictKind{Renamed}},
		"renamed back":                {[]Relation{follows(a, b)}, []Named{named(b, a)}, []ConflictKind{Renamed}},
		"an equivalence is no reason": {[]Relation{Equivalent(a, d, t0)}, []Named{named(a, d)}, []ConflictKind{Renamed}},
		"everything at once": {[]Relation{follows(a, b), follows(a, c), follows(c, a)}, []Named{named(b, d)},
			[]ConflictKind{TwoSuccessors, Circle, Circle, Renamed}},
	} {
		found := Conflicts(test.relations, test.names...)
		if len(found) != len(test.want) {
			t.Errorf("%s: %+v", what, found)
			continue
		}
		for i, c := range found {
			if c.Kind != test.want[i] || len(c.Claims) == 0 {
				t.Errorf("%s: %+v", what, c)
			}
		}
	}
	two := Conflicts([]Relation{follows(a, c), follows(a, b)})
	again := Conflicts([]Relation{follows(a, b), follows(a, c)})
	if len(two) != 1 || len(again) != 1 || two[0].Of != PartyOf(a) || two[0].Claims[0] != again[0].Claims[0] {
		t.Errorf("the order of the input shows: %+v, %+v", two, again)
	}
}
