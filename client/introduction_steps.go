package client

import (
	"errors"
	"time"

	"communicator/client/store"
	"communicator/particle"
)

// What each step of an introduction does when it arrives. All of it happens in the
// transaction that takes the message in. A step that does not fit the state is a
// repetition, or late, and changes nothing: each side says a step again when a session
// was re-established, since it cannot know whether the last one was read.

// absorbItems takes in what a message says beside its text. What comes in a session that
// has been replaced does not count: the other side says it again in the new one.
func (c *Client) absorbItems(tx *store.Tx, in *arrival, r *relation, m particle.Message) error {
	if m.Checkpoint != nil {
		if err := c.absorbCheckpoint(tx, r.ID, m.Checkpoint); err != nil {
			return err
		}
	}
	if m.Claim != nil {
		if err := c.absorbClaim(tx, r, *m.Claim); err != nil {
			return err
		}
	}
	if m.Relation != nil {
		if err := c.absorbRelation(tx, in, r, m.Relation); err != nil {
			return err
		}
	}
	if m.Veto != nil {
		if err := c.absorbVeto(tx, in, r, m.Veto); err != nil {
			return err
		}
	}
	if m.Introduction != nil {
		return c.absorbIntroduction(tx, in, r, *m.Introduction)
	}
	return nil
}

func (c *Client) absorbIntroduction(tx *store.Tx, in *arrival, r *relation, m particle.Introduction) error {
	i, err := tx.IntroductionOf(r.ID, store.ID(m.ID))
	if errors.Is(err, store.ErrNotFound) {
		if m.Step != particle.IntroductionAsk {
			return nil
		}
		return c.asked(tx, in, r, m)
	}
	if err != nil {
		return err
	}
	before := i.State
	switch {
	case i.Role == store.RoleIntroducer && m.Step == particle.IntroductionAccept:
		err = c.accepted(tx, i, m)
	case i.Role == store.RoleIntroducer && m.Step == particle.IntroductionDecline:
		err = c.declined(tx, i)
	case i.Role == store.RoleIntroduced && m.Step == particle.IntroductionPass:
		err = c.passed(tx, in, i, m)
	case i.Role == store.RoleIntroduced && m.Step == particle.IntroductionEnd:
		err = c.ended(tx, i)
	}
	if err != nil {
		return err
	}
	return c.tellRequest(tx, in, i.Seq, before)
}

// tellRequest makes an event of a side that has changed.
func (c *Client) tellRequest(tx *store.Tx, in *arrival, seq int64, before store.IntroductionState) error {
	i, err := tx.Introduction(seq)
	if err != nil || i.State == before {
		return err
	}
	q, err := requestOf(tx, i)
	if err == nil {
		in.events = append(in.events, RequestChanged{q})
	}
	return err
}

// asked keeps the question for the person to answer. One that comes too late is kept to
// be shown as such.
func (c *Client) asked(tx *store.Tx, in *arrival, r *relation, m particle.Introduction) error {
	now := c.now()
	i := store.Introduction{
		ID: store.ID(m.ID), Role: store.RoleIntroduced, Contact: r.ID, Via: r.Name, Name: m.Name, Note: m.Note,
		State: store.IntroductionAsked, Expiry: m.Expires,
	}
	if latest := now.Add(IntroductionLife); i.Expiry.After(latest) {
		i.Expiry = latest.Truncate(time.Second)
	}
	if !now.Before(i.Expiry) {
		i.State = store.IntroductionExpired
	}
	all, err := tx.Introductions()
	if err != nil {
		return err
	}
	open := 0
	for _, o := range all {
		if o.Contact == r.ID && o.Role == store.RoleIntroduced && o.State == store.IntroductionAsked {
			open++
		}
	}
	if open >= maxAsked {
		c.opts.Logger.Debug("introduction dropped: too many wait")
		return nil
	}
	if i.Seq, err = tx.AddIntroduction(i); err != nil {
		return err
	}
	return c.tellRequest(tx, in, i.Seq, 0)
}

// accepted takes the package of one of the two whom we introduce, and owes both the
// other's once there are two.
func (c *Client) accepted(tx *store.Tx, i store.Introduction, m particle.Introduction) error {
	if i.State != store.IntroductionAsked || !c.now().Before(i.Expiry) {
		return nil
	}
	o, err := tx.OtherIntroduction(i)
	if errors.Is(err, store.ErrNotFound) {
		return end(tx, i, store.IntroductionEnded)
	}
	if err != nil {
		return err
	}
	pkg, err := c.peerPackage(m.Package)
	if err != nil {
		if err := end(tx, o, store.IntroductionEnded); err != nil {
			return err
		}
		return end(tx, i, store.IntroductionRefused)
	}
	i.State, i.Due, i.Package = store.IntroductionAccepted, 0, m.Package
	if o.State != store.IntroductionAccepted {
		return tx.SetIntroduction(i)
	}
	other, err := c.peerPackage(o.Package)
	if err == nil {
		_, err = particle.Begins(pkg.Identity(), other.Identity())
	}
	if err != nil { // the first one waited too long, or both are one
		if err := end(tx, o, store.IntroductionExpired); err != nil {
			return err
		}
		return end(tx, i, store.IntroductionEnded)
	}
	for _, side := range []store.Introduction{i, o} {
		side.State, side.Due, side.Session = store.IntroductionPassed, uint8(particle.IntroductionPass), nil
		if err := tx.SetIntroduction(side); err != nil {
			return err
		}
	}
	return nil
}

// declined ends both sides of an introduction of ours.
func (c *Client) declined(tx *store.Tx, i store.Introduction) error {
	if !waitsForOne(i.State) {
		return nil
	}
	i.State, i.Due, i.Package = store.IntroductionDeclined, 0, nil
	if err := tx.SetIntroduction(i); err != nil {
		return err
	}
	o, err := tx.OtherIntroduction(i)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	return end(tx, o, store.IntroductionEnded)
}

// passed takes the other side's package. Who begins the handshake does so in upkeep, which
// may ask agents; the other one waits for it, unless it was faster than this message.
func (c *Client) passed(tx *store.Tx, in *arrival, i store.Introduction, m particle.Introduction) error {
	if len(i.Package) > 0 || i.State != store.IntroductionAccepted && i.State != store.IntroductionDone {
		return nil
	}
	pkg, err := c.peerPackage(m.Package)
	if i.State == store.IntroductionDone {
		return c.passedLate(tx, in, i, pkg, m.Package)
	}
	if err == nil {
		err = c.fits(tx, i, pkg)
	}
	i.Due = 0
	if errors.Is(err, ErrBadPackage) {
		i.State = store.IntroductionRefused
		if err := c.withdrawOffer(tx, i.Invitation); err != nil {
			return err
		}
		return tx.SetIntroduction(i)
	}
	if err != nil {
		return err
	}
	i.State, i.Package = store.IntroductionPassed, m.Package
	return tx.SetIntroduction(i)
}

// fits says whether the other side's package can meet ours.
func (c *Client) fits(tx *store.Tx, i store.Introduction, pkg particle.KeyPackage) error {
	_, own, err := openOffer(tx, i.Invitation)
	if errors.Is(err, store.ErrNotFound) {
		return ErrBadPackage
	}
	if err != nil {
		return err
	}
	return c.usable(own, pkg)
}

// usable says whether two packages can meet, by beginning the handshake and forgetting
// it: a key of low order shows in no signature.
func (c *Client) usable(own *particle.PackageSecret, pkg particle.KeyPackage) error {
	if _, err := particle.Begins(own.Identity().Doc(), pkg.Identity()); err != nil {
		return errors.Join(ErrBadPackage, err)
	}
	if _, err := particle.Initiate(c.opts.Rand, own.Identity(), pkg, nil, c.now()); err != nil {
		return errors.Join(ErrBadPackage, err)
	}
	return nil
}

// passedLate compares who has come with who should have: the handshake was faster than
// the package.
func (c *Client) passedLate(tx *store.Tx, in *arrival, i store.Introduction, pkg particle.KeyPackage, raw []byte) error {
	i.Due, i.Package = 0, raw
	if err := tx.SetIntroduction(i); err != nil || i.Result == (store.ID{}) {
		return err
	}
	r, err := load(tx, i.Result)
	if err != nil {
		return err
	}
	if pkg.Identity() == r.particle.Peer() {
		return nil
	}
	in.events = append(in.events, Alarm{Contact: r.Name, Kind: AlarmIntroduction})
	return c.distrust(tx, &r, ResetStranger)
}

// ended is the introducer's word that nothing will come of it.
func (c *Client) ended(tx *store.Tx, i store.Introduction) error {
	if !waitsForOne(i.State) {
		return nil
	}
	i.State, i.Due = store.IntroductionEnded, 0
	if err := c.withdrawOffer(tx, i.Invitation); err != nil {
		return err
	}
	return tx.SetIntroduction(i)
}

// meeting is what an offer's mailbox expects, if it was made for one person.
type meeting struct {
	store.Introduction
	found bool
}

func meetingOf(tx *store.Tx, invitation store.ID) (meeting, error) {
	i, err := tx.IntroductionByInvitation(invitation)
	if errors.Is(err, store.ErrNotFound) {
		return meeting{}, nil
	}
	return meeting{i, err == nil}, err
}

// stranger says whether a handshake came from somebody else than the one whose package
// we were given. Who introduces passes packages in its own time, so before that anybody
// who was given ours may come; in a direct exchange nobody may.
func (m meeting) stranger(peer particle.IdDoc) bool {
	if !m.found {
		return false
	}
	if len(m.Package) == 0 {
		return m.Role == store.RoleNearby
	}
	pkg, err := particle.ParsePackage(m.Package)
	return err != nil || pkg.Identity() != peer
}

// mark fills in how a new contact came about.
func (m meeting) mark(row *store.Contact) {
	if !m.found {
		return
	}
	row.Origin, row.Via = store.OriginIntroduced, m.Via
	if m.Role == store.RoleNearby {
		row.Origin, row.Via = store.OriginNearby, ""
	}
}

// called is what the contact is to be called, and wanted what the offer says.
func (m meeting) called(wanted string) string {
	if m.found && m.Role == store.RoleNearby {
		return m.Name
	}
	return wanted
}

// met notes the contact that came of it and what is known of who it is.
func (c *Client) met(tx *store.Tx, in *arrival, m meeting, r *relation) error {
	if !m.found {
		return nil
	}
	before := m.State
	m.State, m.Result = store.IntroductionDone, r.ID
	if err := tx.SetIntroduction(m.Introduction); err != nil {
		return err
	}
	if err := c.firstTrust(tx, m, r); err != nil {
		return err
	}
	return c.tellRequest(tx, in, m.Seq, before)
}

func (c *Client) firstTrust(tx *store.Tx, m meeting, r *relation) error {
	if m.Role == store.RoleNearby {
		return c.verify(tx, r, VerifiedNearby)
	}
	return c.unverify(tx, r)
}
