package particle

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"communicator/wire"
)

func TestParticleEncoding(t *testing.T) {
	a, b := established(t)
	a = must[Particle](t)(a.Offer(addresses(5), start)).SetTrust(TrustVerified)
	a.alarm = &ForkPoint{1, 2}
	for _, p := range []Particle{a, b, a.MarkImported(), must[Particle](t)(b.Reestablish(nil, addresses(8), start))} {
		got, err := Parse(p.Marshal())
		if err != nil {
			t.Fatal(err)
		}
		if !got.Equal(p) || got.Trust() != p.Trust() || got.Imported() != p.Imported() || got.Peer() != p.Peer() {
			t.Fatal("does not survive")
		}
	}
	whole := a.Marshal()
	for n := 0; n < len(whole); n += 13 {
		if _, err := Parse(whole[:n]); err == nil {
			t.Fatalf("parsed a prefix of %d of %d bytes", n, len(whole))
		}
	}
	if _, err := Parse(append(whole, 0)); !errors.Is(err, ErrMalformed) {
		t.Fatal("trailing byte:", err)
	}
	if _, err := Parse(make([]byte, MaxState+1)); !errors.Is(err, ErrTooLarge) {
		t.Fatal(err)
	}
	other := bytes.Clone(whole)
	other[len(labelParticle)] = stateVersion + 1
	if _, err := Parse(other); !errors.Is(err, ErrVersion) {
		t.Fatal("another version:", err)
	}
}

// TestParticleIsAValue: a state that was not saved can be used again.
func TestParticleIsAValue(t *testing.T) {
	a, b := established(t)
	a, held := send(t, a, "held", start)
	beforeA, beforeB := a.Marshal(), b.Marshal()
	a1, s1 := send(t, a, "one", start)
	must[Particle](t)(a.Offer(addresses(7), start))
	a.MarkSuspect()
	receive(t, b, s1.Ciphertext, start)
	receive(t, b, held.Ciphertext, start)
	b2, _ := receive(t, b, s1.Ciphertext, start)
	b2, _ = receive(t, b2, held.Ciphertext, start)
	exchangeOne(t, b2, a1, start)
	if !bytes.Equal(a.Marshal(), beforeA) || !bytes.Equal(b.Marshal(), beforeB) {
		t.Fatal("a method changed its receiver")
	}
}

func TestParticleForkAlarmsBothSides(t *testing.T) {
	a, b := established(t)
	_, s1 := send(t, a, "one device", start)
	a2, s2 := send(t, a, "another", start)
	b, o1 := receive(t, b, s1.Ciphertext, start)
	b, o := receive(t, b, s2.Ciphertext, start)
	if o.Fork == nil || *o.Fork != o1.Place || o.Message.Text != "" || !b.Alarmed() || !b.AnswerDue() {
		t.Fatalf("opened %+v", o)
	}
	b = must[Particle](t)(Parse(b.Marshal()))
	b, s := send(t, b, "", start)
	a2, o = receive(t, a2, s.Ciphertext, start)
	if o.Alarm == nil || *o.Alarm != o1.Place || !a2.Alarmed() {
		t.Fatalf("the peer hears %+v", o.Alarm)
	}
	if a2.ClearAlarm().Alarmed() {
		t.Fatal("cannot be cleared")
	}
	if _, s = send(t, b, "", start); s.Ciphertext == nil || b.AnswerDue() {
		t.Fatal("alarms for ever")
	}
}

func TestParticleKeepsUnreadableContent(t *testing.T) {
	a, b := established(t)
	raw := []byte("\x02 of a later version, long enough to have all the fixed fields")
	session, c, err := a.session.Encrypt(nil, raw, nil, start)
	if err != nil {
		t.Fatal(err)
	}
	a.session = session
	b, o := receive(t, b, c, start)
	if !errors.Is(o.Invalid, ErrVersion) || !bytes.Equal(o.Raw, raw) {
		t.Fatalf("opened %+v", o)
	}
	exchangeOne(t, a, b, start)
	if _, _, err := b.Receive(c, start); !errors.Is(err, ErrDuplicate) {
		t.Fatal("the session has not moved on:", err)
	}
}

func TestParticleFailingRandomness(t *testing.T) {
	a, _ := established(t)
	for n := range 100 {
		after, _, err := a.Send(io.LimitReader(seeded(1), int64(n)), Draft{Text: "x"}, start)
		if err == nil {
			if n < 16+24 {
				t.Fatalf("sent with %d random bytes", n)
			}
			return
		}
		if !after.Equal(a) {
			t.Fatal("a failed send changed the state")
		}
	}
	t.Fatal("never sends")
}

func TestWrap(t *testing.T) {
	a, b := hello(t, true)
	a2, s := send(t, a, "again", start)
	one := must[[]byte](t)(a2.Wrap(nil, s.Ciphertext, a2.PeerAddresses(start)[0]))
	two := must[[]byte](t)(a2.Wrap(nil, s.Ciphertext, a2.PeerAddresses(start)[0]))
	if len(one) != len(s.Ciphertext)+wire.WrapOverhead {
		t.Fatalf("%d bytes around %d", len(one), len(s.Ciphertext))
	}
	for i := 0; i+16 <= len(one); i += 16 {
		if bytes.Contains(two, one[i:i+16]) {
			t.Fatal("two attempts share bytes")
		}
	}
	for _, payload := range [][]byte{one, two} {
		if got := must[[]byte](t)(b.Unwrap(payload)); !bytes.Equal(got, s.Ciphertext) {
			t.Fatal("unwrapped otherwise")
		}
	}
	b, answer := send(t, b, "", start)
	payload := must[[]byte](t)(b.Wrap(nil, answer.Ciphertext, testAddress(1, 0)))
	if got := must[[]byte](t)(a.Unwrap(payload)); !bytes.Equal(got, answer.Ciphertext) {
		t.Fatal("unwrapped otherwise")
	}
	payload[30] ^= 1
	if _, err := a.Unwrap(payload); !errors.Is(err, ErrUndecryptable) {
		t.Fatal("corrupted:", err)
	}
	if _, err := a.Unwrap(payload[:39]); !errors.Is(err, ErrMalformed) {
		t.Fatal("short:", err)
	}
	if _, err := a.Unwrap(make([]byte, wire.MaxPayload+1)); !errors.Is(err, ErrMalformed) {
		t.Fatal("long:", err)
	}
	if DeliveryIDOf(s.Ciphertext) != s.Delivery {
		t.Fatal("delivery id")
	}
}

func TestSafetyNumber(t *testing.T) {
	a := must[Identity](t)(NewIdentity(seeded(1))).Doc()
	b := must[Identity](t)(NewIdentity(seeded(2))).Doc()
	n := SafetyNumber(a, b)
	if n != SafetyNumber(b, a) {
		t.Fatal("depends on who asks")
	}
	digits := strings.ReplaceAll(n, " ", "")
	if len(digits) != 60 || strings.Trim(digits, "0123456789") != "" {
		t.Fatal(n)
	}
	c := must[Identity](t)(NewIdentity(seeded(3))).Doc()
	if SafetyNumber(a, c) == n {
		t.Fatal("two relationships with one number")
	}
}
