package client

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"communicator/client/store"
	"communicator/particle"
)

func TestVerification(t *testing.T) {
	n := newFakeNet(t)
	a, b, c := n.person(n.agent(), n.agent()), n.person(n.agent(), n.agent()), n.person(n.agent(), n.agent())
	befriend(t, a, b, "b", "a")
	befriend(t, a, c, "c", "a")
	ctx := t.Context()
	words := func(p *person, name, want string) {
		t.Helper()
		if got := p.contact(name).TrustWords(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	words(a, "b", "invited by link")
	words(b, "a", "invited by link")
	theirs, err := b.SafetyCode(ctx, "a")
	check(t, err)
	own, err := a.SafetyCode(ctx, "b")
	check(t, err)
	digits, err := b.SafetyNumber(ctx, "a")
	check(t, err)
	if err := a.CompareSafety(ctx, "b", own); !errors.Is(err, particle.ErrOwnSafetyCode) {
		t.Errorf("one's own code: %v", err)
	}
	if err := a.CompareSafety(ctx, "b", "12345"); !errors.Is(err, particle.ErrNotSafetyCode) {
		t.Errorf("no code: %v", err)
	}
	if err := a.CompareSafety(ctx, "nobody", theirs); !errors.Is(err, ErrNoSuchContact) {
		t.Errorf("nobody: %v", err)
	}
	words(a, "b", "invited by link")
	check(t, a.CompareSafety(ctx, "b", theirs))
	words(a, "b", "verified in person (safety number compared)")
	if !a.contact("b").Verified || b.contact("a").Verified {
		t.Error("verified on the wrong side")
	}
	check(t, b.CompareSafety(ctx, "a", digits))
	check(t, a.SetVerified(ctx, "b", false))
	words(a, "b", "invited by link")
	check(t, a.SetVerified(ctx, "b", true))

	// Another one's code: somebody may be in the middle.
	wrong, err := c.SafetyCode(ctx, "a")
	check(t, err)
	if err := a.CompareSafety(ctx, "b", wrong); !errors.Is(err, particle.ErrSafetyDiffers) {
		t.Errorf("another one's code: %v", err)
	}
	words(a, "b", "VERIFICATION RESET: the safety numbers differed")
	if a.contact("b").Verified {
		t.Error("still verified")
	}
	a.reopen()
	words(a, "b", "VERIFICATION RESET: the safety numbers differed")
	check(t, a.CompareSafety(ctx, "b", theirs))
	words(a, "b", "verified in person (safety number compared)")

	check(t, a.ResetVerification(ctx, "b", ResetConflict))
	words(a, "b", "VERIFICATION RESET: a namespace contradicts itself about them")
	events, err := a.Receive(ctx)
	check(t, err)
	if slices.Contains(events, Event(Alarm{Contact: "b", Kind: AlarmVerification})) {
		t.Error("an alarm of before is told now")
	}
	if err := a.ResetVerification(ctx, "nobody", ResetConflict); !errors.Is(err, ErrNoSuchContact) {
		t.Errorf("nobody: %v", err)
	}
}

// TestReestablishedSessionResetsVerification: the session is new, on both sides.
func TestReestablishedSessionResetsVerification(t *testing.T) {
	n := newFakeNet(t)
	a, b := n.person(n.agent(), n.agent()), n.person(n.agent(), n.agent())
	meet(t, a, b)
	for i := range 3 { // recovery packages travel with messages
		a.send("b", fmt.Sprint("a", i))
		b.receive()
		b.send("a", fmt.Sprint("b", i))
		a.receive()
	}
	check(t, a.SetVerified(t.Context(), "b", true))
	check(t, b.SetVerified(t.Context(), "a", true))
	moved := a.move()
	moved.receive()
	b.receive()
	for p, name := range map[*person]string{moved: "b", b: "a"} {
		if c := p.contact(name); c.Trust != TrustReset || c.Why != ResetSession || !strings.Contains(c.TrustWords(), "re-established") {
			t.Errorf("shown as %s", c.TrustWords())
		}
	}
}

// statements is a directory in memory.
type statements map[[32]byte]Attestation

func (s statements) Attested(_ context.Context, h [32]byte) (Attestation, error) {
	if a, ok := s[h]; ok {
		return a, nil
	}
	return Attestation{}, errors.New("not known")
}

func TestClaims(t *testing.T) {
	n := newFakeNet(t)
	a, b := n.person(n.agent(), n.agent()), n.person(n.agent(), n.agent())
	known := statements{}
	b.opts.Attestations = known
	b.reopen()
	meet(t, a, b)
	ctx := t.Context()
	key := must(particle.ParseDHPrivate([]byte(strings.Repeat("k", 32))))
	alice := Attestation{Name: "alice@example", Statement: [32]byte{1}, Key: key.Public()}
	check(t, a.Claim(ctx, "b", key, alice.Statement))
	a.receive()
	b.receive()
	claims, err := b.Claims(ctx, "a")
	check(t, err)
	if len(claims) != 1 || claims[0].State != ClaimUnchecked || b.contact("a").Trust != TrustLinked {
		t.Fatalf("before the statement is known: %+v", claims)
	}
	if err := b.CheckClaim(ctx, "a", Attestation{Name: "other", Statement: [32]byte{2}}); !errors.Is(err, ErrNoClaim) {
		t.Errorf("another statement: %v", err)
	}
	known[alice.Statement] = alice
	n.pass(b.opts.Route.WithDefaults().RetryMax) // it is asked again after a while
	events, err := b.Receive(ctx)
	check(t, err)
	if !slices.Contains(events, Event(ClaimChecked{Contact: "a", Name: "alice@example", Holds: true})) {
		t.Errorf("events: %+v", events)
	}
	if c := b.contact("a"); c.Trust != TrustAttested || c.TrustWords() != "attested as alice@example" {
		t.Errorf("shown as %s", c.TrustWords())
	}
	// A verification in person says more.
	check(t, b.SetVerified(ctx, "a", true))
	if c := b.contact("a"); c.Trust != TrustVerified || !slices.Equal(c.Names, []string{"alice@example"}) {
		t.Errorf("verified: %+v", c)
	}
	check(t, b.SetVerified(ctx, "a", false))
	if c := b.contact("a"); c.Trust != TrustAttested {
		t.Errorf("taken back: %s", c.TrustWords())
	}
	// In the next session it is claimed again, by itself.
	for i := range 3 {
		a.send("b", fmt.Sprint("a", i))
		b.receive()
		b.send("a", fmt.Sprint("b", i))
		a.receive()
	}
	moved := a.move()
	moved.receive()
	b.receive()
	if c := b.contact("a"); c.Trust != TrustReset || len(c.Names) != 0 {
		t.Errorf("after a reset: %s", c.TrustWords())
	}
	for range 3 {
		moved.receive()
		n.pass(b.opts.Route.WithDefaults().RetryMax)
		b.receive()
	}
	if c := b.contact("a"); c.Trust != TrustAttested {
		t.Errorf("claimed again: %s", c.TrustWords())
	}
}

// TestFalseClaim: the contact has not the key of the name that it claims.
func TestFalseClaim(t *testing.T) {
	n := newFakeNet(t)
	a, b := n.person(n.agent(), n.agent()), n.person(n.agent(), n.agent())
	meet(t, a, b)
	ctx := t.Context()
	key := must(particle.ParseDHPrivate([]byte(strings.Repeat("k", 32))))
	other := must(particle.ParseDHPrivate([]byte(strings.Repeat("o", 32))))
	check(t, b.SetVerified(ctx, "a", true))
	check(t, a.Claim(ctx, "b", key, [32]byte{1}))
	a.receive()
	b.receive()
	err := b.CheckClaim(ctx, "a", Attestation{Name: "alice@example", Statement: [32]byte{1}, Key: other.Public()})
	if !errors.Is(err, ErrClaim) {
		t.Errorf("a false claim: %v", err)
	}
	if c := b.contact("a"); c.Trust != TrustReset || c.Why != ResetClaim || len(c.Names) != 0 {
		t.Errorf("shown as %s", c.TrustWords())
	}
	claims, err := b.Claims(ctx, "a")
	check(t, err)
	if len(claims) != 1 || claims[0].State != ClaimFails {
		t.Errorf("claims: %+v", claims)
	}
	for i := range byte(maxClaims + 3) { // only so many are kept
		check(t, a.Claim(ctx, "b", key, [32]byte{9, i}))
	}
	a.receive()
	b.receive()
	if claims, _ = b.Claims(ctx, "a"); len(claims) != maxClaims {
		t.Errorf("%d claims are kept", len(claims))
	}
	check(t, a.Revoke(ctx, "b", false))
	if err := a.Claim(ctx, "b", key, [32]byte{1}); !errors.Is(err, ErrRevoked) {
		t.Errorf("towards a revoked contact: %v", err)
	}
}

// TestForkTakesVerificationAway: two devices use one conversation.
func TestForkTakesVerificationAway(t *testing.T) {
	n := newFakeNet(t)
	a, b := n.person(n.agent(), n.agent()), n.person(n.agent(), n.agent())
	meet(t, a, b)
	check(t, b.SetVerified(t.Context(), "a", true))
	// A raw copy of the profile's state says something else in the same place.
	before := a.relation("b").particle
	a.send("b", "one device")
	check(t, a.update(t.Context(), "b", func(tx *store.Tx, r *relation) error { return r.save(tx, before) }))
	a.send("b", "another device")
	events, err := b.Receive(t.Context())
	check(t, err)
	if !slices.Contains(events, Event(Alarm{Contact: "a", Kind: AlarmFork})) {
		t.Errorf("no alarm: %+v", events)
	}
	if c := b.contact("a"); c.Trust != TrustReset || c.Why != ResetFork || c.Verified || !c.Alarmed {
		t.Errorf("shown as %s", c.TrustWords())
	}
	check(t, b.SetVerified(t.Context(), "a", true))
	if c := b.contact("a"); c.Trust != TrustVerified || c.Alarmed {
		t.Errorf("after a person has looked: %s", c.TrustWords())
	}
}
