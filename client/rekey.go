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
	"communicator/directory/vend"
	"communicator/wire"
)

// The holder of a name may pass it to a new key alone (a rotation, docs/namespace.md): the
// new key, the old one and the attesting key sign, it is in force at once, and the old key
// may take it back for the hold. Each step is one transaction of the profile:
//
//	drafted    the new identity and its draft are in the row, the old one acts
//	logged     by the directory; whoever asks is shown the new identity
//	adopted    the row has the new identity, and the old one among the former; our claims
//	           to contacts are to be made anew
//	moved      rule, tokens and stock are the new identity's at the directory
//	published  its records are in the overlay
//
// Between any two of them a crash leaves both keys in the profile.

// Errors of [Client.Rekey].
var (
	// ErrNotHolder: somebody else holds the name, or nobody.
	ErrNotHolder = errors.New("client: you do not hold the name")
	// ErrContested: the namespace is giving the name to somebody else, which [Client.Object]
	// takes back.
	ErrContested = errors.New("client: the namespace is taking the name away: object to that first")
)

// RekeyOptions are the choices of [Client.Rekey].
type RekeyOptions struct {
	Peers []string // directories to ask beside the namespace's own
}

// moving is what a new identity of a name has to be given at the directory, where nothing
// of its former holder is used any more.
type moving struct {
	Rule  vend.Policy `json:"rule"`
	Rekey bool        `json:"rekey,omitempty"` // by Rekey, which is to say when it is done
}

// renewedFor is how long Rekey reports a replacement that it was cut off from, or that a
// pass has finished, instead of beginning another one.
const renewedFor = 24 * time.Hour

// Rekey puts a new identity in the place of the one that holds a name of ours. It needs no
// token. Where the directory attests by itself the name is the new identity's when this
// returns; otherwise the error is [ErrNotAttested] and the authority attests the
// [Client.Draft], as with [Client.Register]. Asking again goes on where it ended; so does
// a pass of Receive once it is logged. The key packages, the rule of contact, the records
// in the overlay and tokens that have not expired move to the new identity; contacts who
// know us by the name are shown, inside their conversations, that it is ours. The former
// key is kept while it may take that back: [Client.Object].
//
// A token that was used already admits once more, since directories do not say which were.
//
// Errors: [ErrNoName], [ErrNotHolder], [ErrContested], [ErrNotAttested], [ErrNoAttester],
// proof.ErrBusy while four changes are not settled, proof.ErrRevoked, those of
// lookup.Lookup and client/directory.
func (c *Client) Rekey(ctx context.Context, name string, o RekeyOptions) (OwnName, error) {
	row, err := c.findName(ctx, name)
	if err == nil && len(row.Statement) == 0 {
		err = fmt.Errorf("%w: %s is not registered yet", ErrNoName, name)
	}
	if err != nil {
		return OwnName{}, err
	}
	p, err := c.placeOf(ctx, row.Label+"@"+row.NSID, slices.Concat(row.Peers, o.Peers))
	if err != nil {
		return OwnName{}, err
	}
	defer p.dir.Close()
	begun, err := c.hasBegun(ctx, row, p)
	if err != nil {
		return OwnName{}, err
	}
	if !begun {
		if row, err = c.renewName(ctx, row, p, o.Peers); err != nil {
			return OwnName{}, err
		}
	}
	if row, err = c.moveName(ctx, row, p); err != nil {
		return OwnName{}, err
	}
	if c.publishDue(row) {
		if row, err = c.publishName(ctx, row, p); err != nil {
			c.opts.Logger.Debug("name not published", "err", err) // a later pass does
		}
	}
	if row, err = c.changeName(ctx, row.setting(), func(now *ownName) { now.Renewed = zeroTime }); err != nil {
		return OwnName{}, err
	}
	if err := c.tendClaims(ctx); err != nil {
		return OwnName{}, err
	}
	return row.public()
}

// hasBegun is whether the name is under a new key already, by a Rekey that was cut off or
// that a pass has finished, and is to be reported.
func (c *Client) hasBegun(ctx context.Context, row ownName, p place) (bool, error) {
	moving := row.Moving != nil && row.Moving.Rekey
	if !moving && c.now().Sub(row.Renewed).Abs() >= renewedFor {
		return false, nil
	}
	_, by, err := c.heldState(ctx, row, p, c.now().UTC().Truncate(time.Second))
	return slices.Equal(by.Identity, row.Identity), err
}

// renewName brings a name as far as that its row has the new identity.
func (c *Client) renewName(ctx context.Context, row ownName, p place, peers []string) (ownName, error) {
	if row.Next != nil {
		// Perhaps one of our drafts was attested meanwhile.
		now, err := c.confirmNext(ctx, row, peers)
		if !errors.Is(err, ErrNotAttested) {
			return now, err
		}
	}
	row, err := c.draftNext(ctx, row, p, peers)
	if err != nil {
		return row, err
	}
	if err := c.at("rekey-drafted"); err != nil {
		return row, err
	}
	refused := c.submitNext(ctx, row, p)
	if refused != nil && !errors.Is(refused, ErrNotHolder) {
		return row, refused
	}
	if err := c.at("rekey-logged"); err != nil {
		return row, err
	}
	row, err = c.confirmNext(ctx, row, peers) // refused perhaps because of another draft of ours
	if errors.Is(err, ErrNotAttested) && refused != nil {
		err = refused
	}
	return row, err
}

// draftNext returns the row with a draft of the rotation that can be handed in. The secrets
// in it are drawn once, and are durable before anybody sees the draft.
func (c *Client) draftNext(ctx context.Context, row ownName, p place, peers []string) (ownName, error) {
	now := c.now().UTC().Truncate(time.Second)
	if row.Next != nil && row.Next.drafted(now) {
		return row, nil
	}
	attesting, err := attestingKey(p.space.Manifest, now)
	if err != nil {
		return row, err
	}
	state, holding, err := c.heldState(ctx, row, p, now)
	if err != nil {
		return row, err
	}
	if row, err = c.returnTo(ctx, row, holding, p); err != nil {
		return row, err
	}
	rule, err := ruleOf(ctx, row, p)
	if err != nil {
		return row, err
	}
	by := proof.By{Attesting: attesting, Issued: now}
	if ahead := state.Issued.Sub(now); ahead > 0 && ahead < proof.MaxSkew/2 {
		by.Issued = state.Issued // by a clock that is a little ahead of ours
	}
	fresh := ownName{Name: row.Name, NSID: row.NSID, Label: row.Label, Moving: &moving{rule, true}}
	if err := c.newKeys(&fresh); err != nil {
		return row, err
	}
	setting, holder := row.setting(), row.Identity
	err = c.st.Update(ctx, func(tx *store.Tx) error {
		if row, err = ownRowIn(tx, setting); err != nil {
			return err
		}
		if !slices.Equal(row.Identity, holder) {
			return fmt.Errorf("%w: %s was given a new key just now", ErrNotHolder, row.Name)
		}
		if row.Next == nil {
			row.Next = &fresh
		}
		row.Next.Moving = fresh.Moving
		for _, peer := range peers {
			if !slices.Contains(row.Peers, peer) && len(row.Peers) < maxPeers {
				row.Peers = append(row.Peers, peer)
			}
		}
		if !row.Next.drafted(now) {
			if err := row.draftRotation(state, p.space.Manifest.Hold, by); err != nil {
				return err
			}
		}
		return row.save(tx)
	})
	return row, err
}

// heldState is the history of a name that we hold, and that nobody is taking from us. By is
// the row under the identity that holds it: a former one, if whoever else has that key has
// taken the name back with it.
func (c *Client) heldState(ctx context.Context, row ownName, p place, now time.Time) (state proof.NameState, by ownName, err error) {
	if state, _, err = p.dir.History(ctx, p.space.Chain, p.label); err != nil {
		return state, by, err
	}
	ours := map[proof.Key]ownName{}
	for _, at := range row.identities() {
		key, err := at.publicKey()
		if err != nil {
			return state, by, err
		}
		ours[key] = at
		state = p.dir.TakenBack(ctx, p.space.Chain, state, key)
	}
	state = state.Settle(now)
	holder, _ := state.Current(now)
	by, held := ours[holder.Key]
	_, contested := state.Pending(now)
	switch {
	case holder.Kind == proof.Nobody:
		return state, by, fmt.Errorf("%w: nobody holds %s", ErrNotHolder, row.Name)
	case !held:
		return state, by, fmt.Errorf("%w: %s is another key's", ErrNotHolder, row.Name)
	case contested:
		return state, by, fmt.Errorf("%w: %s", ErrContested, row.Name)
	}
	return state, by, nil
}

// ruleOf is the rule of contact under a name of ours, from the directory unless it is still
// to be set there.
func ruleOf(ctx context.Context, row ownName, p place) (vend.Policy, error) {
	if row.Moving != nil {
		return row.Moving.Rule, nil
	}
	_, key, err := row.identity()
	if err != nil {
		return vend.Policy{}, err
	}
	stock, err := directory.Owner{Client: p.dir, NS: p.space.ID, Name: p.label, Key: key}.Stock(ctx)
	return stock.Policy, err
}

// draftRotation makes the statement by which the next identity takes the place of this one,
// signed by both. What the rules of names refuse is no draft.
func (o *ownName) draftRotation(state proof.NameState, hold time.Duration, by proof.By) error {
	id, next, err := o.Next.identity()
	if err != nil {
		return err
	}
	_, key, err := o.identity()
	if err != nil {
		return err
	}
	if len(o.Next.Revoke) != 32 {
		return store.ErrDamaged
	}
	s := state.Rotate(proof.IdDoc(id.Doc()), proof.RevokeCommitment([32]byte(o.Next.Revoke)), by)
	if _, err := proof.Fold(state, s, hold, by.Issued); err != nil {
		return fmt.Errorf("%s: %w", o.Name, err)
	}
	for _, signer := range []ed25519.PrivateKey{next, key} {
		if err := s.Sign(signer); err != nil {
			return err
		}
	}
	o.Next.Draft, err = s.MarshalDraft()
	return err
}

// submitNext hands the draft in, as submitName does a registration's.
func (c *Client) submitNext(ctx context.Context, row ownName, p place) error {
	if row.Next == nil {
		return nil // adopted by another process
	}
	err := row.Next.handIn(ctx, p, nil)
	var refused *wire.StatusError
	if !errors.As(err, &refused) {
		return err
	}
	switch refused.Status {
	case wire.StatusPermission:
		return nil // the authority may have attested it by hand: see what is logged
	case wire.StatusConflict:
		return errors.Join(fmt.Errorf("%w: something was said of %s meanwhile", ErrNotHolder, row.Name), c.dropNext(ctx, row))
	case wire.StatusMalformed, wire.StatusExpired:
		return errors.Join(err, c.dropNext(ctx, row))
	}
	return err
}

// dropNext forgets a draft that will never be attested; its keys stay.
func (c *Client) dropNext(ctx context.Context, row ownName) error {
	_, err := c.changeName(ctx, row.setting(), func(now *ownName) {
		if now.Next != nil && slices.Equal(now.Next.Draft, row.Next.Draft) {
			now.Next.Draft = nil
		}
	})
	return err
}

// confirmNext looks the name up as anybody would, and takes the next identity as ours if it
// is the name's.
func (c *Client) confirmNext(ctx context.Context, row ownName, peers []string) (ownName, error) {
	_, resolver, err := c.named(ctx, nil)
	if err != nil {
		return row, err
	}
	res, err := resolver.FromDirectories(ctx, row.Label+"@"+row.NSID, slices.Concat(row.Peers, peers)...)
	if errors.Is(err, lookup.ErrVetoed) {
		return row, ErrNotAttested // an earlier statement, which was taken back
	}
	if err != nil {
		return row, err
	}
	if res.Uncompared {
		return row, fmt.Errorf("%w: %s", lookup.ErrUncompared, row.Name)
	}
	return c.adoptNext(ctx, row, res)
}
