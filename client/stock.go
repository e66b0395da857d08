package client

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/crypto/cryptobyte"

	"communicator/client/directory"
	"communicator/client/store"
	"communicator/directory/proof"
	"communicator/particle"
	"communicator/wire"
)

// Whoever holds a name leaves key packages at its directory, each with a mailbox for
// first messages of its own, so that strangers can begin a conversation under the
// name's rule of contact. In the profile each is an invitation without a link, as an
// introduction's offer is. The last-resort package is shared by all who come when the
// others have gone: its mailbox stays open, and each handshake in it makes a contact.

// stockName fills the directory's stock of a name up. A package is kept in the row until
// the directory has it, so that one whose upload failed is not made again.
func (c *Client) stockName(ctx context.Context, row ownName, p place) (ownName, error) {
	_, key, err := row.identity()
	if err != nil {
		return row, err
	}
	owner := directory.Owner{Client: p.dir, NS: p.space.ID, Name: p.label, Key: key}
	if row, err = c.uploadPending(ctx, row, owner); err != nil {
		return row, err
	}
	stock, err := owner.Stock(ctx)
	if err != nil {
		return row, err
	}
	open, err := c.openVended(ctx, row)
	if err != nil {
		return row, err
	}
	missing := missingVended(stock.OneTime, stock.Room, open)
	for range missing {
		if row, err = c.vendable(ctx, row, true); err != nil {
			break
		}
	}
	if err == nil && stock.LastResort.Before(c.now().Add(lastResortLeft)) && open+missing < maxVended {
		row, err = c.vendable(ctx, row, false)
	}
	if err != nil && len(row.Pending) == 0 {
		return row, err // otherwise what there is, is of use already
	}
	if row, err = c.uploadPending(ctx, row, owner); err != nil {
		return row, err
	}
	return c.changeHeld(ctx, row, func(now *ownName) { now.Stocked = c.now() })
}

// missingVended is how many one-time packages to make for a directory that has so many and
// room for more, while somebody may still come through so many in all.
func missingVended(stocked, room, open int) int {
	if stocked > stockLow {
		return 0
	}
	return max(0, min(stockSize-stocked, room, maxVended-lastResorts-open))
}

// uploadPending hands over what the directory does not have yet. What it refuses for good
// is of no use to anybody.
func (c *Client) uploadPending(ctx context.Context, row ownName, owner directory.Owner) (ownName, error) {
	usable := slices.DeleteFunc(slices.Clone(row.Pending), func(b []byte) bool {
		pkg, err := particle.ParsePackage(b)
		return err != nil || pkg.Expires().Before(c.now().Add(pendingLeft))
	})
	if len(row.Pending) == 0 {
		return row, nil
	}
	if len(usable) > 0 {
		if err := owner.Upload(ctx, usable...); err != nil && retryable(err) {
			return row, err
		} else if err != nil {
			c.opts.Logger.Debug("packages refused", "err", err)
		}
	}
	done := row.Pending
	return c.changeName(ctx, row.setting(), func(now *ownName) {
		now.Pending = slices.DeleteFunc(now.Pending, func(b []byte) bool {
			return slices.ContainsFunc(done, func(d []byte) bool { return slices.Equal(b, d) })
		})
	})
}

// vendedAs is what whoever comes through a name's package is called at first.
func vendedAs(row ownName) string { return shortName("via " + row.Name) }

// openVended counts the packages of a name, under the identity that it has now, through
// which somebody may still come.
func (c *Client) openVended(ctx context.Context, row ownName) (n int, err error) {
	doc, err := row.doc()
	if err != nil {
		return 0, err
	}
	err = c.st.View(ctx, func(tx *store.Tx) error {
		open, err := tx.Invitations(store.InvitationOpen)
		for _, v := range open {
			if len(v.Secret) == 0 && v.Name == vendedAs(row) && packedBy(v, doc) {
				n++
			}
		}
		return err
	})
	return n, err
}

// vendable makes a package under the name's own identity and saves what accepting it
// takes, and that it is to be uploaded.
func (c *Client) vendable(ctx context.Context, row ownName, oneTime bool) (ownName, error) {
	identity, _, err := row.identity()
	if err != nil {
		return row, err
	}
	cited, err := citation(row)
	if err != nil {
		return row, err
	}
	own, err := c.offerAs(ctx, identity, particle.PackageOptions{OneTime: oneTime, Attestation: cited}, vendedAs(row))
	if err != nil {
		return row, err
	}
	now := row
	err = c.st.Update(ctx, func(tx *store.Tx) (err error) {
		if now, err = ownRowIn(tx, row.setting()); err != nil {
			return err
		}
		if !slices.Equal(now.Identity, row.Identity) {
			return fmt.Errorf("%w: %s has a new key", ErrNotHolder, row.Name)
		}
		if err := own.save(tx); err != nil {
			return err
		}
		stock := stockID(row)
		if err := tx.SetSetting(stockSetting(own.box.ID), stock[:]); err != nil {
			return err
		}
		now.Pending = append(now.Pending, own.secret.Package().Bytes())
		return now.save(tx)
	})
	if err != nil {
		return row, err // which lacks the package that was not saved
	}
	return now, c.at("stocked")
}

// The mailboxes of a name's stock are collected over one connection at each agent, also
// that of a package through which somebody has come: over the new contact's connection it
// would tie the contact to the name, and through it to all others who came by the name.

// stockSetting holds under what a mailbox of a stock is collected.
func stockSetting(m store.MailboxKey) string { return fmt.Sprintf("stock/%x", m[:]) }

// stockID stands for a name's stock where a relationship's id does otherwise.
func stockID(row ownName) store.ID {
	h := sha256.Sum256([]byte(row.setting()))
	return store.ID(h[:len(store.ID{})])
}

// citation is what a package under a name says of it: namespace 32 ‖ statement hash 32.
func citation(row ownName) ([]byte, error) {
	ns, err := proof.ParseNSID(row.NSID)
	if err == nil && len(row.Statement) != len(proof.Hash{}) {
		err = ErrNotAttested
	}
	var b cryptobyte.Builder
	b.AddBytes(ns[:])
	b.AddBytes(row.Statement)
	out, berr := b.Bytes()
	return out, errors.Join(err, berr)
}

// markVended says of a contact that comes through a package that a directory handed out
// how it came about, and returns what the package cites.
func markVended(row *store.Contact, pkg particle.KeyPackage) (cited []byte) {
	cited = pkg.Attestation()
	if len(cited) == citationSize {
		row.Origin = store.OriginDirectory
	}
	return cited
}

// shareVended begins to talk with such a contact about the log of the namespace.
func shareVended(tx *store.Tx, contact store.ID, cited []byte) error {
	if len(cited) != citationSize {
		return nil
	}
	return shareLog(tx, contact, proof.NSID(cited[:len(proof.NSID{})]).String())
}

const citationSize = 2 * 32

// tendNames keeps the stock of each of our names filled, and its records published.
func (c *Client) tendNames(ctx context.Context) error {
	var rows []ownName
	err := c.st.View(ctx, func(tx *store.Tx) (err error) {
		rows, err = ownNames(tx)
		return err
	})
	for _, row := range rows {
		if err != nil {
			return err
		}
		if len(row.Statement) == 0 || !c.nameDue(row) || !c.mayTry("name/"+row.setting()) {
			continue
		}
		err = c.tendName(ctx, row)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			c.opts.Logger.Debug("name not stocked", "err", err)
			err = nil
			continue
		}
		c.health.worked("name/" + row.setting())
	}
	return err
}

func (c *Client) nameDue(row ownName) bool {
	return c.stockDue(row) || c.publishDue(row) || row.Moving != nil || c.nextDue(row)
}

// nextDue is whether an authority may have attested the next identity just now.
func (c *Client) nextDue(row ownName) bool {
	if row.Next == nil {
		return false
	}
	s, err := proof.ParseDraft(row.Next.Draft)
	return err == nil && c.now().Sub(s.Issued).Abs() < nextWatched
}

func (c *Client) stockDue(row ownName) bool { return c.now().Sub(row.Stocked).Abs() >= stockEvery }

func (c *Client) publishDue(row ownName) bool {
	return c.now().Sub(row.Published).Abs() >= publishEvery
}

func (c *Client) tendName(ctx context.Context, row ownName) error {
	p, err := c.placeOf(ctx, row.Label+"@"+row.NSID, row.Peers)
	if err != nil {
		return err
	}
	defer p.dir.Close()
	row, ours, problems := c.stillOurs(ctx, row)
	if !ours {
		return c.leaveName(ctx, row)
	}
	if row.Moving != nil {
		row, err = c.moveName(ctx, row, p)
		problems = errors.Join(problems, err)
	} else if c.stockDue(row) {
		_, err = c.stockName(ctx, row, p)
		problems = errors.Join(problems, err)
	}
	if c.publishDue(row) {
		_, err = c.publishName(ctx, row, p)
		problems = errors.Join(problems, err)
	}
	return problems
}

// leaveName lets a name alone that is not ours any more, until it is looked after again.
// What the overlay has of it ends within two days.
func (c *Client) leaveName(ctx context.Context, row ownName) error {
	_, err := c.changeHeld(ctx, row, func(now *ownName) { now.Stocked, now.Published = c.now(), c.now() })
	return err
}

// handshakeSetting names a handshake in the mailbox of a shared package; its value is
// the contact that came of it. It is the replay cache that a package without a one-time
// prekey needs, and lives as long as the package.
func handshakeSetting(invitation store.ID, h particle.HandshakeID) string {
	return fmt.Sprintf("%s%x", handshakesOf(invitation), h[:])
}

func handshakesOf(invitation store.ID) string { return fmt.Sprintf("handshake/%x/", invitation[:]) }

func forgetHandshakes(tx *store.Tx, invitation store.ID) error {
	keys, err := tx.SettingKeys(handshakesOf(invitation))
	for _, key := range keys {
		if err := tx.DeleteSetting(key); err != nil {
			return err
		}
	}
	return err
}

// takeInShared reads a message from the mailbox of a shared package: a handshake that
// was seen before belongs to its contact, a new one makes another.
func (c *Client) takeInShared(tx *store.Tx, in *arrival, v store.Invitation, secret *particle.PackageSecret, ciphertext []byte) error {
	id, err := particle.HandshakeIDOf(ciphertext)
	if err != nil {
		return c.quarantine(tx, in, store.Contact{}, ciphertext, err.Error())
	}
	known, err := tx.Setting(handshakeSetting(v.ID, id))
	if err == nil && len(known) == len(store.ID{}) {
		return c.takeInRepeated(tx, in, store.ID(known), ciphertext)
	}
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	met, err := tx.SettingKeys(handshakesOf(v.ID))
	if err != nil {
		return err
	}
	if len(met) >= maxShared {
		return c.quarantine(tx, in, store.Contact{}, ciphertext, "too many at once")
	}
	accepted, err := particle.Accept(secret, ciphertext, c.now())
	if err != nil {
		return c.quarantine(tx, in, store.Contact{}, ciphertext, err.Error())
	}
	r := relation{particle: accepted.Particle}
	if r.ID, err = c.randomID(); err != nil {
		return err
	}
	if r.Name, err = c.freeName(tx, v.Name); err != nil {
		return err
	}
	r.State, r.Particle, r.Degraded = store.ContactEstablished, accepted.Particle.Marshal(), true
	vended := markVended(&r.Contact, secret.Package())
	if err := tx.AddContact(r.Contact); err != nil {
		return err
	}
	if err := shareVended(tx, r.ID, vended); err != nil {
		return err
	}
	if err := tx.SetSetting(handshakeSetting(v.ID, id), r.ID[:]); err != nil {
		return err
	}
	in.events = append(in.events, ContactAdded{Contact: r.public()})
	if err := c.saveText(tx, r.ID, accepted.Opened.Message); err != nil {
		return err
	}
	return c.absorbItems(tx, in, &r, accepted.Opened.Message)
}

// takeInRepeated gives a further first message to the contact that its handshake made.
func (c *Client) takeInRepeated(tx *store.Tx, in *arrival, contact store.ID, ciphertext []byte) error {
	r, err := load(tx, contact)
	if errors.Is(err, store.ErrNotFound) {
		return nil // removed since
	}
	if err != nil || r.State == store.ContactRevoked {
		return err
	}
	next, opened, err := r.particle.Receive(ciphertext, c.now())
	if errors.Is(err, particle.ErrDuplicate) {
		return nil
	}
	if err != nil {
		return c.quarantine(tx, in, r.Contact, ciphertext, err.Error())
	}
	return c.absorb(tx, in, &r, next, opened)
}

// Of a name's stock.
const (
	stockSize  = 4 // one-time packages
	stockLow   = 1 // fill up when so few are left
	stockEvery = 6 * time.Hour
	// lastResortLeft is what the shared package must have left before it is replaced: a
	// mailbox for first messages lives a week.
	lastResortLeft = wire.MaxContactAge / 2
	// maxVended bounds the packages of a name through which somebody may still come, each
	// of which has an open mailbox; lastResorts of them are left for the shared ones.
	maxVended   = 4 * stockSize
	lastResorts = 2
	// pendingLeft is what a package must have left to be uploaded.
	pendingLeft = 2 * 24 * time.Hour
	// nextWatched is for how long after a draft of a new key was made each pass looks whether
	// it was attested.
	nextWatched = time.Hour
)
