package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"communicator/client/store"
	"communicator/directory/proof"
	"communicator/particle"
)

// Trust is what we know of who a contact is. It never grants or denies contact.
type Trust uint8

// From the least to the most, and then what a person has to look at.
const (
	TrustUnverified Trust = iota
	TrustLinked           // whoever had the invitation's link
	TrustIntroduced       // by a contact who could be in the middle
	TrustAttested         // holds the key that a namespace attests for a name
	TrustVerified         // compared in person
	TrustReset            // something has changed since: compare again
)

var trustNames = [...]string{"unverified", "linked", "introduced", "attested", "verified", "reset"}

func (t Trust) String() string { return word(trustNames[:], int(t)) }

// VerifiedHow says what two people compared.
type VerifiedHow uint8

// Ways to verify.
const (
	VerifiedNumber VerifiedHow = iota + 1 // safety numbers or codes
	VerifiedNearby                        // four words, in a direct exchange
)

var verifiedNames = [...]string{"", "safety number compared", "four words compared"}

func (h VerifiedHow) String() string { return word(verifiedNames[:], int(h)) }

// ResetReason says why a contact has to be verified again.
type ResetReason uint8

// Reasons to verify again. The zero value is a session that was re-established.
const (
	ResetSession  ResetReason = iota // the session was re-established: a copy of a profile may be about
	ResetDiffers                     // the safety numbers were compared and differ
	ResetClaim                       // they claimed an attested identity that is not theirs
	ResetStranger                    // somebody else answered than the one who was introduced
	ResetConflict                    // a namespace contradicts itself
	ResetFork                        // two devices use the conversation: see AlarmFork
	ResetName                        // the name under which they were known is another's now, or nobody's
)

var resetNames = [...]string{
	"the conversation was re-established", "the safety numbers differed",
	"they claimed a name that is not theirs", "somebody else answered than was introduced",
	"a namespace contradicts itself about them", "two devices use the conversation, or it was stolen",
	"a name under which you knew them is somebody else's now, or nobody's",
}

func (r ResetReason) String() string { return word(resetNames[:], int(r)) }

func word(words []string, i int) string {
	if i < len(words) {
		return words[i]
	}
	return "unknown"
}

// TrustWords says what is known of who a contact is, as a person reads it.
func (c Contact) TrustWords() string {
	if c.Kin.From != "" {
		return "as " + c.Kin.From + ", by the word of both keys: " + c.Kin.Words + "; by itself: " + c.ownWords()
	}
	return c.ownWords()
}

func (c Contact) ownWords() string {
	switch c.Trust {
	case TrustVerified:
		return "verified in person (" + c.How.String() + ")"
	case TrustReset:
		return "VERIFICATION RESET: " + c.Why.String()
	case TrustAttested:
		words := "attested as " + strings.Join(c.Names, ", ")
		if !c.Since.IsZero() {
			words += ", logged, not checked for revocation since " + c.Since.Local().Format(time.DateTime)
		}
		return words
	case TrustIntroduced:
		return "introduced by " + c.Via + ", who could be in the middle"
	case TrustLinked:
		return "invited by link"
	}
	return "unverified"
}

// evidence is what a contact's trust rests on, beside the mark in its particle. It is
// JSON in the contact's row.
type evidence struct {
	Verified int64       `json:"verified,omitempty"` // Unix seconds; 0: never, or taken back
	How      VerifiedHow `json:"how,omitempty"`
	Names    []string    `json:"names,omitempty"`   // claimed
	Keys     [][]byte    `json:"keys,omitempty"`    // X25519, attested for each of them
	Parties  [][]byte    `json:"parties,omitempty"` // identity 32 ‖ Ed25519 32, of each of them; empty if not known
	Session  []byte      `json:"session,omitempty"` // in which they were claimed
	Past     []pastParty `json:"past,omitempty"`    // that held one of them before, and passed it on themselves
	Why      ResetReason `json:"why,omitempty"`
}

// pastParty is an identity that passed a name on to the one that has it now.
type pastParty struct {
	Party []byte    `json:"party"`
	Undo  time.Time `json:"undo"` // until when it may take that back
}

// maxPast is how many of them are remembered of a contact.
const maxPast = 8

// pass notes that name i, as one of its former holders has signed, has another identity.
func (e *evidence) pass(i int, doc proof.IdDoc, undo time.Time) {
	now, key := partyBytes(proof.PartyOf(doc)), particle.IdDoc(doc).DH()
	was := e.Parties[i]
	e.Past = slices.DeleteFunc(e.Past, func(p pastParty) bool { return bytes.Equal(p.Party, was) || bytes.Equal(p.Party, now) })
	e.Past = append(e.Past, pastParty{was, undo})
	e.Past = e.Past[max(0, len(e.Past)-maxPast):]
	e.Keys[i], e.Parties[i] = key[:], now
}

// undoers are the keys that may take back what they passed on.
func (e evidence) undoers(now time.Time) (keys []proof.Key) {
	for _, past := range e.Past {
		if p, ok := parseParty(past.Party); ok && now.Before(past.Undo) {
			keys = append(keys, p.Key)
		}
	}
	return keys
}

// evidence reads the row's; what is not readable is none. Names count for the session in
// which they were claimed.
func (r relation) evidence() (e evidence) {
	if len(r.Evidence) > 0 && json.Unmarshal(r.Evidence, &e) != nil {
		return evidence{}
	}
	if sid := r.particle.SessionID(); !bytes.Equal(e.Session, sid[:]) {
		e.Names, e.Keys, e.Parties, e.Session, e.Past = nil, nil, nil, nil, nil
	}
	return e
}

func (r relation) trust() Trust {
	if r.State == store.ContactNeedsReset || r.particle.Alarmed() {
		return TrustReset // until the new session, or until a person has looked
	}
	switch r.particle.Trust() {
	case particle.TrustVerified:
		return TrustVerified
	case particle.TrustReset:
		return TrustReset
	case particle.TrustAttested:
		return TrustAttested
	case particle.TrustIntroduced:
		return TrustIntroduced
	}
	if r.Origin == store.OriginLink {
		return TrustLinked
	}
	return TrustUnverified
}

// why is the reason of a reset, where the trust is one.
func (r relation) why(e evidence) ResetReason {
	if r.particle.Alarmed() && r.particle.Trust() != particle.TrustReset {
		return ResetFork
	}
	return e.Why
}

// setTrust saves a mark and what it rests on.
func (r *relation) setTrust(tx *store.Tx, t particle.Trust, e evidence) error {
	b, err := json.Marshal(e)
	if err != nil {
		return err
	}
	if err := tx.SetTrust(r.ID, r.Trust, b); err != nil {
		return err
	}
	r.Evidence = b
	return r.save(tx, r.particle.SetTrust(t))
}

// verify notes that a person has compared.
func (c *Client) verify(tx *store.Tx, r *relation, how VerifiedHow) error {
	e := r.evidence()
	e.Verified, e.How, e.Why = c.now().Unix(), how, 0
	return r.setTrust(tx, particle.TrustVerified, e)
}

// unverify falls back to what is known without comparing.
func (c *Client) unverify(tx *store.Tx, r *relation) error {
	e := r.evidence()
	e.Verified, e.How, e.Why = 0, 0, 0
	trust := particle.TrustUnverified
	switch {
	case len(e.Names) > 0:
		trust = particle.TrustAttested
	case r.Origin == store.OriginIntroduced:
		trust = particle.TrustIntroduced
	}
	return r.setTrust(tx, trust, e)
}

// distrust notes that something contradicts what was known. The names that were claimed
// go with it: they have to be claimed again.
func (c *Client) distrust(tx *store.Tx, r *relation, why ResetReason) error {
	e := r.evidence()
	e.Why, e.Names, e.Keys, e.Parties, e.Past = why, nil, nil, nil, nil
	return r.setTrust(tx, particle.TrustReset, e)
}

// SafetyNumber returns the 60 digits that both sides of a relationship see alike if
// nobody sits between them.
func (c *Client) SafetyNumber(ctx context.Context, name string) (string, error) {
	return c.read(ctx, name, particle.Particle.SafetyNumber)
}

// SafetyCode returns the text of the QR code that this side shows and the other side
// gives to CompareSafety.
func (c *Client) SafetyCode(ctx context.Context, name string) (string, error) {
	return c.read(ctx, name, particle.Particle.SafetyCode)
}

func (c *Client) read(ctx context.Context, name string, what func(particle.Particle) string) (out string, err error) {
	err = c.st.View(ctx, func(tx *store.Tx) error {
		r, err := loadByName(tx, name)
		if err == nil {
			out = what(r.particle)
		}
		return err
	})
	return out, err
}

// CompareSafety compares what the other side shows, its code or the 60 digits, and
// records the result: the contact is verified, or if they differ the verification is
// reset and an alarm raised.
//
// Errors: [ErrNoSuchContact]; [particle.ErrSafetyDiffers] when they differ, and without
// any record [particle.ErrNotSafetyCode], [particle.ErrOwnSafetyCode],
// [particle.ErrVersion].
func (c *Client) CompareSafety(ctx context.Context, name, text string) error {
	var result error
	err := c.update(ctx, name, func(tx *store.Tx, r *relation) error {
		name = r.Name
		result = r.particle.CompareSafety(text)
		switch {
		case result == nil:
			return c.lookedAt(tx, r)
		case errors.Is(result, particle.ErrSafetyDiffers):
			return c.distrust(tx, r, ResetDiffers)
		}
		return nil
	})
	if err == nil && errors.Is(result, particle.ErrSafetyDiffers) {
		c.events.emit(Alarm{Contact: name, Kind: AlarmVerification})
	}
	return errors.Join(err, result)
}

// lookedAt is a person's verification. It clears an alarm: a person has looked.
func (c *Client) lookedAt(tx *store.Tx, r *relation) error {
	if err := c.verify(tx, r, VerifiedNumber); err != nil {
		return err
	}
	return r.save(tx, r.particle.ClearAlarm())
}

// SetVerified records that the safety numbers were compared, or takes that back. It
// clears an alarm: a person has looked.
func (c *Client) SetVerified(ctx context.Context, name string, verified bool) error {
	return c.update(ctx, name, func(tx *store.Tx, r *relation) error {
		if verified {
			return c.lookedAt(tx, r)
		}
		if err := c.unverify(tx, r); err != nil {
			return err
		}
		return r.save(tx, r.particle.ClearAlarm())
	})
}

// ResetVerification records that something contradicts who a contact was taken for, and
// raises an alarm: the contact is shown as reset until a person compares again.
//
// Errors: [ErrNoSuchContact].
func (c *Client) ResetVerification(ctx context.Context, name string, why ResetReason) error {
	err := c.update(ctx, name, func(tx *store.Tx, r *relation) error {
		name = r.Name
		return c.distrust(tx, r, why)
	})
	if err == nil {
		c.events.emit(Alarm{Contact: name, Kind: AlarmVerification})
	}
	return err
}

// attest notes that a contact has shown to hold the key that is attested for a name. A verification in
// person says more and stays; what a person has to look at stays too, unless the new
// session was all that asked for it and nobody had verified the old one.
// Party is the identity, or zeros if it is not known.
func (c *Client) attest(tx *store.Tx, r *relation, name string, key particle.DHPublic, party proof.Party) error {
	e := r.evidence()
	for len(e.Keys) < len(e.Names) { // of an earlier version
		e.Keys = append(e.Keys, nil)
	}
	for len(e.Parties) < len(e.Names) {
		e.Parties = append(e.Parties, nil)
	}
	if i := slices.Index(e.Names, name); i >= 0 {
		e.Keys[i], e.Parties[i] = key[:], partyBytes(party)
	} else {
		e.Names, e.Keys, e.Parties = append(e.Names, name), append(e.Keys, key[:]), append(e.Parties, partyBytes(party))
	}
	sid := r.particle.SessionID()
	e.Session = sid[:]
	trust := r.particle.Trust()
	switch trust {
	case particle.TrustUnverified, particle.TrustIntroduced:
		trust = particle.TrustAttested
	case particle.TrustReset:
		if e.Why == ResetSession && e.Verified == 0 {
			trust = particle.TrustAttested
		}
	}
	return r.setTrust(tx, trust, e)
}
