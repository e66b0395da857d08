package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"communicator/client/directory"
	"communicator/client/lookup"
	"communicator/client/store"
	"communicator/dht/record"
	"communicator/directory/proof"
	"communicator/directory/vend"
	"communicator/particle"
	"communicator/wire"
)

// Errors of names.
var (
	// ErrNameTaken: somebody else holds the name.
	ErrNameTaken = errors.New("client: the name is taken")
	// ErrNotAttested: the namespace has not attested the name yet: its authority attests
	// what DraftOf returns.
	ErrNotAttested = errors.New("client: the namespace has not attested the name yet")
	// ErrNoAttester: the namespace has no attesting key that is valid now.
	ErrNoAttester = errors.New("client: the namespace attests nothing at the moment")
	// ErrNoName: no name of ours.
	ErrNoName = errors.New("client: no name of yours")
)

// RegisterOptions are the choices of a registration.
type RegisterOptions struct {
	Token *vend.Token // of the namespace's authority; nil if it attests by hand
	Peers []string    // directories to ask beside the namespace's own
}

// draftLife is how long a draft is handed in again as it is. A directory takes statements
// that were made within [proof.MaxSkew]; the rest is for the way and for clocks.
const draftLife = proof.MaxSkew / 2

// Register takes a name in a namespace: a new identity is made and kept, and its consent
// handed to a directory of the namespace. Where the directory attests by itself, which
// takes a token, the name is ours when this returns; otherwise the error is
// [ErrNotAttested] and the authority attests the [Client.Draft], which it has to do
// within minutes: call this again for a fresh one. Asking again goes on where it ended,
// with the same identity, whichever of its drafts was attested.
//
// A name that could not be put into the overlay is ours nevertheless: Published says so,
// and passes of Receive try again.
//
// Errors: [ErrNameTaken], [ErrNotAttested], [ErrNoAttester], those of lookup.Lookup and
// client/directory.
func (c *Client) Register(ctx context.Context, name string, o RegisterOptions) (OwnName, error) {
	p, err := c.placeOf(ctx, name, o.Peers)
	if err != nil {
		return OwnName{}, err
	}
	defer p.dir.Close()
	row, err := c.attestName(ctx, name, p, o)
	if err != nil {
		return OwnName{}, err
	}
	if row, err = c.stockName(ctx, row, p); err != nil {
		return OwnName{}, err
	}
	if c.publishDue(row) {
		if row, err = c.publishName(ctx, row, p); err != nil {
			c.opts.Logger.Debug("name not published", "err", err) // a later pass does
		}
	}
	return row.public()
}

// attestName brings a name as far as that the namespace has logged it.
func (c *Client) attestName(ctx context.Context, name string, p place, o RegisterOptions) (ownName, error) {
	row, err := c.ownRow(ctx, nameSetting+p.space.ID.String()+"/"+string(p.label))
	known := err == nil
	switch {
	case known && len(row.Statement) > 0:
		return row, nil
	case known:
		// Perhaps one of our drafts was attested meanwhile.
		if row, err = c.confirmName(ctx, row, o.Peers); !errors.Is(err, ErrNotAttested) {
			return row, err
		}
	case !errors.Is(err, store.ErrNotFound):
		return row, err
	}
	if row, err = c.draftName(ctx, name, p, o.Peers); err != nil {
		return row, err
	}
	taken := c.submitName(ctx, row, p, o.Token)
	if taken != nil && !errors.Is(taken, ErrNameTaken) {
		return row, taken
	}
	row, err = c.confirmName(ctx, row, o.Peers) // taken perhaps by ourselves, with another draft
	if errors.Is(err, ErrNotAttested) && taken != nil {
		err = taken
	}
	return row, err
}

// draftName returns the row of the name with a draft that can be handed in. What is new
// of it is saved, so that a crash at any later point goes on with the same identity.
func (c *Client) draftName(ctx context.Context, name string, p place, peers []string) (ownName, error) {
	row := ownName{NSID: p.space.ID.String(), Label: string(p.label), Name: name}
	known, err := c.ownRow(ctx, row.setting())
	if err == nil {
		row = known
	} else if !errors.Is(err, store.ErrNotFound) {
		return row, err
	}
	now := c.now().UTC().Truncate(time.Second)
	if row.drafted(now) {
		return row, nil
	}
	attesting, err := attestingKey(p.space.Manifest, now)
	if err != nil {
		return row, err
	}
	state, _, err := p.dir.History(ctx, p.space.Chain, p.label)
	if err != nil {
		return row, err
	}
	if holder, _ := state.Current(now); holder.Kind != proof.Nobody {
		return row, fmt.Errorf("%w: %s", ErrNameTaken, name)
	}
	if err := c.newKeys(&row); err != nil {
		return row, err
	}
	err = c.st.Update(ctx, func(tx *store.Tx) error {
		meanwhile, err := ownRowIn(tx, row.setting())
		if err == nil {
			row = meanwhile // the keys that are there are the ones that count
		} else if !errors.Is(err, store.ErrNotFound) {
			return err
		}
		for _, peer := range peers {
			if !slices.Contains(row.Peers, peer) && len(row.Peers) < maxPeers {
				row.Peers = append(row.Peers, peer)
			}
		}
		if row.drafted(now) || len(row.Statement) > 0 {
			return row.save(tx)
		}
		if err := row.draft(state, proof.By{Attesting: attesting, Issued: now}); err != nil {
			return err
		}
		return row.save(tx)
	})
	return row, err
}

// drafted says whether there is a draft that a directory takes now.
func (o ownName) drafted(now time.Time) bool {
	s, err := proof.ParseDraft(o.Draft)
	return err == nil && now.Sub(s.Issued).Abs() <= draftLife
}

// draft makes the statement anew, with the keys that the row has.
func (o *ownName) draft(state proof.NameState, by proof.By) error {
	id, key, err := o.identity()
	if err != nil {
		return err
	}
	if len(o.Revoke) != 32 {
		return store.ErrDamaged
	}
	s := state.FirstBind(proof.IdDoc(id.Doc()), proof.RevokeCommitment([32]byte(o.Revoke)), by)
	if err := s.Sign(key); err != nil {
		return err
	}
	o.Draft, err = s.MarshalDraft()
	return err
}

// newKeys draws the secrets of a row that has none.
func (c *Client) newKeys(row *ownName) error {
	if len(row.Identity) > 0 {
		return nil
	}
	id, err := particle.NewIdentity(c.opts.Rand)
	if err != nil {
		return err
	}
	row.Identity, row.Revoke, row.Opening = id.Marshal(), make([]byte, 32), make([]byte, len(proof.Opening{}))
	for _, b := range [][]byte{row.Revoke, row.Opening} {
		if _, err := io.ReadFull(c.opts.Rand, b); err != nil {
			return err
		}
	}
	return nil
}

// attestingKey picks the key that will attest: the one that is valid longest.
func attestingKey(m proof.Manifest, now time.Time) (key proof.Key, err error) {
	var until time.Time
	for _, a := range m.Attesting {
		if !now.Before(a.NotBefore) && now.Before(a.NotAfter) && a.NotAfter.After(until) {
			key, until = a.Key, a.NotAfter
		}
	}
	if until.IsZero() {
		err = ErrNoAttester
	}
	return key, err
}

// handIn brings the draft to the directory.
func (o ownName) handIn(ctx context.Context, p place, token *vend.Token) error {
	s, err := proof.ParseDraft(o.Draft)
	if err != nil {
		return err
	}
	id, key, err := o.identity()
	if err != nil {
		return err
	}
	doc := id.Doc()
	_, err = p.dir.Register(ctx, key, directory.Entry{
		Statement: s, Identity: doc[:], Opening: proof.Opening(o.Opening),
		Secret: proof.NameSecret(record.Secret(o.Label, p.space.ID)),
	}, token)
	return err
}

// submitName hands the draft to the directory. A draft that is refused for good is
// dropped, and the next Register makes another; the keys stay, since the namespace may
// have attested them.
func (c *Client) submitName(ctx context.Context, row ownName, p place, token *vend.Token) error {
	err := row.handIn(ctx, p, token)
	var refused *wire.StatusError
	if !errors.As(err, &refused) {
		return err
	}
	switch refused.Status {
	case wire.StatusPermission:
		if token == nil {
			return nil // the authority may have attested it by hand: see what is logged
		}
	case wire.StatusConflict:
		return errors.Join(ErrNameTaken, c.dropDraft(ctx, row))
	case wire.StatusMalformed, wire.StatusExpired:
		return errors.Join(err, c.dropDraft(ctx, row))
	}
	return err
}

// dropDraft forgets a draft that will never be attested, unless there is another by now.
func (c *Client) dropDraft(ctx context.Context, row ownName) error {
	_, err := c.changeName(ctx, row.setting(), func(now *ownName) {
		if slices.Equal(now.Draft, row.Draft) {
			now.Draft = nil
		}
	})
	return err
}

// confirmName looks the name up as anybody would.
func (c *Client) confirmName(ctx context.Context, row ownName, peers []string) (ownName, error) {
	_, resolver, err := c.named(ctx, nil)
	if err != nil {
		return row, err
	}
	res, err := resolver.FromDirectories(ctx, row.Label+"@"+row.NSID, slices.Concat(row.Peers, peers)...)
	if errors.Is(err, lookup.ErrNotFound) || err == nil && res.IdDoc == (proof.IdDoc{}) {
		return row, ErrNotAttested
	}
	if err != nil {
		return row, err
	}
	id, _, err := row.identity()
	if err != nil {
		return row, err
	}
	if particle.IdDoc(res.IdDoc) != id.Doc() {
		return row, fmt.Errorf("%w: %s", ErrNameTaken, row.Name)
	}
	if res.Uncompared {
		return row, fmt.Errorf("%w: %s", lookup.ErrUncompared, row.Name)
	}
	hash := res.Statement.Hash()
	return c.changeHeld(ctx, row, func(now *ownName) { now.Statement = hash[:] })
}

// Draft is what a namespace's authority attests by hand: the statement that lacks its
// signature, the identity document, and the opening of the log's commitment. It is no
// secret. Authorities take one for some minutes only: [Client.Register] makes it anew, and
// [Client.Rekey] the one that replaces the key of a name.
//
// Errors: [ErrNoName], also if the last draft was refused.
func (c *Client) Draft(ctx context.Context, name string) (directory.Draft, error) {
	row, err := c.findName(ctx, name)
	if err == nil && row.Next != nil {
		row = *row.Next
	}
	if err == nil && len(row.Draft) == 0 {
		err = fmt.Errorf("%w: register it again", ErrNoName)
	}
	if err != nil {
		return directory.Draft{}, err
	}
	id, _, err := row.identity()
	doc := id.Doc()
	return directory.Draft{Statement: row.Draft, Identity: doc[:], Opening: row.Opening}, err
}

// maxPeers is how many directories a row remembers.
const maxPeers = 16
