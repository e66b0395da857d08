package proof

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"pgregory.net/rapid"

	"communicator/wire"
)

// TestRelationProperties: whatever two identities say of each other survives encoding,
// and nothing is left of it when one byte of it is another.
func TestRelationProperties(t *testing.T) {
	names := rapid.SampledFrom([]string{"a", "b", "c", "d"})
	rapid.Check(t, func(r *rapid.T) {
		one := names.Draw(r, "one")
		two := names.Filter(func(s string) bool { return s != one }).Draw(r, "two")
		issued := time.Unix(rapid.Int64Range(0, maxUnix).Draw(r, "issued"), 0).UTC()
		rel := Follows(idDocNamed(one), idDocNamed(two), issued)
		if rapid.Bool().Draw(r, "equivalent") {
			rel = Equivalent(idDocNamed(one), idDocNamed(two), issued)
		}
		if err := rel.Sign(keyNamed(one), keyNamed(two)); err != nil {
			r.Fatal(err)
		}
		b, err := rel.Marshal()
		if err != nil || len(b) != MaxRelation {
			r.Fatalf("%d bytes, %v", len(b), err)
		}
		back, err := ParseRelation(b)
		if err != nil || back != rel || back.Verify() != nil || back.ID() != rel.ID() {
			r.Fatalf("%+v, %v", back, err)
		}
		i, bit := rapid.IntRange(0, len(b)-1).Draw(r, "byte"), rapid.IntRange(0, 7).Draw(r, "bit")
		changed := bytes.Clone(b)
		changed[i] ^= 1 << bit
		if other, err := ParseRelation(changed); err == nil && other.Verify() == nil {
			r.Fatalf("verifies with bit %d of byte %d changed", bit, i)
		}
	})
}

func TestRelationSignaturesMadeElsewhere(t *testing.T) {
	r := Follows(idDocNamed("a"), idDocNamed("b"), t0)
	message, err := r.Message()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a", "b"} {
		if err := r.AddSignature(publicNamed(name), Signature(keySignBytes(name, message))); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := r.Verify(); err != nil {
		t.Error(err)
	}
	if err := r.AddSignature(publicNamed("c"), Signature(keySignBytes("c", message))); !errors.Is(err, ErrSigner) {
		t.Errorf("a stranger: %v", err)
	}
	if err := r.AddSignature(publicNamed("a"), Signature{1}); !errors.Is(err, ErrSignature) {
		t.Errorf("a forged one: %v", err)
	}
	if err := new(Relation).AddSignature(publicNamed("a"), Signature{1}); !errors.Is(err, wire.ErrVersion) {
		t.Errorf("of nothing: %v", err)
	}
	if !r.Names(PartyOf(idDocNamed("a"))) || r.Names(PartyOf(idDocNamed("c"))) {
		t.Error("whom it names")
	}
}
