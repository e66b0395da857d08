package client

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"slices"
	"time"

	"communicator/client/directory"
	"communicator/client/lookup"
	"communicator/client/store"
	"communicator/directory/proof"
	"communicator/particle"
)

// formerKey is an identity that a name of ours had. Its key may take the name back until
// Undo; notes that were sealed to it, and were waiting at the directory, come as long as
// requests do.
type formerKey struct {
	Identity  []byte    `json:"identity"` // private keys
	Revoke    []byte    `json:"revoke"`
	Statement []byte    `json:"statement"`
	Undo      time.Time `json:"undo"`
}

// formerFor is for how long a former key is kept beyond the time when it can act.
const formerFor = AskLife

// maxFormer bounds the former keys of a name: as many as can be unsettled, twice.
const maxFormer = 2 * proof.MaxOpenSteps

// publicKey is the key that a name's statement has.
func (o ownName) publicKey() (proof.Key, error) {
	_, key, err := o.identity()
	if err != nil {
		return proof.Key{}, err
	}
	return proof.KeyOf(key.Public().(ed25519.PublicKey)), nil
}

// doc is the identity document of the row's identity.
func (o ownName) doc() (proof.IdDoc, error) {
	id, _, err := o.identity()
	return proof.IdDoc(id.Doc()), err
}

// undoUntil is until when the key before this one may take the name back.
func (o ownName) undoUntil() time.Time {
	if len(o.Former) == 0 {
		return time.Time{}
	}
	return o.Former[len(o.Former)-1].Undo
}

// as is the row under a former identity of its own.
func (o ownName) as(f formerKey) ownName {
	o.Identity, o.Revoke, o.Statement = f.Identity, f.Revoke, f.Statement
	return o
}

// identities are the row under the identity that it has, and under each that it had, the
// newest first.
func (o ownName) identities() []ownName {
	rows := []ownName{o}
	for _, f := range slices.Backward(o.Former) {
		rows = append(rows, o.as(f))
	}
	return rows
}

// renewed is the row under another identity, with nothing at a directory or in the overlay
// yet. The identity that it has now becomes a former one, until a time.
func (o ownName) renewed(to ownName, statement []byte, undo, now time.Time) ownName {
	former := slices.DeleteFunc(slices.Clone(o.Former), func(f formerKey) bool {
		return slices.Equal(f.Identity, to.Identity) || now.After(f.Undo.Add(formerFor))
	})
	former = append(former, formerKey{o.Identity, o.Revoke, o.Statement, undo})
	o.Former = former[max(0, len(former)-maxFormer):]
	o.Identity, o.Revoke, o.Opening, o.Draft, o.Statement = to.Identity, to.Revoke, to.Opening, to.Draft, statement
	o.Pending, o.Records, o.Manifest = nil, nil, 0
	if o.Next != nil { // its keys stay unless they are these: a draft of it may be attested yet
		next := *o.Next
		next.Draft, o.Next = nil, &next
	}
	if o.Next != nil && slices.Equal(o.Next.Identity, to.Identity) {
		o.Next = nil
	}
	o.Published, o.Stocked, o.Moving = time.Time{}, time.Time{}, to.Moving
	return o
}

// adoptNext takes the next identity as ours if a lookup has shown it to be the name's, in
// one transaction with our claims to contacts. Doing it twice is harmless.
func (c *Client) adoptNext(ctx context.Context, row ownName, res lookup.Result) (ownName, error) {
	setting, hash := row.setting(), res.Statement.Hash()
	err := c.st.Update(ctx, func(tx *store.Tx) (err error) {
		if row, err = ownRowIn(tx, setting); err != nil {
			return err
		}
		doc, err := row.doc()
		if err != nil {
			return err
		}
		if doc == res.IdDoc && row.Next == nil {
			return nil // by another process
		}
		if row.Next == nil {
			return ErrNotAttested
		}
		next, err := row.Next.doc()
		switch {
		case err != nil:
			return err
		case res.IdDoc == doc || res.Held:
			return ErrNotAttested
		case res.IdDoc != next:
			return fmt.Errorf("%w: %s is another key's, or nobody's", ErrNotHolder, row.Name)
		}
		before := row
		row = row.renewed(*row.Next, hash[:], laterOf(res.Settles, c.now().Add(res.Hold())), c.now())
		if err := moveClaims(tx, before, row); err != nil {
			return err
		}
		return row.save(tx)
	})
	if err != nil {
		return row, err
	}
	return row, c.at("rekey-adopted")
}

// moveClaims has what was claimed with the key of one identity of a name claimed with that
// of another: to whom we claimed it, and to whom we are that identity itself.
func moveClaims(tx *store.Tx, from, to ownName) error {
	half := len(from.Identity) / 2
	audience := map[store.ID]bool{}
	claims, err := tx.Claims(store.ID{})
	if err != nil {
		return err
	}
	for _, v := range claims {
		if v.Ours && slices.Equal(v.Value, from.Identity[half:]) {
			audience[v.Contact] = true
			if err := tx.DeleteClaim(v); err != nil {
				return err
			}
		}
	}
	was, err := from.doc()
	if err != nil {
		return err
	}
	is, err := to.doc()
	if err != nil {
		return err
	}
	for r, err := range everyContact(tx) {
		if err != nil {
			return err
		}
		us := proof.IdDoc(r.particle.Identity())
		if r.State == store.ContactRevoked || us == is || us != was && !audience[r.ID] {
			continue
		}
		if err := tx.SetClaim(store.Claim{Contact: r.ID, Ours: true, Statement: [32]byte(to.Statement), Value: to.Identity[half:]}); err != nil {
			return err
		}
	}
	return nil
}

// moveName gives a new identity at the directory what the former one had there: first the
// rule, so that no package goes out under another one.
func (c *Client) moveName(ctx context.Context, row ownName, p place) (ownName, error) {
	if row.Moving == nil {
		return row, nil
	}
	id, key, err := row.identity()
	if err != nil {
		return row, err
	}
	owner := directory.Owner{Client: p.dir, NS: p.space.ID, Name: p.label, Key: key}
	if err := owner.SetRule(ctx, row.Moving.Rule); err != nil {
		return row, err
	}
	if err := c.at("rekey-ruled"); err != nil {
		return row, err
	}
	tokens, err := c.contactTokens(ctx, row)
	if err != nil {
		return row, err
	}
	for _, t := range tokens {
		if err := owner.Invite(ctx, proof.IdDoc(id.Doc()).Hash(), t.Expires, t.token()); err != nil {
			return row, err
		}
	}
	if row, err = c.stockName(ctx, row, p); err != nil {
		return row, err
	}
	row, err = c.changeHeld(ctx, row, func(now *ownName) {
		if now.Moving != nil && now.Moving.Rekey {
			now.Renewed = c.now()
		}
		now.Moving = nil
	})
	if err != nil {
		return row, err
	}
	return row, c.at("rekey-moved")
}

// takeUp finishes in a pass what a Rekey has begun. It says whether the row has another
// identity than before.
func (c *Client) takeUp(ctx context.Context, row ownName, res lookup.Result) (ownName, bool, error) {
	if row.Next == nil || res.Uncompared {
		return row, false, nil
	}
	now, err := c.adoptNext(ctx, row, res)
	if errors.Is(err, ErrNotAttested) || errors.Is(err, ErrNotHolder) {
		return row, false, nil
	}
	if err != nil {
		return row, false, err
	}
	c.events.emit(OwnNameRekeyed{Name: now.Name, Undo: now.undoUntil()})
	return now, true, nil
}

func laterOf(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// packedBy is whether a package of ours was made under an identity.
func packedBy(v store.Invitation, doc proof.IdDoc) bool {
	secret, err := particle.ParsePackageSecret(v.Private)
	return err == nil && proof.IdDoc(secret.Package().Identity()) == doc
}
