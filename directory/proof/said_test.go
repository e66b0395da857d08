package proof

import (
	"bytes"
	"encoding/hex"
	"errors"
	"slices"
	"testing"

	"communicator/wire"
)

// saidByAlice are a veto and a revocation of one key, in order.
func saidByAlice(t testing.TB) []Statement {
	t.Helper()
	w := newWorld(t)
	state := NewName(w.ns, "alice")
	veto := Statement{Kind: Veto, NS: w.ns, Name: "alice", Version: 2, Prev: Hash{2}, Issued: t0, NotBefore: t0,
		Key: publicNamed("alice"), Signers: ByIdentity}
	list := []Statement{signed(t, veto, "alice"), signed(t, Revocation(state.NS, "alice", publicNamed("alice"), codeNamed("alice"), t0), "alice")}
	slices.SortFunc(list, compareStatements)
	return list
}

// saidSamples are the encodings of one and of both.
func saidSamples(t testing.TB) (samples [][]byte) {
	t.Helper()
	list := saidByAlice(t)
	for _, l := range [][]Statement{list[:1], list} {
		b, err := MarshalSaid(l)
		if err != nil {
			t.Fatal(err)
		}
		samples = append(samples, b)
	}
	return samples
}

func TestSaid(t *testing.T) {
	w, list := newWorld(t), saidByAlice(t)
	slices.Reverse(list)
	b, err := MarshalSaid(list) // in whatever order
	if err != nil {
		t.Fatal(err)
	}
	back, err := ParseSaid(b)
	if err != nil || len(back) != 2 {
		t.Fatalf("%d, %v", len(back), err)
	}
	for _, s := range back {
		if err := s.Verify(w.m); err != nil {
			t.Error(err)
		}
	}
	_, bind := w.bound(t)
	other := signed(t, Revocation(w.ns, "alice", publicNamed("bob"), codeNamed("bob"), t0), "bob")
	for what, list := range map[string][]Statement{
		"nothing": nil, "a bind": {bind}, "of two keys": {list[0], other}, "twice": {list[0], list[0]},
	} {
		if _, err := MarshalSaid(list); !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := MarshalSaid(make([]Statement, MaxSaid+1)); !errors.Is(err, wire.ErrTooLarge) {
		t.Errorf("too many: %v", err)
	}
}

func TestSaidVectors(t *testing.T) {
	samples := saidSamples(t)
	one, both := samples[0], samples[1]
	swapped := slices.Concat(both[:1], both[len(one):], one[1:])
	var all []fileVector
	for name, b := range map[string][]byte{
		"one": one, "a veto and a revocation": both,
		"nothing": nil, "none": {0}, "nine": append([]byte{9}, bytes.Repeat(one[1:], 9)...),
		"twice": append([]byte{2}, bytes.Repeat(one[1:], 2)...), "out of order": swapped,
		"cut": both[:len(both)-1], "a byte more": append(bytes.Clone(both), 0), "fewer than it says": append([]byte{2}, one[1:]...),
		"more than it says": append([]byte{1}, both[1:]...), "a statement of 1025 bytes": append([]byte{1, 4, 1}, make([]byte, 1025)...),
	} {
		list, err := ParseSaid(b)
		if err == nil {
			if again, merr := MarshalSaid(list); merr != nil || !bytes.Equal(again, b) {
				t.Errorf("%s: encodes to %x, %v", name, again, merr)
			}
		}
		all = append(all, fileVector{name, hex.EncodeToString(b), named(t, err)})
	}
	sortVectors(all)
	vectors(t, "said.json", all)
}
