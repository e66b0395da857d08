package particle

import (
	"bytes"
	"errors"
	"testing"
	"time"
)

func TestHandshakeRepeatsUntilTheReply(t *testing.T) {
	for _, once := range []bool{true, false} {
		pkg, secret := testPackage(t, once)
		a := must[Particle](t)(Initiate(nil, must[Identity](t)(NewIdentity(nil)), pkg, addresses(1), start))
		a, s1 := send(t, a, "one", start)
		a, s2 := send(t, a, "two", start)
		a, s3 := send(t, a, "three", start)
		id := must[HandshakeID](t)(HandshakeIDOf(s1.Ciphertext))
		if id != must[HandshakeID](t)(HandshakeIDOf(s3.Ciphertext)) || id != a.Handshake() {
			t.Fatal("the block changes")
		}
		if !a.Unreplied() {
			t.Fatal("replied?")
		}
		// The first message is lost: any other opens the relationship.
		accepted := must[Accepted](t)(Accept(secret, s3.Ciphertext, start))
		b := accepted.Particle
		if accepted.Opened.Message.Text != "three" || accepted.Handshake != id || b.SessionID() != a.SessionID() {
			t.Fatalf("accepted %+v", accepted.Opened)
		}
		b, o := receive(t, b, s1.Ciphertext, start)
		if o.Message.Text != "one" {
			t.Fatal("a repeat does not reach its session")
		}
		b, s := send(t, b, "reply", start)
		a, _ = receive(t, a, s.Ciphertext, start)
		b, o = receive(t, b, s2.Ciphertext, start)
		if o.Message.Text != "two" {
			t.Fatal("late message of chain 0 lost")
		}
		if a.Unreplied() {
			t.Fatal("reply not noticed")
		}
		a, s = send(t, a, "established", start)
		if len(s.Ciphertext) != 4096 {
			t.Fatalf("%d bytes after the reply", len(s.Ciphertext))
		}
		receive(t, b, s.Ciphertext, start)
		if a.SafetyNumber() != b.SafetyNumber() {
			t.Fatal("safety numbers differ")
		}
	}
}

func TestHandshakeRefusesEveryCorruption(t *testing.T) {
	pkg, secret := testPackage(t, true)
	a := must[Particle](t)(Initiate(nil, must[Identity](t)(NewIdentity(nil)), pkg, addresses(1), start))
	_, s := send(t, a, "hello", start)
	for _, i := range []int{2, 33, 34, 34 + 1120, headSize + 1119, headSize + 1120, headSize + EncapsulationSize + 40,
		blockOneTimeSize - 1, blockOneTimeSize, blockOneTimeSize + encryptedHeaderSize, len(s.Ciphertext) - 1} {
		bad := bytes.Clone(s.Ciphertext)
		bad[i] ^= 1
		if _, err := Accept(secret, bad, start); !errors.Is(err, ErrUndecryptable) {
			t.Errorf("byte %d flipped: %v", i, err)
		}
	}
	for _, test := range []struct {
		at   int
		v    byte
		want error
	}{{0, 2, ErrVersion}, {1, 0, ErrUndecryptable}, {1, 2, ErrMalformed}} {
		bad := bytes.Clone(s.Ciphertext)
		bad[test.at] = test.v
		if _, err := Accept(secret, bad, start); !errors.Is(err, test.want) {
			t.Errorf("byte %d = %d: %v, want %v", test.at, test.v, err, test.want)
		}
	}
	if _, err := Accept(secret, s.Ciphertext[:4096], start); !errors.Is(err, ErrMalformed) {
		t.Error("a short ciphertext:", err)
	}
	if _, err := Accept(secret, s.Ciphertext, start); err != nil {
		t.Error("the original:", err)
	}
}

// TestHandshakeLowOrder puts every point of low order (RFC 7748; the list is Bernstein's,
// cr.yp.to/ecdh.html) where the peer's X25519 keys go.
func TestHandshakeLowOrder(t *testing.T) {
	pkg, secret := testPackage(t, true)
	a := must[Particle](t)(Initiate(nil, must[Identity](t)(NewIdentity(nil)), pkg, addresses(1), start))
	_, s := send(t, a, "hello", start)
	for i, point := range lowOrderPoints(t) {
		bad := bytes.Clone(s.Ciphertext)
		copy(bad[2:], point[:])
		if _, err := Accept(secret, bad, start); !errors.Is(err, ErrBadKey) {
			t.Errorf("point %d as ephemeral: %v", i, err)
		}
		spoiled := pkg
		spoiled.signed.dh = point
		if _, err := Initiate(nil, a.identity, spoiled, addresses(1), start); !errors.Is(err, ErrBadKey) {
			t.Errorf("point %d as signed prekey: %v", i, err)
		}
		spoiled = pkg
		spoiled.once = &prekey{point, pkg.once.kem}
		if _, err := Initiate(nil, a.identity, spoiled, addresses(1), start); !errors.Is(err, ErrBadKey) {
			t.Errorf("point %d as one-time prekey: %v", i, err)
		}
	}
}

func lowOrderPoints(t *testing.T) []DHPublic {
	t.Helper()
	var points []DHPublic
	for _, h := range []string{
		"0000000000000000000000000000000000000000000000000000000000000000",
		"0100000000000000000000000000000000000000000000000000000000000000",
		"e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
		"5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	} {
		points = append(points, DHPublic(unhex(t, h)))
	}
	return points
}

func TestHandshakeAddressSetMustMatch(t *testing.T) {
	pkg, secret := testPackage(t, false)
	a := must[Particle](t)(Initiate(nil, must[Identity](t)(NewIdentity(nil)), pkg, addresses(1), start))
	other := a
	other.exchange, _ = exchange{}.offer(addresses(66), start)
	_, s := send(t, other, "hello", start)
	if _, err := Accept(secret, s.Ciphertext, start); !errors.Is(err, ErrAddressSet) {
		t.Fatal("another set:", err)
	}
	other.exchange = exchange{}
	_, s = send(t, other, "hello", start)
	if _, err := Accept(secret, s.Ciphertext, start); !errors.Is(err, ErrAddressSet) {
		t.Fatal("no set:", err)
	}
	if _, err := a.Offer(addresses(5), start); !errors.Is(err, ErrUnreplied) {
		t.Fatal("a new set before the reply:", err)
	}
	if a.NeedsRotation(start.Add(365*day)) != RotateNot {
		t.Fatal("rotation due before the reply")
	}
}

func TestHandshakeHidesAndAuthenticatesTheInitiator(t *testing.T) {
	pkg, secret := testPackage(t, true)
	id := must[Identity](t)(NewIdentity(nil))
	a := must[Particle](t)(Initiate(nil, id, pkg, addresses(1), start))
	_, s := send(t, a, "hello", start)
	doc := id.Doc()
	if bytes.Contains(s.Ciphertext, doc[1:33]) || bytes.Contains(s.Ciphertext, doc[33:65]) {
		t.Fatal("the initiator's identity is in the clear")
	}
	// Somebody who knows the document but not its X25519 key ends in another SK.
	thief := altered(id, func(k *identityKeys) { k.dh, _ = newDHPrivate(nil) })
	a = must[Particle](t)(Initiate(nil, thief, pkg, addresses(1), start))
	_, s = send(t, a, "hello", start)
	if _, err := Accept(secret, s.Ciphertext, start); !errors.Is(err, ErrUndecryptable) {
		t.Fatal("a stolen document:", err)
	}
	forged := altered(id, func(k *identityKeys) { k.doc[idDocSize-1] ^= 1 })
	a = must[Particle](t)(Initiate(nil, forged, pkg, addresses(1), start))
	_, s = send(t, a, "hello", start)
	if _, err := Accept(secret, s.Ciphertext, start); !errors.Is(err, ErrSignature) {
		t.Fatal("a document without its signature:", err)
	}
}

func TestHandshakeOtherPackage(t *testing.T) {
	pkg, _ := testPackage(t, true)
	_, secret := testPackage(t, true)
	a := must[Particle](t)(Initiate(nil, must[Identity](t)(NewIdentity(nil)), pkg, addresses(1), start))
	_, s := send(t, a, "hello", start)
	if _, err := Accept(secret, s.Ciphertext, start); !errors.Is(err, ErrUndecryptable) {
		t.Fatal(err)
	}
}

func TestPackageExpiry(t *testing.T) {
	pkg, secret := testPackage(t, true)
	id := must[Identity](t)(NewIdentity(nil))
	if _, err := Initiate(nil, id, pkg, addresses(1), pkg.Expires()); !errors.Is(err, ErrExpired) {
		t.Fatal("initiating at expiry:", err)
	}
	a := must[Particle](t)(Initiate(nil, id, pkg, addresses(1), pkg.Expires().Add(-time.Second)))
	_, s := send(t, a, "hello", start)
	if _, err := Accept(secret, s.Ciphertext, secret.KeepUntil().Add(time.Second)); !errors.Is(err, ErrExpired) {
		t.Fatal("accepting too late:", err)
	}
	if _, err := Accept(secret, s.Ciphertext, secret.KeepUntil()); err != nil {
		t.Fatal("accepting in time:", err)
	}
}

func TestPackageRefusesDamage(t *testing.T) {
	for _, once := range []bool{true, false} {
		pkg, secret := testPackage(t, once)
		if got := must[KeyPackage](t)(ParsePackage(pkg.Bytes())); got.ID() != pkg.ID() || got.OneTime() != once ||
			got.Identity() != pkg.Identity() || *got.Contact() != *pkg.Contact() || !got.Expires().Equal(pkg.Expires()) {
			t.Fatal("parsed otherwise")
		}
		for i := 0; i < len(pkg.Bytes()); i += 31 {
			bad := bytes.Clone(pkg.Bytes())
			bad[i] ^= 1
			if _, err := ParsePackage(bad); err == nil {
				t.Fatalf("byte %d flipped and still parsed", i)
			}
			if _, err := ParsePackage(pkg.Bytes()[:i]); err == nil {
				t.Fatalf("parsed a prefix of %d bytes", i)
			}
		}
		if _, err := ParsePackage(make([]byte, MaxPackage+1)); !errors.Is(err, ErrTooLarge) {
			t.Fatal(err)
		}
		again := must[*PackageSecret](t)(ParsePackageSecret(secret.Marshal()))
		if !bytes.Equal(again.Marshal(), secret.Marshal()) {
			t.Fatal("secret does not survive")
		}
		if _, err := ParsePackageSecret(append(secret.Marshal(), 0)); !errors.Is(err, ErrMalformed) {
			t.Fatal(err)
		}
	}
}

// TestPackageIsSignedAsAWhole swaps parts that are each signed by the same identity.
func TestPackageIsSignedAsAWhole(t *testing.T) {
	id := must[Identity](t)(NewIdentity(nil))
	contact := testAddress(200, 0)
	o := PackageOptions{Contact: &contact, OneTime: true, Expires: start}
	one, _, _ := NewPackage(nil, id, o)
	two, _, _ := NewPackage(nil, id, o)
	mixed := bytes.Clone(one.Bytes())
	at := 1 + idDocSize
	copy(mixed[at:], two.Bytes()[at:at+prekeySize])
	if _, err := ParsePackage(mixed); !errors.Is(err, ErrSignature) {
		t.Fatal("prekey of another package:", err)
	}
	// A one-time prekey in the place of the signed one, the whole signed again.
	copy(mixed[at:], one.Bytes()[at+prekeySize+1:][:prekeySize])
	signed := mixed[:len(mixed)-signatureSize]
	copy(mixed[len(signed):], id.keys().signing.sign(labelled(labelPackage, signed)))
	if _, err := ParsePackage(mixed); !errors.Is(err, ErrSignature) {
		t.Fatal("a prekey of another kind:", err)
	}
}

func TestPackageOptions(t *testing.T) {
	id := must[Identity](t)(NewIdentity(nil))
	if _, _, err := NewPackage(nil, id, PackageOptions{Expires: start}); !errors.Is(err, ErrMalformed) {
		t.Fatal("without a contact address:", err)
	}
	contact := testAddress(1, 0)
	if _, _, err := NewPackage(nil, id, PackageOptions{Contact: &contact, Attestation: make([]byte, MaxAttestation+1)}); !errors.Is(err, ErrTooLarge) {
		t.Fatal("a long attestation:", err)
	}
	pkg, _, err := NewPackage(nil, id, PackageOptions{Contact: &contact, Expires: start, OneTime: true, Attestation: make([]byte, MaxAttestation)})
	if err != nil || len(pkg.Attestation()) != MaxAttestation {
		t.Fatal("the longest attestation:", err)
	}
}

func TestIdentityEncoding(t *testing.T) {
	id := must[Identity](t)(NewIdentity(seeded(1)))
	again := must[Identity](t)(ParseIdentity(id.Marshal()))
	if !again.Equal(id) || again.Doc() != id.Doc() {
		t.Fatal("does not survive")
	}
	other := must[Identity](t)(NewIdentity(seeded(2)))
	if other.Equal(id) {
		t.Fatal("two identities are equal")
	}
	bad := id.Doc()
	bad[0] = 2
	if _, err := ParseIdDoc(bad[:]); !errors.Is(err, ErrVersion) {
		t.Fatal(err)
	}
	if _, err := ParseIdDoc(bad[1:]); !errors.Is(err, ErrMalformed) {
		t.Fatal(err)
	}
	if _, err := ParseIdentity(nil); !errors.Is(err, ErrMalformed) {
		t.Fatal(err)
	}
}
