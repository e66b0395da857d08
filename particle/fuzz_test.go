package particle

import (
	"bytes"
	"testing"
)

// roundTrip checks that what parses encodes back to the same bytes.
func roundTrip(t *testing.T, in []byte, parse func([]byte) ([]byte, error)) {
	t.Helper()
	if out, err := parse(in); err == nil && !bytes.Equal(out, in) {
		t.Fatalf("%d bytes parsed and became %d others", len(in), len(out))
	}
}

func FuzzContent(f *testing.F) {
	e, _ := exchange{}.offer(addresses(1, 2), start)
	for _, c := range []content{{}, {text: "x", alarm: &ForkPoint{1, 2}, previous: &SessionID{}, addresses: e.carried(), recovery: &recoveryOffer{1, []byte("p")}}} {
		body, spare := c.marshal()
		f.Add(append(body, spare...))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		roundTrip(t, b, func(b []byte) ([]byte, error) {
			c, err := parseContent(b)
			if err != nil {
				return nil, err
			}
			body, spare := c.marshal()
			return append(body, spare...), nil
		})
	})
}

func FuzzHeader(f *testing.F) {
	f.Add(header{n: 1, pn: 2, public: &KEMPublic{}, enc: make([]byte, EncapsulationSize)}.marshal())
	f.Fuzz(func(t *testing.T, b []byte) {
		roundTrip(t, b, func(b []byte) ([]byte, error) {
			h, err := parseHeader(b)
			if err != nil {
				return nil, err
			}
			return h.marshal(), nil
		})
	})
}

func FuzzUnpad(f *testing.F) {
	f.Add([]byte{0, 0, 0, 1, 'x', 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		content, err := unpad(b)
		if err != nil {
			return
		}
		again := make([]byte, len(b))
		again[0], again[1], again[2], again[3] = b[0], b[1], b[2], b[3]
		copy(again[4:], content)
		if !bytes.Equal(again, b) {
			t.Fatal("padding is not canonical")
		}
	})
}

func FuzzPackage(f *testing.F) {
	pkg, secret := testPackage(f, true)
	f.Add(pkg.raw)
	f.Add(secret.Marshal())
	f.Add(pkg.identity[:])
	f.Add(secret.identity.Marshal())
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, verify := range []bool{true, false} {
			roundTrip(t, b, func(b []byte) ([]byte, error) {
				p, err := parsePackage(b, verify)
				return p.raw, err
			})
		}
		roundTrip(t, b, func(b []byte) ([]byte, error) {
			s, err := ParsePackageSecret(b)
			if err != nil {
				return nil, err
			}
			return s.Marshal(), nil
		})
		roundTrip(t, b, func(b []byte) ([]byte, error) {
			d, err := ParseIdDoc(b)
			return d[:], err
		})
		roundTrip(t, b, func(b []byte) ([]byte, error) {
			id, err := ParseIdentity(b)
			if err != nil {
				return nil, err
			}
			return id.Marshal(), nil
		})
	})
}

func FuzzState(f *testing.F) {
	a, b := established(f)
	a, _ = send(f, a, "skipped", start)
	a, b = exchangeOne(f, a, b, start)
	f.Add(a.Marshal())
	f.Add(b.Marshal())
	f.Add(b.session.Marshal())
	re, err := b.Reestablish(nil, addresses(8), start)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(re.Marshal())
	f.Fuzz(func(t *testing.T, b []byte) {
		roundTrip(t, b, func(b []byte) ([]byte, error) {
			p, err := Parse(b)
			if err != nil {
				return nil, err
			}
			return p.Marshal(), nil
		})
		roundTrip(t, b, func(b []byte) ([]byte, error) {
			s, err := ParseSession(b)
			if err != nil {
				return nil, err
			}
			return s.Marshal(), nil
		})
	})
}

// FuzzParsedStateWorks: no state that parses makes sending or receiving panic.
func FuzzParsedStateWorks(f *testing.F) {
	a, b := established(f)
	_, s := send(f, a, "x", start)
	f.Add(b.Marshal(), 1000, byte(1))
	f.Add(b.Marshal(), 0, byte(0))
	f.Fuzz(func(t *testing.T, state []byte, at int, flip byte) {
		if at >= 0 && at < len(state) {
			state = bytes.Clone(state)
			state[at] ^= flip
		}
		p, err := Parse(state)
		if err != nil {
			return
		}
		if next, _, err := p.Receive(s.Ciphertext, start); err == nil {
			next.Marshal()
		}
		if next, _, err := p.Send(nil, Draft{Text: "x"}, start); err == nil {
			next.Marshal()
		}
		p.NeedsRotation(start)
		p.Close(start)
		p.PeerAddresses(start)
	})
}

// FuzzReceive feeds anything that may arrive in a mailbox, opened or raw.
func FuzzReceive(f *testing.F) {
	a, b := established(f)
	_, s := send(f, a, "x", start)
	pkg, secret := testPackage(f, true)
	p, err := Initiate(nil, a.identity, pkg, addresses(1), start)
	if err != nil {
		f.Fatal(err)
	}
	_, first := send(f, p, "x", start)
	f.Add(s.Ciphertext)
	f.Add(first.Ciphertext)
	f.Add([]byte{})
	before := b.Marshal()
	f.Fuzz(func(t *testing.T, c []byte) {
		genuine := bytes.Equal(c, s.Ciphertext)
		if next, _, err := b.Receive(c, start); (err == nil) != genuine || err != nil && !next.Equal(b) {
			t.Fatalf("%d bytes: %v", len(c), err)
		}
		if !bytes.Equal(b.Marshal(), before) {
			t.Fatal("state changed")
		}
		if _, err := Accept(secret, c, start); (err == nil) != bytes.Equal(c, first.Ciphertext) {
			t.Fatalf("accepting %d bytes: %v", len(c), err)
		}
		if _, err := b.Unwrap(c); err == nil {
			t.Fatal("unwrapped what was never wrapped")
		}
	})
}
