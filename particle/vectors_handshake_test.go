package particle

import (
	"bytes"
	"io"
	"testing"
	"testing/cryptotest"
	"time"

	"communicator/wire"
)

// handshakeVector is a first contact with all private keys. Other implementations run
// the responder's side on it.
type handshakeVector struct {
	Name       string   `json:"name"`
	Identity   hexBytes `json:"identity_a"` // Ed25519 seed ‖ X25519
	Secret     hexBytes `json:"package_secret_b"`
	Package    hexBytes `json:"package"`
	PackageID  hexBytes `json:"package_id"`
	AddressSet hexBytes `json:"address_set_a"`
	Ephemeral  hexBytes `json:"ephemeral"`
	EkA0Seed   hexBytes `json:"ekA0_seed"`
	T0         hexBytes `json:"t0"`
	IKM        hexBytes `json:"ikm"`
	KID        hexBytes `json:"kid"`
	KN         hexBytes `json:"kn"`
	CIDPlain   hexBytes `json:"cid_plain"`
	SK         hexBytes `json:"sk"`
	SID        hexBytes `json:"sid"`
	Handshake  hexBytes `json:"handshake_id"`
	Wrap       hexBytes `json:"wrap_key"`
	Contact    hexBytes `json:"contact_wrap_key"`
	Text       string   `json:"text"`
	Ciphertext hexBytes `json:"ciphertext"`
}

type handshakeFailure struct {
	Name       string   `json:"name"`
	Of         string   `json:"of"` // the valid vector whose package it is
	Ciphertext hexBytes `json:"ciphertext"`
	Now        int64    `json:"now"`
	Error      string   `json:"error"`
}

type handshakeVectors struct {
	Valid    []handshakeVector  `json:"valid"`
	Failures []handshakeFailure `json:"failures"`
}

// recorder keeps what was read through it.
type recorder struct {
	r io.Reader
	b []byte
}

func (r *recorder) Read(p []byte) (int, error) {
	n, err := r.r.Read(p)
	r.b = append(r.b, p[:n]...)
	return n, err
}

func generateHandshakes(t *testing.T) (v handshakeVectors) {
	cryptotest.SetGlobalRandom(t, 2)
	random := seeded(40)
	contact := testAddress(200, wire.CapContact)
	for _, once := range []bool{true, false} {
		name := map[bool]string{true: "one-time prekey", false: "last resort"}[once]
		a, b := must[Identity](t)(NewIdentity(random)), must[Identity](t)(NewIdentity(random))
		pkg, secret, err := NewPackage(random, b, PackageOptions{Contact: &contact, OneTime: once, Expires: start.Add(day)})
		if err != nil {
			t.Fatal(err)
		}
		r := &recorder{r: random}
		p := must[Particle](t)(Initiate(r, a, pkg, addresses(1, 2), start))
		set := p.exchange.carried()
		_, s, err := p.Send(random, Draft{Text: "hello, " + name}, start)
		if err != nil {
			t.Fatal(err)
		}
		h := handshakeVector{
			Name: name, Identity: a.Marshal(), Secret: secret.Marshal(), Package: pkg.raw,
			AddressSet: set, Ephemeral: r.b[:32], EkA0Seed: r.b[32:64],
			Text: "hello, " + name, Ciphertext: s.Ciphertext,
		}
		describeHandshake(t, &h, secret)
		v.Valid = append(v.Valid, h)
		v.Failures = append(v.Failures, handshakeFailures(t, name, a, pkg, secret, s.Ciphertext)...)
	}
	return v
}

// describeHandshake fills in what the responder derives.
func describeHandshake(t *testing.T, h *handshakeVector, secret *PackageSecret) {
	a, id, err := secret.answer(h.Ciphertext)
	if err != nil {
		t.Fatal(err)
	}
	pid := secret.pkg.ID()
	head, cid := a.block[:len(a.block)-cidSize], a.block[len(a.block)-cidSize:]
	ephemeral := DHPublic(head[2:34])
	ikm, _ := dhConcatPublic(ephemeral, secret.identity.keys().dh, secret.signed.dh)
	ss, _ := secret.signed.kem.decapsulate(head[34:][:EncapsulationSize], []byte(labelSignedEnc))
	ikm = append(ikm, ss...)
	if secret.once != nil {
		dh, _ := secret.once.dh.shared(ephemeral)
		ss, _ := secret.once.kem.decapsulate(head[34+EncapsulationSize:], []byte(labelOnceEnc))
		ikm = append(append(ikm, dh...), ss...)
	}
	k := deriveHead(pid, head, ikm)
	plain, err := chacha(k.kid).Open(nil, zeroNonce[:], cid, k.t0[:])
	if err != nil {
		t.Fatal(err)
	}
	h.PackageID, h.T0, h.IKM, h.KID, h.KN, h.CIDPlain = pid[:], k.t0[:], ikm, k.kid, k.kn, plain
	h.SK, h.SID, h.Handshake = a.sk.bytes(), a.sid[:], id[:]
	h.Wrap, h.Contact = a.wrapKey().bytes(), secret.pkg.ContactWrapKey().bytes()
}

func handshakeFailures(t *testing.T, kind string, id Identity, pkg KeyPackage, secret *PackageSecret, c []byte) []handshakeFailure {
	random := seeded(41)
	var v []handshakeFailure
	add := func(name string, c []byte, now time.Time) {
		_, err := Accept(secret, c, now)
		if err == nil {
			t.Fatalf("%s: no failure", name)
		}
		v = append(v, handshakeFailure{name, kind, c, now.Unix(), errorName(t, err)})
	}
	initiated := func(id Identity, alter func(*Particle)) []byte {
		p := must[Particle](t)(Initiate(random, id, pkg, addresses(1), start))
		alter(&p)
		_, s, err := p.Send(random, Draft{Text: "x"}, start)
		if err != nil {
			t.Fatal(err)
		}
		return s.Ciphertext
	}
	add("suite 2", flipped(c, 0, 3), start)
	add("the other kind of package", flipped(c, 1, 1), start)
	add("ephemeral of low order", append(append(bytes.Clone(c[:2]), make([]byte, 32)...), c[34:]...), start)
	add("encapsulation changed", flipped(c, 40, 1), start)
	add("identity changed", flipped(c, len(secret.blockOf(c))-100, 1), start)
	add("first message changed", flipped(c, -1, 1), start)
	add("too late", c, secret.KeepUntil().Add(time.Second))
	add("too short", c[:4096], start)
	thief := altered(id, func(k *identityKeys) { k.dh, _ = newDHPrivate(random) })
	add("identity without its X25519 key", initiated(thief, func(*Particle) {}), start)
	unsigned := altered(id, func(k *identityKeys) { k.doc[idDocSize-1] ^= 1 })
	add("identity without its signature", initiated(unsigned, func(*Particle) {}), start)
	add("another address set", initiated(id, func(p *Particle) {
		p.exchange, _ = exchange{}.offer(addresses(66), start)
	}), start)
	add("no address set", initiated(id, func(p *Particle) { p.exchange = exchange{} }), start)
	return v
}

// blockOf returns the handshake block in front of a ciphertext.
func (s *PackageSecret) blockOf(c []byte) []byte {
	n, _ := blockLength(c)
	return c[:n]
}

func TestVectorsHandshake(t *testing.T) {
	v := vectors(t, "handshake.json", func() handshakeVectors { return generateHandshakes(t) })
	secrets := map[string]*PackageSecret{}
	for _, h := range v.Valid {
		secret := must[*PackageSecret](t)(ParsePackageSecret(h.Secret))
		secrets[h.Name] = secret
		same(t, "package", secret.pkg.raw, h.Package)
		got := h
		describeHandshake(t, &got, secret)
		for _, x := range []struct {
			what      string
			got, want hexBytes
		}{
			{"package id", got.PackageID, h.PackageID}, {"t0", got.T0, h.T0}, {"ikm", got.IKM, h.IKM},
			{"kid", got.KID, h.KID}, {"kn", got.KN, h.KN}, {"cid", got.CIDPlain, h.CIDPlain},
			{"sk", got.SK, h.SK}, {"sid", got.SID, h.SID}, {"handshake id", got.Handshake, h.Handshake},
			{"wrap key", got.Wrap, h.Wrap}, {"contact wrap key", got.Contact, h.Contact},
		} {
			same(t, h.Name+": "+x.what, x.got, x.want)
		}
		id := must[Identity](t)(ParseIdentity(h.Identity))
		set, ekA0 := hashAddressSet(h.AddressSet), must[*KEMPublic](t)((&KEMPrivate{seed: [keySize]byte(h.EkA0Seed)}).public())
		doc := id.Doc()
		same(t, "cid", append(append(doc[:], set[:]...), ekA0[:]...), h.CIDPlain)
		ephemeral := must[*DHPrivate](t)(dhFromSeed(h.Ephemeral)).Public()
		same(t, "ephemeral", ephemeral[:], h.Ciphertext[2:34])
		accepted := must[Accepted](t)(Accept(secret, h.Ciphertext, start))
		if accepted.Opened.Message.Text != h.Text {
			t.Errorf("%s: %q", h.Name, accepted.Opened.Message.Text)
		}
	}
	for _, f := range v.Failures {
		secret := secrets[f.Of]
		if _, err := Accept(secret, f.Ciphertext, time.Unix(f.Now, 0)); err == nil || errorName(t, err) != f.Error {
			t.Errorf("%s, %s: %v, want %s", f.Of, f.Name, err, f.Error)
		}
	}
}
