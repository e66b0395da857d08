package store

import "time"

// InvitationState is where an invitation stands.
type InvitationState uint8

const (
	InvitationOpen     InvitationState = iota // its link can still be used
	InvitationAccepted                        // by the first valid handshake
	InvitationRevoked                         // taken back by us
	InvitationExpired
)

func (s InvitationState) String() string {
	return name(s, "open", "accepted", "revoked", "expired")
}

// Invitation is one that we made and that can be accepted once.
type Invitation struct {
	ID      ID     // random
	Secret  []byte // what the link carries
	BlobID  []byte // under which the key package lies at the host
	Host    string // URI of the host
	Private []byte // private parts of the key package, opaque; empty once spent
	Name    string // for the contact to be
	State   InvitationState
	Created time.Time
	Expiry  time.Time
}

const invitationColumns = `id, secret, blob_id, host, private, name, state, created, expiry`

func scanInvitation(r *row) Invitation {
	return Invitation{
		ID: r.id(), Secret: r.blob(), BlobID: r.blob(), Host: r.text(), Private: r.blob(), Name: r.text(),
		State: InvitationState(r.int()), Created: r.time(), Expiry: r.time(),
	}
}

// AddInvitation stores an invitation; Created is set to now if zero. A name
// must be fit for a contact, but may be taken meanwhile by another one.
func (tx *Tx) AddInvitation(v Invitation) error {
	if v.Name != "" {
		clean, _, err := foldName(v.Name)
		if err != nil {
			return err
		}
		v.Name = clean
	}
	if v.Created.IsZero() {
		v.Created = tx.Now()
	}
	_, err := tx.exec(`INSERT INTO invitations (`+invitationColumns+`)
		VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)`,
		v.ID[:], v.Secret, v.BlobID, v.Host, v.Private, v.Name, int(v.State), v.Created, v.Expiry)
	return err
}

// Invitation returns one invitation.
func (tx *Tx) Invitation(id ID) (Invitation, error) {
	return one(tx, scanInvitation, `SELECT `+invitationColumns+` FROM invitations WHERE id = ?1`, id[:])
}

// Invitations returns the invitations in the given states, all if none is
// given, oldest first.
func (tx *Tx) Invitations(states ...InvitationState) ([]Invitation, error) {
	return list(tx, scanInvitation, `SELECT `+invitationColumns+` FROM invitations
		WHERE (?1 >> state) & 1 ORDER BY created, id`, stateMask(states))
}

// FinishInvitation ends an open invitation and erases its secret and its private
// parts: a second handshake finds nothing. One that has ended before is
// [ErrTransition], which for an acceptance is the alarm.
func (tx *Tx) FinishInvitation(id ID, s InvitationState) error {
	v, err := tx.Invitation(id)
	if err != nil {
		return err
	}
	if v.State != InvitationOpen || s == InvitationOpen {
		return ErrTransition
	}
	return tx.change(`UPDATE invitations SET state = ?2, secret = x'', private = x'' WHERE id = ?1`, id[:], int(s))
}

// DeleteInvitation forgets an invitation; [ErrReference] while a mailbox
// belongs to it.
func (tx *Tx) DeleteInvitation(id ID) error {
	return tx.change(`DELETE FROM invitations WHERE id = ?1`, id[:])
}
