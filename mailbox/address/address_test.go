package address

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"communicator/wire"
)

func TestSealIsBoundToEverything(t *testing.T) {
	s := newSetup(t)
	sealed, secret, err := Seal(s.priv.Public(), s.put)
	if err != nil {
		t.Fatal(err)
	}
	if len(sealed) != wire.SealedSize {
		t.Fatalf("%d bytes", len(sealed))
	}
	other, err := GenerateSealKey()
	if err != nil {
		t.Fatal(err)
	}
	otherHash := wire.HashPayload([]byte("another"))
	for name, open := range map[string]func() (Opened, error){
		"key":      func() (Opened, error) { return Open(other, s.agent, sealed, s.payload, s.notAfter) },
		"agent":    func() (Opened, error) { return Open(s.priv, wire.AgentID{1}, sealed, s.payload, s.notAfter) },
		"payload":  func() (Opened, error) { return Open(s.priv, s.agent, sealed, otherHash, s.notAfter) },
		"notAfter": func() (Opened, error) { return Open(s.priv, s.agent, sealed, s.payload, s.notAfter.Add(-time.Hour)) },
	} {
		if _, err := open(); !errors.Is(err, ErrOpen) {
			t.Errorf("another %s: %v", name, err)
		}
	}
	opened, err := Open(s.priv, s.agent, sealed, s.payload, s.notAfter)
	if err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{
		"secret":   opened.Verify(Secret{}, s.agent, s.payload, s.notAfter),
		"agent":    opened.Verify(s.secret, wire.AgentID{1}, s.payload, s.notAfter),
		"payload":  opened.Verify(s.secret, s.agent, otherHash, s.notAfter),
		"notAfter": opened.Verify(s.secret, s.agent, s.payload, s.notAfter.Add(time.Hour)),
	} {
		if !errors.Is(err, ErrTag) {
			t.Errorf("verified with another %s: %v", name, err)
		}
	}
	outcome := opened.Reply.Seal(rand.Reader, Outcome{Code: Stored}, s.payload, s.notAfter)
	if _, err := secret.Open(outcome, otherHash, s.notAfter); !errors.Is(err, ErrOpen) {
		t.Errorf("outcome of another payload: %v", err)
	}
	if _, err := secret.Open(outcome, s.payload, s.notAfter.Add(time.Hour)); !errors.Is(err, ErrOpen) {
		t.Errorf("outcome of another time: %v", err)
	}
	_, second, err := Seal(s.priv.Public(), s.put)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := second.Open(outcome, s.payload, s.notAfter); !errors.Is(err, ErrOpen) {
		t.Errorf("outcome of another seal of the same put: %v", err)
	}
}

func TestEverySealAndOutcomeIsFresh(t *testing.T) {
	s := newSetup(t)
	a, _, err := Seal(s.priv.Public(), s.put)
	if err != nil {
		t.Fatal(err)
	}
	b, _, err := Seal(s.priv.Public(), s.put)
	if err != nil {
		t.Fatal(err)
	}
	for _, span := range [][2]int{{0, encSize}, {encSize, wire.SealedSize}} {
		if bytes.Equal(a[span[0]:span[1]], b[span[0]:span[1]]) {
			t.Error("two seals of one put share bytes")
		}
	}
	opened, err := Open(s.priv, s.agent, a, s.payload, s.notAfter)
	if err != nil {
		t.Fatal(err)
	}
	first := opened.Reply.Seal(rand.Reader, Outcome{Code: Stored}, s.payload, s.notAfter)
	second := opened.Reply.Seal(rand.Reader, Outcome{Code: Stored}, s.payload, s.notAfter)
	if bytes.Equal(first, second) {
		t.Error("two outcomes are alike")
	}
	if n := len(RandomOutcome(rand.Reader)); n != len(first) {
		t.Errorf("a random outcome of %d bytes among those of %d", n, len(first))
	}
}

func TestOutcomeLimits(t *testing.T) {
	s := newSetup(t)
	sealed, secret, err := Seal(s.priv.Public(), s.put)
	if err != nil {
		t.Fatal(err)
	}
	opened, err := Open(s.priv, s.agent, sealed, s.payload, s.notAfter)
	if err != nil {
		t.Fatal(err)
	}
	largest := Outcome{Code: Full, RetryAfter: maxRetryAfter, Receipt: pattern(1, wire.MaxReceipt)}
	got, err := secret.Open(opened.Reply.Seal(rand.Reader, largest, s.payload, s.notAfter), s.payload, s.notAfter)
	if err != nil || got.RetryAfter != maxRetryAfter || !bytes.Equal(got.Receipt, largest.Receipt) {
		t.Errorf("the largest outcome: %v, %v", got.RetryAfter, err)
	}
	over := Outcome{Code: Full, RetryAfter: 1 << 62}
	got, err = secret.Open(opened.Reply.Seal(rand.Reader, over, s.payload, s.notAfter), s.payload, s.notAfter)
	if err != nil || got.RetryAfter != maxRetryAfter {
		t.Errorf("a retry-after of centuries: %v, %v", got.RetryAfter, err)
	}
	mustPanic(t, "an overlong receipt", func() {
		opened.Reply.Seal(rand.Reader, Outcome{Code: Stored, Receipt: make([]byte, wire.MaxReceipt+1)}, s.payload, s.notAfter)
	})
	mustPanic(t, "failing randomness", func() { RandomOutcome(strings.NewReader("short")) })
}

func mustPanic(t *testing.T, what string, f func()) {
	t.Helper()
	defer func() {
		if recover() == nil {
			t.Errorf("%s was accepted", what)
		}
	}()
	f()
}

func TestKeysRoundTrip(t *testing.T) {
	priv, err := GenerateSealKey()
	if err != nil {
		t.Fatal(err)
	}
	seed, err := priv.Marshal()
	if err != nil || len(seed) != PrivateKeySize {
		t.Fatalf("seed of %d bytes, %v", len(seed), err)
	}
	again, err := ParseSealPrivate(seed)
	if err != nil || !again.Public().Equal(priv.Public()) || again.KeyID() != priv.KeyID() {
		t.Errorf("private key: %v", err)
	}
	pub, err := ParseSealPublic(priv.Public().Marshal())
	if err != nil || !pub.Equal(priv.Public()) || pub.KeyID() != priv.KeyID() {
		t.Errorf("public key: %v", err)
	}
	overflowing := bytes.Repeat([]byte{0xff}, PublicKeySize) // coefficients over ML-KEM's modulus
	for _, b := range [][]byte{nil, seed, make([]byte, PublicKeySize+1), overflowing} {
		if _, err := ParseSealPublic(b); !errors.Is(err, ErrKey) {
			t.Errorf("public key of %d bytes: %v", len(b), err)
		}
	}
	if _, err := ParseSealPrivate(seed[1:]); !errors.Is(err, ErrKey) {
		t.Errorf("short seed: %v", err)
	}
	if _, err := ParseSecret(seed[1:]); !errors.Is(err, ErrMalformed) {
		t.Errorf("short secret: %v", err)
	}
	if _, _, err := Seal(SealPublic{}, newSetup(t).put); !errors.Is(err, ErrKey) {
		t.Errorf("sealing to no key: %v", err)
	}
	if _, err := ParseOutcomeSecret(seed); !errors.Is(err, ErrMalformed) {
		t.Errorf("short outcome secret: %v", err)
	}
}

func TestSecretsDoNotPrint(t *testing.T) {
	s := newSetup(t)
	_, secret, err := Seal(s.priv.Public(), s.put)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []any{s.secret, s.priv, secret} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
			if text := fmt.Sprintf(verb, v); !strings.HasPrefix(text, "address.") || len(text) > 30 {
				t.Errorf("%s of a %T: %q", verb, v, text)
			}
		}
	}
	if other, err := NewSecret(nil); err != nil || other.Equal(s.secret) || !s.secret.Equal(s.secret) {
		t.Errorf("Equal is wrong, or %v", err)
	}
	if _, err := NewSecret(strings.NewReader("short")); err == nil {
		t.Error("a secret from failing randomness")
	}
}

func TestLife(t *testing.T) {
	const week wire.Epoch = 2968
	year := wire.LifelineYearAt(week.End())
	yearEnd := time.Unix((int64(year)+1)*int64(wire.LifelineYear/time.Second), 0)
	hour := week.End().Add(-time.Hour)
	for _, test := range []struct {
		name          string
		e             wire.Epoch
		caps          wire.Caps
		exp, notAfter time.Time
		want          error
	}{
		{"inside", week, 0, week.End(), hour, nil},
		{"put ends with the address", week, 0, hour, hour, nil},
		{"put outlives the address", week, 0, hour.Add(-time.Second), hour, ErrLife},
		{"last expiry", week, wire.CapContact, week.End().Add(wire.EpochGrace), hour, nil},
		{"a second later", week, 0, week.End().Add(wire.EpochGrace + time.Second), hour, ErrLife},
		{"lifeline's last expiry", year, wire.CapLifeline, yearEnd.Add(wire.LifelineLife), hour, nil},
		{"a second later", year, wire.CapLifeline, yearEnd.Add(wire.LifelineLife + time.Second), hour, ErrLife},
		{"year as a week", year, 0, week.End(), hour, ErrLife},
		{"not a whole hour", week, 0, week.End(), hour.Add(-time.Second), ErrLife},
		{"fraction of a second", week, 0, week.End(), hour.Add(-time.Hour + time.Nanosecond), ErrLife},
		{"before 1970", week, 0, week.End(), time.Unix(-3600, 0), ErrLife},
	} {
		if err := CheckLife(test.e, test.caps, test.exp, test.notAfter); !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", test.name, err, test.want)
		}
	}
	late := newSetup(t)
	late.put.NotAfter = late.put.Address.Expires.Add(time.Hour)
	if _, _, err := Seal(late.priv.Public(), late.put); !errors.Is(err, ErrLife) {
		t.Errorf("sealing a put that outlives its address: %v", err)
	}
}

func TestNotAfter(t *testing.T) {
	now := time.Date(2026, 11, 23, 10, 27, 30, 5, time.UTC)
	hour := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		notAfter time.Time
		want     error
	}{
		{hour, ErrExpired}, {hour.Add(-1000 * time.Hour), ErrExpired}, {hour.Add(time.Hour), nil},
		{hour.Add(wire.MaxPutLife), nil}, {hour.Add(wire.MaxPutLife + time.Hour), nil},
		{hour.Add(wire.MaxPutLife + 2*time.Hour), ErrLife}, {now.Add(time.Hour), ErrLife},
	} {
		if err := CheckNotAfter(test.notAfter, now); !errors.Is(err, test.want) {
			t.Errorf("%v: %v, want %v", test.notAfter, err, test.want)
		}
	}
	if err := CheckNotAfter(now.Truncate(time.Hour), now.Truncate(time.Hour)); !errors.Is(err, ErrExpired) {
		t.Errorf("at the very moment: %v", err)
	}
	if got := NotAfter(now, 1000*time.Hour); !got.Equal(hour.Add(wire.MaxPutLife)) {
		t.Errorf("longest life ends %v", got)
	}
	if got := NotAfter(now, 2*time.Hour); !got.Equal(hour.Add(2 * time.Hour)) {
		t.Errorf("two hours end %v", got)
	}
}

func TestOperationsDiffer(t *testing.T) {
	agent, nonce := wire.AgentID{1}, [32]byte{2}
	seen := map[string]string{}
	for name, b := range map[string][]byte{
		"base":    OperationBytes(agent, []byte("peer"), nonce, 1, []byte("request")),
		"agent":   OperationBytes(wire.AgentID{9}, []byte("peer"), nonce, 1, []byte("request")),
		"peer":    OperationBytes(agent, []byte("pee"), nonce, 1, []byte("request")),
		"nonce":   OperationBytes(agent, []byte("peer"), [32]byte{9}, 1, []byte("request")),
		"op":      OperationBytes(agent, []byte("peer"), nonce, 2, []byte("request")),
		"request": OperationBytes(agent, []byte("peer"), nonce, 1, []byte("reques")),
	} {
		if twin, ok := seen[string(b)]; ok {
			t.Errorf("%s and %s are signed alike", name, twin)
		}
		seen[string(b)] = name
	}
}

func FuzzParsePlain(f *testing.F) {
	s := newSetup(f)
	f.Add(appendPlain(nil, s.put, [32]byte{1}))
	f.Fuzz(func(t *testing.T, b []byte) {
		o, err := parsePlain(b)
		if err != nil {
			return
		}
		a := wire.Address{Mailbox: o.Mailbox, Epoch: o.Epoch, Expires: o.Expires, Caps: o.Caps}
		if again := appendPlain(nil, Put{Address: a, Counter: o.Counter}, o.Tag); !bytes.Equal(again, b) {
			t.Errorf("%x encodes to %x", b, again)
		}
	})
}

func FuzzParseOutcome(f *testing.F) {
	f.Add(Outcome{Code: Full, RetryAfter: time.Hour, Receipt: []byte("receipt")}.plain())
	f.Fuzz(func(t *testing.T, b []byte) {
		o, err := parseOutcome(b)
		if err == nil && !bytes.Equal(o.plain(), b) {
			t.Errorf("%x encodes to %x", b, o.plain())
		}
	})
}

func BenchmarkSeal(b *testing.B) {
	s := newSetup(b)
	for b.Loop() {
		if _, _, err := Seal(s.priv.Public(), s.put); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOpen(b *testing.B) {
	s := newSetup(b)
	sealed, _, err := Seal(s.priv.Public(), s.put)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := Open(s.priv, s.agent, sealed, s.payload, s.notAfter); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkVerify(b *testing.B) {
	s := newSetup(b)
	sealed, _, err := Seal(s.priv.Public(), s.put)
	if err != nil {
		b.Fatal(err)
	}
	opened, err := Open(s.priv, s.agent, sealed, s.payload, s.notAfter)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if err := opened.Verify(s.secret, s.agent, s.payload, s.notAfter); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOutcome(b *testing.B) {
	s := newSetup(b)
	sealed, _, err := Seal(s.priv.Public(), s.put)
	if err != nil {
		b.Fatal(err)
	}
	opened, err := Open(s.priv, s.agent, sealed, s.payload, s.notAfter)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		opened.Reply.Seal(rand.Reader, Outcome{Code: Stored}, s.payload, s.notAfter)
	}
}
