package store

import "time"

// Origin is how a relationship came about.
type Origin uint8

const (
	OriginLink       Origin = iota // an invitation's link
	OriginIntroduced               // by a contact, who could be in the middle
	OriginNearby                   // a direct exchange, with four words compared
	OriginDirectory                // a name in a namespace
)

// IntroductionRole is our part in an introduction.
type IntroductionRole uint8

const (
	RoleIntroducer IntroductionRole = iota + 1 // Contact is one of the two
	RoleIntroduced                             // Contact is who introduces
	RoleNearby                                 // no introducer: the packages were exchanged directly
)

// IntroductionState is where one side of an introduction stands.
type IntroductionState uint8

const (
	IntroductionAsked    IntroductionState = iota + 1 // waits for the answer
	IntroductionAccepted                              // with a package; the other side's is awaited
	IntroductionPassed                                // the packages have been passed on
	IntroductionDone                                  // the contact has been made
	IntroductionDeclined
	IntroductionEnded   // by the introducer, or because the other side declined
	IntroductionExpired // not answered, or not used, in time
	IntroductionRefused // what came was not fit for use
)

func (s IntroductionState) String() string {
	return name(s, "", "asked", "accepted", "passed", "done", "declined", "ended", "expired", "refused")
}

// Open says whether anything can still happen.
func (s IntroductionState) Open() bool {
	return s == IntroductionAsked || s == IntroductionAccepted || s == IntroductionPassed
}

// Introduction is one side of an introduction: who introduces has two rows with one
// ID, each of the two has one.
type Introduction struct {
	Seq        int64 // names it to the person; grows
	ID         ID    // drawn by who introduces
	Role       IntroductionRole
	Contact    ID     // with whom the steps are exchanged; zero if it has gone
	Via        string // its name when the row was made
	Name       string // of the other one
	Note       string
	State      IntroductionState
	Due        uint8  // the step that we owe Contact, 0 for none
	Session    []byte // in which it was last said, or empty
	Invitation ID     // of our own package; the row may have gone
	Package    []byte // of theirs; empty if there is none
	Result     ID     // the contact that came of it
	Created    time.Time
	Expiry     time.Time
}

const introductionColumns = `seq, id, role, contact, via, name, note, state, due, session, invitation, package,
	result, created, expiry`

func scanIntroduction(r *row) Introduction {
	return Introduction{
		Seq: r.int(), ID: r.id(), Role: IntroductionRole(r.int()), Contact: r.optional(), Via: r.text(),
		Name: r.text(), Note: r.text(), State: IntroductionState(r.int()), Due: uint8(r.int()), Session: r.blob(),
		Invitation: r.optional(), Package: r.blob(), Result: r.optional(), Created: r.time(), Expiry: r.time(),
	}
}

// AddIntroduction stores a side and returns its number; [ErrExists] if the contact has
// one with that ID. Created is set to now if zero.
func (tx *Tx) AddIntroduction(i Introduction) (int64, error) {
	if i.Created.IsZero() {
		i.Created = tx.Now()
	}
	return tx.insert(`INSERT INTO introductions (id, role, contact, via, name, note, state, due, session,
			invitation, package, result, created, expiry)
		VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)`,
		i.ID[:], int(i.Role), null(i.Contact), i.Via, i.Name, i.Note, int(i.State), int(i.Due), i.Session,
		null(i.Invitation), i.Package, null(i.Result), i.Created, i.Expiry)
}

// SetIntroduction replaces what can change of a side: name, state, what is owed,
// invitation, package, result and expiry.
func (tx *Tx) SetIntroduction(i Introduction) error {
	return tx.change(`UPDATE introductions SET state = ?2, due = ?3, session = ?4, invitation = ?5, package = ?6,
		result = ?7, expiry = ?8, name = ?9 WHERE seq = ?1`,
		i.Seq, int(i.State), int(i.Due), i.Session, null(i.Invitation), i.Package, null(i.Result), i.Expiry, i.Name)
}

// Introduction returns one side by its number.
func (tx *Tx) Introduction(seq int64) (Introduction, error) {
	return one(tx, scanIntroduction, `SELECT `+introductionColumns+` FROM introductions WHERE seq = ?1`, seq)
}

// IntroductionOf returns the side of a contact.
func (tx *Tx) IntroductionOf(contact, id ID) (Introduction, error) {
	return one(tx, scanIntroduction, `SELECT `+introductionColumns+` FROM introductions
		WHERE contact = ?1 AND id = ?2`, contact[:], id[:])
}

// OtherIntroduction returns the other side of one that we make.
func (tx *Tx) OtherIntroduction(i Introduction) (Introduction, error) {
	return one(tx, scanIntroduction, `SELECT `+introductionColumns+` FROM introductions
		WHERE id = ?1 AND role = ?2 AND seq <> ?3`, i.ID[:], int(RoleIntroducer), i.Seq)
}

// IntroductionByInvitation returns the side whose package of ours is an invitation's.
func (tx *Tx) IntroductionByInvitation(invitation ID) (Introduction, error) {
	return one(tx, scanIntroduction, `SELECT `+introductionColumns+` FROM introductions
		WHERE invitation = ?1`, invitation[:])
}

// Introductions returns all sides, oldest first.
func (tx *Tx) Introductions() ([]Introduction, error) {
	return list(tx, scanIntroduction, `SELECT `+introductionColumns+` FROM introductions ORDER BY seq`)
}

// PruneIntroductions forgets sides that have ended and expired before a time.
func (tx *Tx) PruneIntroductions(before time.Time) (int64, error) {
	return tx.exec(`DELETE FROM introductions WHERE state > ?1 AND expiry < ?2`, int(IntroductionPassed), before)
}
