package client

import (
	"context"
	"errors"
	"fmt"

	"communicator/client/directory"
	"communicator/client/lookup"
	"communicator/client/store"
	"communicator/directory/proof"
	"communicator/directory/vend"
	"communicator/particle"
)

// AskOptions are the choices of a request for contact.
type AskOptions struct {
	As    string      // what the contact is to be called; the name asked for, if empty
	Claim string      // a name of ours, to be claimed in the new conversation; none if empty
	Token *vend.Token // an invitation's or a member's
	Note  string      // for the owner, who alone can read it; at most [MaxNote] bytes
	Peers []string    // directories to ask beside the namespace's own
}

// MaxNote is the most bytes of a note to the owner of a name.
const MaxNote = vend.MaxNote - noteOverhead

// ErrNotGranted: the directory did not grant contact, now. Nothing tells whether there is
// such a name, what its rule is, or whether its owner still decides. The request is kept
// and asked again by later passes, for [AskLife].
var ErrNotGranted = errors.New("client: contact is not granted, so far")

// Ask looks a name up, verifies it, asks a directory for permission to write to it, and
// begins the conversation. The contact's identity is the attested one.
//
// Errors: those of lookup.Lookup, lookup.ErrNotFound also for a name that nobody holds,
// lookup.ErrUncompared also for one in a log that nobody could compare;
// [ErrNotGranted], and then a pass of Receive asks again;
// [ErrBadPackage] if the package is not the attested person's; [ErrContactExists].
func (c *Client) Ask(ctx context.Context, name string, o AskOptions) (Contact, error) {
	row, err := c.prepareAsk(ctx, name, o)
	if err != nil {
		return Contact{}, err
	}
	return c.askOnce(ctx, row)
}

// prepareAsk verifies the name and saves the request, so that a crash or a refusal asks
// again with the same id.
func (c *Client) prepareAsk(ctx context.Context, name string, o AskOptions) (askedRow, error) {
	if o.As == "" {
		o.As = name
	}
	if len(o.Note) > MaxNote {
		return askedRow{}, &ErrTooLong{Length: len(o.Note), Limit: MaxNote}
	}
	err := c.st.View(ctx, func(tx *store.Tx) error {
		if o.Claim != "" {
			rows, err := ownNames(tx)
			if err != nil {
				return err
			}
			if !attestedAmong(rows, o.Claim) {
				return fmt.Errorf("%w: %s", ErrNoName, o.Claim)
			}
		}
		return nameIsFree(tx, o.As)
	})
	if err != nil {
		return askedRow{}, err
	}
	resolver, err := c.Names(ctx, o.Peers...)
	if err != nil {
		return askedRow{}, err
	}
	res, err := holderOf(ctx, resolver, name, o.Peers)
	if err != nil {
		return askedRow{}, err
	}
	row := askedRow{Name: res.Full, As: o.As, Claim: o.Claim, Doc: res.IdDoc[:], Until: c.now().Add(AskLife),
		Peers: o.Peers[:min(len(o.Peers), maxPeers)],
		Next:  c.now().Add(minAskAgain)} // not by Follow, too, while the caller asks
	if before, err := c.askedBefore(ctx, row.setting()); err == nil && (string(before.Doc) == string(row.Doc) || before.passedOn(res)) {
		row.ID = before.ID
	} else if err != nil && !errors.Is(err, store.ErrNotFound) {
		return row, err
	}
	if row.ID == nil {
		id, err := directory.NewRequestID(c.opts.Rand)
		if err != nil {
			return row, err
		}
		row.ID = id[:]
	}
	if o.Token != nil {
		row.Token = o.Token[:]
	}
	if o.Note != "" {
		if row.Note, err = sealNote(particle.IdDoc(res.IdDoc).DH(), []byte(o.Note)); err != nil {
			return row, err
		}
	}
	return row, c.st.Update(ctx, row.save)
}

// holderOf looks up who holds a name now, for certain.
func holderOf(ctx context.Context, resolver *lookup.Resolver, name string, peers []string) (lookup.Result, error) {
	res, err := resolver.Lookup(ctx, name, peers...)
	switch {
	case err != nil:
		return res, err
	case res.Uncompared:
		return res, fmt.Errorf("%w: %s", lookup.ErrUncompared, name)
	case res.Held:
		return res, fmt.Errorf("%w: %v", lookup.ErrNotFound, res.Warnings)
	case res.IdDoc == (proof.IdDoc{}):
		return res, errNobody
	}
	return res, nil
}

// errNobody says that a name was released, or delegated.
var errNobody = fmt.Errorf("%w: nobody holds the name", lookup.ErrNotFound)

func attestedAmong(rows []ownName, name string) bool {
	for _, row := range rows {
		if row.Name == name && len(row.Statement) > 0 {
			return true
		}
	}
	return false
}

// askOnce asks, and begins the conversation if contact is granted.
func (c *Client) askOnce(ctx context.Context, row askedRow) (Contact, error) {
	p, err := c.placeOf(ctx, row.Name, row.Peers)
	if err != nil {
		return Contact{}, err
	}
	defer p.dir.Close()
	request := directory.ContactRequest{NS: p.space.ID, Name: p.label, ID: vend.RequestID(row.ID), Note: row.Note, WorkBits: p.says.WorkBits}
	if len(row.Token) > 0 {
		token := vend.Token(row.Token)
		request.Token = &token
	}
	b, err := p.dir.Contact(ctx, request, c.now())
	var not *directory.NotGrantedError
	if errors.As(err, &not) {
		next := row.again(c.now(), not.RetryAfter)
		return Contact{}, errors.Join(ErrNotGranted, c.changeAsked(ctx, row, func(now *askedRow) { now.Next = next }))
	}
	if err != nil {
		return Contact{}, err
	}
	// When its stock is used up a name has one package for all who come.
	pkg, err := c.sharedPackage(b)
	if doc := pkg.Identity(); err == nil && string(doc[:]) != string(row.Doc) {
		err = fmt.Errorf("%w: it is not the attested person's", ErrBadPackage)
	}
	if err != nil {
		return Contact{}, errors.Join(err, c.askAnew(ctx, row))
	}
	return c.meetNamed(ctx, row, pkg)
}

// meetNamed begins the conversation with who is attested.
func (c *Client) meetNamed(ctx context.Context, row askedRow, pkg particle.KeyPackage) (Contact, error) {
	id, err := c.randomID()
	if err != nil {
		return Contact{}, err
	}
	for try := 0; ; try++ {
		b, err := c.gather(ctx, id)
		if err != nil {
			return Contact{}, err
		}
		err = c.st.Update(ctx, func(tx *store.Tx) error { return c.meetNamedIn(tx, id, row, pkg, b) })
		if err == nil {
			break
		}
		if !errors.Is(err, errTaken) || try == gatherTries {
			return Contact{}, err
		}
	}
	if err := c.tendClaims(ctx); err != nil {
		return Contact{}, err
	}
	p, err := c.push(ctx, id, false)
	if err != nil {
		return Contact{}, err
	}
	contact, err := c.Contact(ctx, row.As)
	if err == nil && p.stuck {
		err = ErrNoRoute
	}
	return contact, err
}

func (c *Client) meetNamedIn(tx *store.Tx, id store.ID, row askedRow, pkg particle.KeyPackage, b boxes) error {
	identity, err := particle.NewIdentity(c.opts.Rand)
	if err != nil {
		return err
	}
	r, err := c.initiateAs(tx, identity, store.Contact{ID: id, Name: row.As, Origin: store.OriginDirectory}, pkg, b)
	if err != nil {
		return err
	}
	// The package is signed by the attested key, and only its holder can answer.
	if err := c.attest(tx, &r, row.Name, pkg.Identity().DH(), proof.PartyOf(proof.IdDoc(pkg.Identity()))); err != nil {
		return err
	}
	if row.Claim != "" {
		if err := claimIn(tx, r.ID, row.Claim); err != nil {
			return err
		}
	}
	if full, perr := proof.ParseFullName(row.Name); perr == nil {
		if err := shareLog(tx, r.ID, full.NS); err != nil {
			return err
		}
	}
	return forgetAsking(tx, row)
}

// claimIn has a name of ours claimed towards a contact as soon as there is a session.
func claimIn(tx *store.Tx, contact store.ID, name string) error {
	row, err := findNameIn(tx, name)
	if err != nil {
		return err
	}
	if len(row.Statement) != len(proof.Hash{}) {
		return ErrNotAttested
	}
	key, err := particle.ParseDHPrivate(row.Identity[len(row.Identity)/2:])
	if err != nil {
		return err
	}
	return tx.SetClaim(store.Claim{Contact: contact, Ours: true, Statement: [32]byte(row.Statement), Value: key.Bytes()})
}
