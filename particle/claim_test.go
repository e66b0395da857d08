package particle

import (
	"bytes"
	"errors"
	"testing"
)

// attested is a fixed attested key.
func attested(t testing.TB, n byte) *DHPrivate {
	t.Helper()
	return must[*DHPrivate](t)(ParseDHPrivate(bytes.Repeat([]byte{n}, 32)))
}

func claim(t testing.TB, p Particle, key *DHPrivate, statement [32]byte) Claim {
	t.Helper()
	return must[Claim](t)(p.MakeClaim(key, statement))
}

func TestClaimHoldsInItsSession(t *testing.T) {
	a, b := established(t)
	key, statement := attested(t, 7), [32]byte{1}
	for name, sides := range map[string][2]Particle{"initiator": {a, b}, "responder": {b, a}} {
		from, to := sides[0], sides[1]
		c := claim(t, from, key, statement)
		from, sealed, err := from.Send(nil, Draft{Text: "it is me", Claim: &c}, start)
		if err != nil {
			t.Fatal(err)
		}
		to, o := receive(t, to, sealed.Ciphertext, start)
		if o.Message.Claim == nil || *o.Message.Claim != c || o.Message.Text != "it is me" {
			t.Fatalf("%s: received %+v", name, o.Message)
		}
		if err := to.CheckClaim(*o.Message.Claim, key.Public()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := from.CheckClaim(c, key.Public()); !errors.Is(err, ErrClaim) {
			t.Errorf("%s: the claim was reflected: %v", name, err)
		}
	}
}

// TestClaimCannotBeRelayed: Sam, between Ira and Reed, has Reed's true claim and cannot
// make Ira believe it.
func TestClaimCannotBeRelayed(t *testing.T) {
	reed, samToReed := established(t)
	_, ira := established(t)
	key, statement := attested(t, 7), [32]byte{1}
	c := claim(t, reed, key, statement)
	if err := samToReed.CheckClaim(c, key.Public()); err != nil {
		t.Fatal(err)
	}
	if err := ira.CheckClaim(c, key.Public()); !errors.Is(err, ErrClaim) {
		t.Errorf("relayed: %v", err)
	}
}

func TestClaimRefuses(t *testing.T) {
	a, b := established(t)
	key := attested(t, 7)
	c := claim(t, a, key, [32]byte{1})
	other, mac := c, c
	other.Statement[0]++
	mac.MAC[31]++
	for name, wrong := range map[string]struct {
		c  Claim
		to DHPublic
	}{
		"another statement":    {other, key.Public()},
		"another MAC":          {mac, key.Public()},
		"another attested key": {c, attested(t, 8).Public()},
	} {
		if err := b.CheckClaim(wrong.c, wrong.to); !errors.Is(err, ErrClaim) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := b.CheckClaim(c, DHPublic{}); !errors.Is(err, ErrBadKey) {
		t.Errorf("a key of low order: %v", err)
	}
	re := must[Particle](t)(a.Reestablish(nil, addresses(1), start))
	re, sealed := send(t, re, "again", start)
	next, _ := receive(t, b, sealed.Ciphertext, start)
	if err := next.CheckClaim(c, key.Public()); !errors.Is(err, ErrClaim) {
		t.Errorf("a claim of the session before: %v", err)
	}
	if err := next.CheckClaim(claim(t, re, key, [32]byte{1}), key.Public()); err != nil {
		t.Errorf("a claim of the new session: %v", err)
	}
	if _, err := ParseDHPrivate(make([]byte, 31)); !errors.Is(err, ErrMalformed) {
		t.Errorf("a short key: %v", err)
	}
}

type claimVector struct {
	Name      string   `json:"name"`
	SID       hexBytes `json:"sid"`
	Attested  hexBytes `json:"attested_private"`
	Session   hexBytes `json:"verifier_session_private"`
	Role      byte     `json:"role"`
	Statement hexBytes `json:"statement"`
	DH        hexBytes `json:"dh"`
	MAC       hexBytes `json:"mac"`
	Error     string   `json:"error,omitempty"` // of the check, by a verifier with these keys
}

func TestVectorsClaim(t *testing.T) {
	file := vectors(t, "claim.json", func() (v []claimVector) {
		sid, statement := SessionID(bytes.Repeat([]byte{8}, 32)), [32]byte{1, 2, 3}
		session := attested(t, 9)
		for role := range byte(2) {
			ss := must[[]byte](t)(attested(t, 7).shared(session.Public()))
			mac := claimMAC(sid, ss, role, statement)
			whole := claimVector{[]string{"by the initiator", "by the responder"}[role], sid[:], attested(t, 7).k.Bytes(),
				session.k.Bytes(), role, statement[:], ss, mac[:], ""}
			bad := whole
			bad.Name, bad.MAC, bad.Error = whole.Name+", MAC changed", flipped(mac[:], 31, 1), "claim"
			v = append(v, whole, bad)
		}
		return v
	})
	for _, v := range file {
		claimer := must[*DHPrivate](t)(ParseDHPrivate(v.Attested))
		verifier := must[*DHPrivate](t)(ParseDHPrivate(v.Session))
		ss := must[[]byte](t)(verifier.shared(claimer.Public()))
		same(t, v.Name+": DH", ss, v.DH)
		mac := claimMAC(SessionID(v.SID), ss, v.Role, [32]byte(v.Statement))
		if equal(mac[:], v.MAC) != (v.Error == "") {
			t.Errorf("%s: MAC %x", v.Name, mac)
		}
	}
}

// TestRelationRidesAlong: it arrives as it was given, and our key in the relationship
// signs what relations sign and nothing that another label covers.
func TestRelationRidesAlong(t *testing.T) {
	a, b := established(t)
	relation := bytes.Repeat([]byte{7}, RelationSize)
	_, sealed, err := a.Send(nil, Draft{Relation: relation}, start)
	if err != nil || len(sealed.Ciphertext) != buckets[0] {
		t.Fatalf("%d bytes, %v", len(sealed.Ciphertext), err)
	}
	if _, o := receive(t, b, sealed.Ciphertext, start); !bytes.Equal(o.Message.Relation, relation) {
		t.Errorf("received %x", o.Message.Relation)
	}
	for _, n := range []int{0, RelationSize - 1, RelationSize + 1} {
		if _, _, err := a.Send(nil, Draft{Relation: make([]byte, n)}, start); !errors.Is(err, ErrMalformed) {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
	veto := []byte("a statement")
	_, sealed, err = a.Send(nil, Draft{Veto: veto}, start)
	if err != nil || len(sealed.Ciphertext) != buckets[0] {
		t.Fatalf("%d bytes, %v", len(sealed.Ciphertext), err)
	}
	if _, o := receive(t, b, sealed.Ciphertext, start); !bytes.Equal(o.Message.Veto, veto) {
		t.Errorf("received %x", o.Message.Veto)
	}
	for _, n := range []int{0, MaxVeto + 1} {
		if _, _, err := a.Send(nil, Draft{Veto: make([]byte, n)}, start); !errors.Is(err, ErrMalformed) {
			t.Errorf("a veto of %d bytes: %v", n, err)
		}
	}
	signature := a.SignRelation([]byte("body"))
	if err := a.Identity().Signing().verify([]byte("comm/1/relationbody"), signature[:]); err != nil {
		t.Error(err)
	}
}
