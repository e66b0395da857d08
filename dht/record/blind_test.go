package record

import (
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"testing"

	"filippo.io/edwards25519"
)

// TestZoneKeysOutsideTheSubgroup: points whose small-order part would survive blinding.
func TestZoneKeysOutsideTheSubgroup(t *testing.T) {
	order8 := "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"
	torsion, err := new(edwards25519.Point).SetBytes(unhex(t, order8))
	if err != nil {
		t.Fatal(err)
	}
	honest, err := new(edwards25519.Point).SetBytes(public(zone))
	if err != nil {
		t.Fatal(err)
	}
	bad := map[string][]byte{
		"identity":                unhex(t, "0100000000000000000000000000000000000000000000000000000000000000"),
		"identity, non-canonical": unhex(t, "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
		"order 2":                 unhex(t, "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
		"order 4":                 unhex(t, "0000000000000000000000000000000000000000000000000000000000000000"),
		"order 8":                 unhex(t, order8),
		"not a point":             unhex(t, "0200000000000000000000000000000000000000000000000000000000000000"),
		"short":                   public(zone)[:31],
	}
	point := new(edwards25519.Point).Set(honest)
	for _, name := range []string{"plus order 8", "plus order 4", "plus order 8, thrice", "plus order 2"} {
		bad[name] = point.Add(point, torsion).Bytes()
	}
	for name, key := range bad {
		if err := CheckZoneKey(key); !errors.Is(err, ErrZoneKey) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := Blind(key, alice, epoch); !errors.Is(err, ErrZoneKey) {
			t.Errorf("%s is blinded: %v", name, err)
		}
	}
	if err := CheckZoneKey(public(zone)); err != nil {
		t.Errorf("an honest key: %v", err)
	}
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestBlindKeysOfBothHalvesAgreeAndDiffer(t *testing.T) {
	seen := map[BlindKey]string{}
	for _, zoneSeed := range []byte{1, 50} {
		z := ed25519.NewKeyFromSeed(pattern(zoneSeed, 32))
		for _, s := range []NameSecret{alice, NameSecret(pattern(80, 32))} {
			for e := epoch; e < epoch+4; e++ {
				signer, err := blindPrivate(z, s, e)
				if err != nil {
					t.Fatal(err)
				}
				fromPublic, err := Blind(public(z), s, e)
				if err != nil || fromPublic != signer.public {
					t.Fatalf("the two halves blind differently: %v", err)
				}
				if _, twice := seen[fromPublic]; twice {
					t.Error("two names, zones or weeks share a key")
				}
				seen[fromPublic] = ""
				if CheckZoneKey(fromPublic[:]) != nil {
					t.Error("a blinded key lies outside the subgroup")
				}
			}
		}
	}
}

// TestNonceIsOfTheBlindedKey: with one nonce prefix for all blinded keys, the same
// message under two of them would carry the same commitment, and the two responses
// would be two equations in two unknowns.
func TestNonceIsOfTheBlindedKey(t *testing.T) {
	message := []byte("the same message")
	commitments := map[string]bool{}
	for e := epoch; e < epoch+16; e++ {
		signer, err := blindPrivate(zone, alice, e)
		if err != nil {
			t.Fatal(err)
		}
		signature := signer.sign(message)
		if !ed25519.Verify(signer.public[:], message, signature) {
			t.Fatal("does not verify")
		}
		commitments[string(signature[:32])] = true
	}
	if len(commitments) != 16 {
		t.Errorf("16 keys made %d commitments", len(commitments))
	}
	if ed25519.Verify(public(zone), message, ed25519.Sign(zone, message)) && commitments[string(ed25519.Sign(zone, message)[:32])] {
		t.Error("a blinded key shares the zone key's nonce")
	}
}
