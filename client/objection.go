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
	"communicator/wire"
)

// A namespace may take a name from its holder or give it to another key, in the open and
// after a hold. Until that is over the holder's key objects alone: a veto stands outside
// the log, at every directory that takes it, and clients ask all of them.

// ErrNothingToObject: nothing was said about the name that its holder may still take back.
var ErrNothingToObject = errors.New("client: nothing that you can object to")

// Objection is a veto of what was said about a name of ours.
type Objection struct {
	Version   uint32
	Change    proof.Change
	Sent      int      // directories that have it
	InOverlay bool     // and so has the overlay
	Told      []string // contacts who know us by the name, now or as soon as they can be reached
}

// Object vetoes the change of a name of ours that is not settled yet: at all directories of
// the namespace that can be reached, in the overlay, and to the contacts who know us by the
// name, since the namespace's directories may keep it to themselves. Doing it again reaches
// those that were not reached. If there is nothing that the name's key can take back, a
// former key of ours takes back its own replacement, and the name is under that key again:
// [Client.Rekey].
//
// Errors: [ErrNoName], [ErrNothingToObject], those of lookup.Lookup and client/directory if
// neither a directory took it nor the overlay.
func (c *Client) Object(ctx context.Context, name string) (Objection, error) {
	row, err := c.findName(ctx, name)
	if err != nil {
		return Objection{}, err
	}
	p, err := c.placeOf(ctx, row.Label+"@"+row.NSID, row.Peers)
	if err != nil {
		return Objection{}, err
	}
	defer p.dir.Close()
	now := c.now().UTC().Truncate(time.Second)
	by, veto, change, err := vetoOf(ctx, p, row, now)
	if err != nil {
		return Objection{}, err
	}
	_, key, err := by.identity()
	if err != nil {
		return Objection{}, err
	}
	if veto, err = said(ctx, p, row, veto, key); err != nil {
		return Objection{}, err
	}
	o := Objection{Version: veto.Version, Change: change}
	if row, err = c.returnTo(ctx, row, by, p); err != nil {
		return o, err
	}
	row, err = c.keepVeto(ctx, row, veto, p.space.Manifest.Hold)
	if err != nil {
		return o, err
	}
	network, _, err := c.named(ctx, nil)
	if err != nil {
		return o, err
	}
	var problems error
	for _, uri := range slices.Compact(slices.Concat(row.Peers, p.space.Peers)) {
		if err := sendVeto(ctx, network, uri, p.space.ID, key, veto); err != nil {
			problems = errors.Join(problems, err)
			continue
		}
		o.Sent++
	}
	return c.spread(ctx, row, p, veto, o, problems)
}

// vetoOf makes the veto of what was said against a name of ours, by the key that it has, or
// else by one that this replaced. By is the row under the identity whose key that is.
func vetoOf(ctx context.Context, p place, row ownName, now time.Time) (by ownName, veto proof.Statement, change proof.Change, err error) {
	for _, by = range row.identities() {
		var key proof.Key
		if key, err = by.publicKey(); err != nil {
			return by, veto, change, err
		}
		if veto, change, err = vetoIn(ctx, p, key, now); !errors.Is(err, ErrNothingToObject) {
			return by, veto, change, err
		}
	}
	return by, veto, change, err
}

// returnTo goes back to a former identity of ours, before its key takes the name back from
// the one that replaced it, or after.
func (c *Client) returnTo(ctx context.Context, row, by ownName, p place) (ownName, error) {
	if slices.Equal(row.Identity, by.Identity) {
		return row, nil
	}
	rule, err := ruleOf(ctx, row, p)
	var refused *wire.StatusError
	if errors.As(err, &refused) && refused.Status == wire.StatusAuth {
		rule, err = row.Rule, nil // the name is the former key's already
	}
	if err != nil {
		return row, err
	}
	by.Moving = &moving{Rule: rule}
	setting, now := row.setting(), c.now()
	err = c.st.Update(ctx, func(tx *store.Tx) error {
		if row, err = ownRowIn(tx, setting); err != nil || slices.Equal(row.Identity, by.Identity) {
			return err
		}
		before := row
		row = row.renewed(by, by.Statement, now, now)
		if err := moveClaims(tx, before, row); err != nil {
			return err
		}
		return row.save(tx)
	})
	return row, err
}

// said returns the veto of an earlier call, which is kept here or at a directory, or signs
// this one.
func said(ctx context.Context, p place, row ownName, veto proof.Statement, key ed25519.PrivateKey) (proof.Statement, error) {
	for _, b := range row.Vetoes {
		s, err := proof.ParseStatement(b)
		if err == nil && s.Version == veto.Version && s.Prev == veto.Prev {
			return s, nil
		}
	}
	list, err := p.dir.Revocations(ctx, p.space.Chain, veto.Key)
	var refused *wire.StatusError
	if err != nil && !errors.As(err, &refused) {
		return veto, err
	}
	for _, s := range list {
		if s.Kind == proof.Veto && s.Name == veto.Name && s.Version == veto.Version && s.Prev == veto.Prev {
			return s, nil
		}
	}
	return veto, veto.Sign(key)
}

// vetoIn makes the veto of the first open change that took the name from the key.
func vetoIn(ctx context.Context, p place, key proof.Key, now time.Time) (proof.Statement, proof.Change, error) {
	state, history, err := p.dir.History(ctx, p.space.Chain, p.label)
	if err != nil {
		return proof.Statement{}, 0, err
	}
	state = state.Settle(now)
	before := state.Base
	for i, step := range state.Open {
		if before.Kind == proof.Person && before.Key == key {
			said := slices.IndexFunc(history, func(s proof.Statement) bool { return s.Hash() == step.Holder.Statement })
			if said < 0 {
				return proof.Statement{}, 0, fmt.Errorf("%w: history", directory.ErrProtocol)
			}
			change, err := history[said].Change()
			return state.VetoOf(i, now), change, err
		}
		before = step.Holder
	}
	return proof.Statement{}, 0, ErrNothingToObject
}

func sendVeto(ctx context.Context, network Network, uri string, ns proof.NSID, key ed25519.PrivateKey, veto proof.Statement) error {
	dir, _, err := reachDirectory(ctx, network, uri, ns)
	if err != nil {
		return err
	}
	_, err = dir.Register(ctx, key, directory.Entry{Statement: veto}, nil)
	return errors.Join(err, dir.Close())
}

// stillOurs looks whether the namespace has said something new about a name of ours, and
// tells of it once. It is no longer ours when what it says is in force.
func (c *Client) stillOurs(ctx context.Context, row ownName) (ownName, bool, error) {
	resolver, err := c.Names(ctx)
	if err != nil {
		return row, true, err
	}
	res, err := resolver.FromDirectories(ctx, row.Label+"@"+row.NSID, row.Peers...)
	if now, rerr := c.ownRow(ctx, row.setting()); rerr == nil {
		row = now // a Rekey may have made another key known before it was looked up
	}
	if errors.Is(err, lookup.ErrVetoed) {
		if id, _, perr := row.identity(); perr == nil && proof.IdDoc(id.Doc()) == res.IdDoc {
			return c.lostName(ctx, row, res) // by whoever has our former key
		}
		return row, true, nil // by us
	}
	if err != nil || res.Uncompared {
		return row, true, err
	}
	if now, renewed, err := c.takeUp(ctx, row, res); renewed || err != nil {
		return now, true, err
	}
	hash := res.Statement.Hash()
	id, _, err := row.identity()
	if err != nil || slices.Equal(hash[:], row.Statement) {
		return row, true, err
	}
	if proof.IdDoc(id.Doc()) == res.IdDoc {
		now, err := c.changeHeld(ctx, row, func(now *ownName) { now.Statement = hash[:] })
		return now, true, err
	}
	return c.lostName(ctx, row, res)
}

// lostName tells once that a name of ours is given to somebody else.
func (c *Client) lostName(ctx context.Context, row ownName, res lookup.Result) (ownName, bool, error) {
	if row.Told < res.Statement.Version {
		if _, err := c.changeName(ctx, row.setting(), func(now *ownName) { now.Told = res.Statement.Version }); err != nil {
			return row, true, err
		}
		c.events.emit(Alarm{Contact: row.Name, Kind: AlarmOwnName})
	}
	return row, res.Held, nil
}
