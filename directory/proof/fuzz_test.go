package proof

import (
	"bytes"
	"testing"

	"golang.org/x/mod/sumdb/tlog"
)

// What parses encodes back to the same bytes: no value has two spellings.
func roundTrip[T any](t *testing.T, b []byte, parse func([]byte) (T, error), encode func(T) ([]byte, error)) {
	t.Helper()
	value, err := parse(b)
	if err != nil {
		return
	}
	again, err := encode(value)
	if err != nil {
		t.Fatalf("%x parses, but does not encode: %v", b, err)
	}
	if !bytes.Equal(again, b) {
		t.Fatalf("%x encodes to %x", b, again)
	}
}

func FuzzParseStatement(f *testing.F) {
	w := newWorld(f)
	for _, sample := range samples(f, w) {
		b, err := signed(f, sample.s, sample.signers...).Marshal()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		roundTrip(t, b, ParseDraft, Statement.MarshalDraft)
		roundTrip(t, b, ParseStatement, Statement.Marshal)
	})
}

func FuzzParseManifest(f *testing.F) {
	w := newWorld(f)
	f.Add([]byte(w.chain.Signed()[0]))
	f.Fuzz(func(t *testing.T, b []byte) {
		// A fuzzer does not find signatures: the body's parser is what it tries.
		r := reader{s: b}
		m := readManifest(&r)
		if r.err != nil {
			return
		}
		if m.validate() == nil && !bytes.HasPrefix(b, m.body()) {
			t.Fatalf("%x encodes to %x", b, m.body())
		}
		if m, err := ParseManifest(b); err == nil && !m.reached(m.Roots) {
			t.Error("parsed below its threshold")
		}
	})
}

func FuzzParseNameState(f *testing.F) {
	w := newWorld(f)
	st, _ := w.bound(f)
	f.Add(st.Marshal())
	st = mustApply(f, w, st, signed(f, st.Rotate(idDocNamed("alice 2"), Hash{}, at(day)), "alice", "alice 2", "attesting"), day)
	f.Add(st.Marshal())
	f.Fuzz(func(t *testing.T, b []byte) {
		roundTrip(t, b, ParseNameState, func(st NameState) ([]byte, error) { return st.Marshal(), nil })
	})
}

func FuzzParseStaple(f *testing.F) {
	w := newWorld(f)
	_, s := w.bound(f)
	id := idDocNamed("alice")
	b, err := w.staple(f, s, &id, 3, 7).Marshal()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, changed []byte) {
		roundTrip(t, changed, ParseStaple, Staple.Marshal)
		st, err := ParseStaple(changed)
		if err != nil || bytes.Equal(changed, b) {
			return
		}
		if _, err := VerifyStaple(st, w.chain, "alice", secretNamed("alice"), t0); err == nil {
			t.Errorf("%x verifies", changed)
		}
	})
}

func FuzzParseFork(f *testing.F) {
	w := newWorld(f)
	a, b := twoFaces(f)
	fork, err := NewFork(w.chain, w.checkpoint(f, 100, a.root(f, 100)), w.checkpoint(f, 100, b.root(f, 100)), tlog.Hash{}, nil)
	if err != nil {
		f.Fatal(err)
	}
	file, err := fork.Marshal()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(file)
	f.Fuzz(func(t *testing.T, b []byte) { roundTrip(t, b, ParseFork, Fork.Marshal) })
}

func FuzzParseSaid(f *testing.F) {
	for _, v := range saidSamples(f) {
		f.Add(v)
	}
	f.Fuzz(func(t *testing.T, b []byte) { roundTrip(t, b, ParseSaid, MarshalSaid) })
}

func FuzzParseRelation(f *testing.F) {
	b, err := signedRelation(f, Follows(idDocNamed("a"), idDocNamed("b"), t0), "a", "b").Marshal()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) { roundTrip(t, b, ParseRelation, Relation.Marshal) })
}

func FuzzParseIdDoc(f *testing.F) {
	d := idDocNamed("alice")
	f.Add(d[:])
	f.Fuzz(func(t *testing.T, b []byte) {
		roundTrip(t, b, ParseIdDoc, func(d IdDoc) ([]byte, error) { return d[:], nil })
	})
}

func FuzzOpenCheckpoint(f *testing.F) {
	w := newWorld(f)
	note := w.checkpoint(f, 100, tlog.Hash{1}, 0, 1)
	f.Add(note)
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, err := OpenCheckpoint(b, w.ns, w.m); err == nil && !bytes.Equal(b, note) {
			t.Errorf("%q opens", b)
		}
		if c, err := parseCheckpoint(string(b)); err == nil && c.text() != string(b) {
			t.Errorf("%q encodes to %q", b, c.text())
		}
	})
}

func FuzzParseNames(f *testing.F) {
	f.Add("alice@sales@example")
	f.Add(NSID{1}.String())
	f.Fuzz(func(t *testing.T, s string) {
		if full, err := ParseFullName(s); err == nil {
			if again, err := ParseFullName(full.String()); err != nil || again.String() != full.String() {
				t.Errorf("%q: %v", full.String(), err)
			}
		}
		if ns, err := ParseNSID(s); err == nil && ns.String() != s {
			t.Errorf("%q is %q", s, ns)
		}
		if name, err := ParseName(s); err == nil && !name.canonical() {
			t.Errorf("%q is not its own spelling", name)
		}
	})
}
