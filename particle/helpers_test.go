package particle

import (
	"bytes"
	"math/rand/v2"
	"testing"
	"time"

	"communicator/wire"
)

// start is when the tests' clocks begin.
var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

const day = 24 * time.Hour

// seeded is a reproducible source of randomness.
func seeded(n byte) *rand.ChaCha8 { return rand.NewChaCha8([32]byte{n}) }

// must returns the value or fails the test at once.
func must[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// testAddress is an address that differs from others by its number.
func testAddress(n byte, caps wire.Caps) wire.Address {
	return wire.Address{
		Generation: uint32(n), Agent: wire.AgentID{n}, Pin: wire.EpochPin{n},
		Mailbox: wire.MailboxID{n}, Key: [32]byte{n}, Epoch: 2922,
		Expires: start.Add(95 * day), Caps: caps,
		URI: "/dns4/agent.example.org/tcp/4001/p2p/12D3KooWTest",
	}
}

func addresses(ns ...byte) []wire.Address {
	var out []wire.Address
	for _, n := range ns {
		out = append(out, testAddress(n, 0))
	}
	return out
}

func testPackage(t testing.TB, once bool) (KeyPackage, *PackageSecret) {
	t.Helper()
	contact := testAddress(200, wire.CapContact)
	pkg, secret, err := NewPackage(nil, must[Identity](t)(NewIdentity(nil)), PackageOptions{
		Contact: &contact, OneTime: once, Expires: start.Add(7 * day),
	})
	if err != nil {
		t.Fatal(err)
	}
	return pkg, secret
}

// send and receive fail the test on an error.
func send(t testing.TB, p Particle, text string, now time.Time) (Particle, Sealed) {
	t.Helper()
	next, s, err := p.Send(nil, Draft{Text: text}, now)
	if err != nil {
		t.Fatal(err)
	}
	return next, s
}

func receive(t testing.TB, p Particle, ciphertext []byte, now time.Time) (Particle, Opened) {
	t.Helper()
	next, o, err := p.Receive(ciphertext, now)
	if err != nil {
		t.Fatal(err)
	}
	return next, o
}

// hello makes a relationship whose first message has arrived.
func hello(t testing.TB, once bool) (a, b Particle) {
	t.Helper()
	pkg, secret := testPackage(t, once)
	a = must[Particle](t)(Initiate(nil, must[Identity](t)(NewIdentity(nil)), pkg, addresses(1, 2), start))
	a, s := send(t, a, "hello", start)
	accepted := must[Accepted](t)(Accept(secret, s.Ciphertext, start))
	if accepted.Opened.Message.Text != "hello" || accepted.OneTime != once {
		t.Fatalf("accepted %+v", accepted.Opened)
	}
	return a, accepted.Particle
}

// established makes a relationship in which both sides have each other's addresses and
// recovery packages.
func established(t testing.TB) (a, b Particle) {
	t.Helper()
	a, b = hello(t, true)
	b = must[Particle](t)(b.Offer(addresses(3, 4), start))
	for range 3 {
		b, a = exchangeOne(t, b, a, start)
		a, b = exchangeOne(t, a, b, start)
	}
	if !a.Acknowledged() || !b.Acknowledged() || a.recovery.peer == nil || b.recovery.peer == nil {
		t.Fatal("not established after six messages")
	}
	return a, b
}

// exchangeOne sends an empty message.
func exchangeOne(t testing.TB, from, to Particle, now time.Time) (Particle, Particle) {
	t.Helper()
	from, s := send(t, from, "", now)
	to, _ = receive(t, to, s.Ciphertext, now)
	return from, to
}

// sessions makes a pair of bare sessions.
func sessions(t testing.TB) (a, b Session) {
	t.Helper()
	sk := newKey[sharedKey](bytes.Repeat([]byte{7}, 32))
	sid := SessionID(bytes.Repeat([]byte{8}, 32))
	own, public, err := newKEMPrivate(nil)
	if err != nil {
		t.Fatal(err)
	}
	block := make([]byte, blockSize)
	block[0] = Suite
	a = newInitiator(sk, sid, own, public, block)
	b = newResponder(sk, sid, public, wire.Hash(labelBlock, block))
	return a, b
}

// linked makes a pair of sessions that are past the handshake: A sends in chain 2.
func linked(t testing.TB) (a, b Session) {
	t.Helper()
	a, b = sessions(t)
	a, b = pass(t, a, b)
	b, a = pass(t, b, a)
	return pass(t, a, b)
}

// pass sends one message from one session to the other.
func pass(t testing.TB, from, to Session) (Session, Session) {
	t.Helper()
	from, c := encrypt(t, from, "x")
	to, plain, err := to.Decrypt(c, start)
	if err != nil || string(plain.Content) != "x" {
		t.Fatalf("%q, %v", plain.Content, err)
	}
	return from, to
}

func encrypt(t testing.TB, s Session, content string) (Session, []byte) {
	t.Helper()
	next, c, err := s.Encrypt(nil, []byte(content), nil, start)
	if err != nil {
		t.Fatal(err)
	}
	return next, c
}

// altered is an identity with other keys than follow from its seeds.
func altered(id Identity, change func(*identityKeys)) Identity {
	keys := *id.keys()
	change(&keys)
	id.keys = func() *identityKeys { return &keys }
	return id
}
