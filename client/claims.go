package client

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"communicator/client/store"
	"communicator/directory/proof"
	"communicator/particle"
)

// A relationship has identities of its own, so that nobody can join two of them. Who has
// a name in a namespace can claim it all the same, to one contact, inside the session:
// particle.Claim. The claim counts for one session and is made again in the next.

// Attestation is what a namespace's statement says: whose key a name is.
type Attestation struct {
	Name      string            // as it is shown
	Statement [32]byte          // its hash
	Key       particle.DHPublic // X25519, of the attested identity document
	Party     proof.Party       // that document; zeros if it is not known
}

// Attestations is who knows statements: a directory's proofs that were verified.
type Attestations interface {
	// Attested returns what the statement with this hash says, and an error if it is not
	// known, which is asked again later.
	Attested(ctx context.Context, statement [32]byte) (Attestation, error)
}

// ClaimState is what is known of a claim.
type ClaimState = store.ClaimState

// The states of a claim.
const (
	ClaimUnchecked = store.ClaimUnchecked // the statement is not known yet
	ClaimHolds     = store.ClaimHolds
	ClaimFails     = store.ClaimFails
)

// Claim is a contact's claim to be who a statement attests.
type Claim struct {
	Statement [32]byte
	State     ClaimState
	Name      string // once checked
	At        time.Time
}

// Claim claims an attested identity towards a contact, whose X25519 private key is given
// and kept: in every new session the claim is made anew. It is saved, and sent with the
// next pass. The contact, and nobody else, is convinced by it.
//
// Errors: [ErrNoSuchContact], [ErrRevoked], [particle.ErrBadKey].
func (c *Client) Claim(ctx context.Context, name string, key *particle.DHPrivate, statement [32]byte) error {
	err := c.update(ctx, name, func(tx *store.Tx, r *relation) error {
		if r.State == store.ContactRevoked {
			return ErrRevoked
		}
		if _, err := r.particle.MakeClaim(key, statement); err != nil {
			return err
		}
		return tx.SetClaim(store.Claim{Contact: r.ID, Ours: true, Statement: statement, Value: key.Bytes()})
	})
	if err != nil {
		return err
	}
	return c.tendClaims(ctx)
}

// Claims lists what a contact has claimed in the current session, oldest first.
func (c *Client) Claims(ctx context.Context, name string) (out []Claim, err error) {
	err = c.st.View(ctx, func(tx *store.Tx) error {
		r, err := loadByName(tx, name)
		if err != nil {
			return err
		}
		rows, err := tx.Claims(r.ID)
		for _, v := range rows {
			if !v.Ours && inSession(r, v) {
				out = append(out, Claim{v.Statement, v.State, v.Name, v.At})
			}
		}
		return err
	})
	return out, err
}

// inSession says whether a claim was made in the relationship's current session.
func inSession(r relation, v store.Claim) bool {
	sid := r.particle.SessionID()
	return slices.Equal(v.Session, sid[:])
}

// absorbClaim keeps a contact's claim until the statement is known.
func (c *Client) absorbClaim(tx *store.Tx, r *relation, claim particle.Claim) error {
	rows, err := tx.Claims(r.ID)
	if err != nil {
		return err
	}
	rows = slices.DeleteFunc(rows, func(v store.Claim) bool { return v.Ours })
	for _, v := range rows {
		if v.Statement == claim.Statement && inSession(*r, v) && slices.Equal(v.Value, claim.MAC[:]) {
			return nil // repeated
		}
	}
	for ; len(rows) >= maxClaims; rows = rows[1:] {
		if err := tx.DeleteClaim(rows[0]); err != nil {
			return err
		}
	}
	sid := r.particle.SessionID()
	return tx.SetClaim(store.Claim{Contact: r.ID, Statement: claim.Statement, Session: sid[:], Value: claim.MAC[:]})
}

// CheckClaim checks a contact's claim against what a namespace attests, and records the
// result: the contact is shown with the name, or the verification is reset.
//
// Errors: [ErrNoSuchContact], [ErrNoClaim], [ErrClaim].
func (c *Client) CheckClaim(ctx context.Context, name string, a Attestation) error {
	var result error
	var events []Event
	err := c.update(ctx, name, func(tx *store.Tx, r *relation) (err error) {
		events, result, err = c.checkClaim(tx, r, a)
		return err
	})
	for _, e := range events {
		if err == nil {
			c.events.emit(e)
		}
	}
	return errors.Join(err, result)
}

func (c *Client) checkClaim(tx *store.Tx, r *relation, a Attestation) (events []Event, result, err error) {
	rows, err := tx.Claims(r.ID)
	if err != nil {
		return nil, nil, err
	}
	i := slices.IndexFunc(rows, func(v store.Claim) bool {
		return !v.Ours && v.Statement == a.Statement && len(v.Value) == 32 && inSession(*r, v)
	})
	if i < 0 {
		return nil, ErrNoClaim, nil
	}
	v := rows[i]
	result = r.particle.CheckClaim(particle.Claim{Statement: v.Statement, MAC: [32]byte(v.Value)}, a.Key)
	v.Name, v.State = a.Name, store.ClaimHolds
	if result != nil {
		v.State = store.ClaimFails
	}
	if err := tx.SetClaim(v); err != nil {
		return nil, nil, err
	}
	events = append(events, ClaimChecked{Contact: r.Name, Name: a.Name, Holds: result == nil})
	if result == nil {
		return events, nil, c.attest(tx, r, a.Name, a.Key, a.Party)
	}
	events = append(events, Alarm{Contact: r.Name, Kind: AlarmVerification})
	return events, result, c.distrust(tx, r, ResetClaim)
}

// tendClaims makes our claims in sessions that have not had them, and checks theirs as
// statements become known.
func (c *Client) tendClaims(ctx context.Context) error {
	var rows []store.Claim
	err := c.st.View(ctx, func(tx *store.Tx) (err error) {
		rows, err = tx.Claims(store.ID{})
		return err
	})
	for _, v := range rows {
		if err != nil {
			return err
		}
		if v.Ours {
			err = c.sayClaim(ctx, v)
		} else if v.State == store.ClaimUnchecked && c.opts.Attestations != nil {
			err = c.lookUpClaim(ctx, v)
		}
	}
	return err
}

// sayClaim makes a claim of ours, once in each session.
func (c *Client) sayClaim(ctx context.Context, v store.Claim) error {
	err := c.doubleChecked(ctx, func(tx *store.Tx, write bool) (bool, error) {
		r, err := load(tx, v.Contact)
		if err != nil {
			return false, err
		}
		due := r.State == store.ContactEstablished && r.particle.CanSend() == nil && !inSession(r, v)
		if !due || !write {
			return due, nil
		}
		key, err := particle.ParseDHPrivate(v.Value)
		if err != nil {
			return false, err
		}
		claim, err := r.particle.MakeClaim(key, v.Statement)
		if err != nil {
			return false, err
		}
		sid := r.particle.SessionID()
		v.Session = sid[:]
		if err := tx.SetClaim(v); err != nil {
			return false, err
		}
		_, err = c.enqueueDraft(tx, &r, particle.Draft{Claim: &claim}, SendOptions{Life: DefaultLife})
		return true, err
	})
	if errors.Is(err, store.ErrNotFound) || errors.Is(err, particle.ErrUnanswered) {
		return nil
	}
	return err
}

// lookUpClaim asks for the statement that a contact has claimed.
func (c *Client) lookUpClaim(ctx context.Context, v store.Claim) error {
	what := fmt.Sprintf("claim/%x", v.Statement)
	if !c.mayTry(what) {
		return nil
	}
	a, err := c.opts.Attestations.Attested(ctx, v.Statement)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil || a.Statement != v.Statement {
		c.opts.Logger.Debug("statement of a claim not known", "err", err)
		return nil
	}
	c.health.worked(what)
	var name string
	if err := c.st.View(ctx, func(tx *store.Tx) error {
		row, err := tx.Contact(v.Contact)
		name = row.Name
		return err
	}); err != nil {
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		return err
	}
	err = c.CheckClaim(ctx, name, a)
	if errors.Is(err, ErrNoClaim) || errors.Is(err, ErrClaim) || errors.Is(err, particle.ErrBadKey) ||
		errors.Is(err, ErrNoSuchContact) {
		return nil // recorded, or of a session or a name that has gone
	}
	return err
}
