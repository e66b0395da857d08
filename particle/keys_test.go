package particle

import (
	"bytes"
	"reflect"
	"testing"
)

// TestPrivateKeysAreNotComparable: == on them must not compile, and as a map key they
// panic.
func TestPrivateKeysAreNotComparable(t *testing.T) {
	for _, v := range []any{
		rootKey{}, chainKey{}, headerKey{}, messageKey{}, sharedKey{}, WrapKey{},
		DHPrivate{}, SigningPrivate{}, KEMPrivate{}, Identity{}, Session{}, Particle{},
	} {
		if reflect.TypeOf(v).Comparable() {
			t.Errorf("%T can be compared with ==", v)
		}
	}
}

func TestKeysEqual(t *testing.T) {
	one, two := *newKey[WrapKey](bytes.Repeat([]byte{1}, 32)), *newKey[WrapKey](bytes.Repeat([]byte{2}, 32))
	if !one.Equal(one) || one.Equal(two) {
		t.Error("wrap keys")
	}
	d1, d2 := must[*DHPrivate](t)(newDHPrivate(seeded(1))), must[*DHPrivate](t)(newDHPrivate(seeded(2)))
	if !d1.Equal(must[*DHPrivate](t)(newDHPrivate(seeded(1)))) || d1.Equal(d2) {
		t.Error("X25519 keys")
	}
	k1, _, err1 := newKEMPrivate(seeded(1))
	k2, _, err2 := newKEMPrivate(seeded(2))
	if err1 != nil || err2 != nil || !k1.Equal(k1) || k1.Equal(k2) {
		t.Error("X-Wing keys")
	}
	i1, i2 := must[Identity](t)(NewIdentity(seeded(1))), must[Identity](t)(NewIdentity(seeded(2)))
	if !i1.Equal(i1) || i1.Equal(i2) {
		t.Error("identities")
	}
}
