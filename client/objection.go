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
// those that were not reached.
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
	_, key, err := row.identity()
	if err != nil {
		return Objection{}, err
	}
	now := c.now().UTC().Truncate(time.Second)
	veto, change, err := vetoIn(ctx, p, proof.KeyOf(key.Public().(ed25519.PublicKey)), now)
	if err != nil {
		return Objection{}, err
	}
	if veto, err = said(ctx, p, row, veto, key); err != nil {
		return Objection{}, err
	}
	o := Objection{Version: veto.Version, Change: change}
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
	state, history, err := nameState(ctx, p)
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
func (c *Client) stillOurs(ctx context.Context, row ownName) (bool, error) {
	resolver, err := c.Names(ctx)
	if err != nil {
		return true, err
	}
	res, err := resolver.FromDirectories(ctx, row.Label+"@"+row.NSID, row.Peers...)
	if errors.Is(err, lookup.ErrVetoed) {
		return true, nil // by us
	}
	if err != nil || res.Uncompared {
		return true, err
	}
	hash := res.Statement.Hash()
	id, _, err := row.identity()
	if err != nil || slices.Equal(hash[:], row.Statement) {
		return true, err
	}
	if proof.IdDoc(id.Doc()) == res.IdDoc {
		_, err := c.changeName(ctx, row.setting(), func(now *ownName) { now.Statement = hash[:] })
		return true, err
	}
	if row.Told < res.Statement.Version {
		if _, err := c.changeName(ctx, row.setting(), func(now *ownName) { now.Told = res.Statement.Version }); err != nil {
			return true, err
		}
		c.events.emit(Alarm{Contact: row.Name, Kind: AlarmOwnName})
	}
	return res.Held, nil
}
