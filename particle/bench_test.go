package particle

import "testing"

// The sizes are those of a short message: 4 KiB of ciphertext.

func BenchmarkSessionSendSameChain(b *testing.B) {
	s, _ := linked(b)
	for b.Loop() {
		if _, _, err := s.Encrypt(nil, []byte("x"), nil, start); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSessionReceiveSameChain(b *testing.B) {
	s, r := linked(b)
	_, c := encrypt(b, s, "x")
	for b.Loop() {
		if _, _, err := r.Decrypt(c, start); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSessionSendWithStep(b *testing.B) {
	s, r := linked(b)
	_, s = pass(b, r, s)
	for b.Loop() {
		if _, _, err := s.Encrypt(nil, []byte("x"), nil, start); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSessionReceiveWithStep(b *testing.B) {
	s, r := linked(b)
	r, s = pass(b, r, s)
	_, c := encrypt(b, s, "x")
	for b.Loop() {
		if _, _, err := r.Decrypt(c, start); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkSessionRefuse is what a ciphertext costs that no key opens.
func BenchmarkSessionRefuse(b *testing.B) {
	s, r := linked(b)
	for range MaxFormerChains {
		s, r = pass(b, s, r)
		r, s = pass(b, r, s)
	}
	_, c := encrypt(b, s, "x")
	c[0] ^= 1
	for b.Loop() {
		if _, _, err := r.Decrypt(c, start); err == nil {
			b.Fatal("opened")
		}
	}
}

func BenchmarkHandshake(b *testing.B) {
	pkg, secret := testPackage(b, true)
	id, err := NewIdentity(nil)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("initiate", func(b *testing.B) {
		for b.Loop() {
			if _, err := Initiate(nil, id, pkg, addresses(1, 2), start); err != nil {
				b.Fatal(err)
			}
		}
	})
	p, err := Initiate(nil, id, pkg, addresses(1, 2), start)
	if err != nil {
		b.Fatal(err)
	}
	_, s := send(b, p, "x", start)
	b.Run("accept", func(b *testing.B) {
		for b.Loop() {
			if _, err := Accept(secret, s.Ciphertext, start); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkParticleState(b *testing.B) {
	p, _ := established(b)
	state := p.Marshal()
	b.ReportMetric(float64(len(state)), "bytes")
	b.Run("marshal", func(b *testing.B) {
		for b.Loop() {
			p.Marshal()
		}
	})
	b.Run("parse", func(b *testing.B) {
		for b.Loop() {
			if _, err := Parse(state); err != nil {
				b.Fatal(err)
			}
		}
	})
}
