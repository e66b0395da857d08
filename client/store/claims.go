package store

import "time"

// ClaimState is what is known of a claim of an attested identity.
type ClaimState uint8

const (
	ClaimUnchecked ClaimState = iota // the statement is not known yet
	ClaimHolds
	ClaimFails
)

func (s ClaimState) String() string { return name(s, "unchecked", "holds", "fails") }

// Claim is a claim of an attested identity in a relationship, made by us or by them.
type Claim struct {
	Contact   ID
	Ours      bool
	Statement [32]byte
	Session   []byte // in which it was made last; empty if it has not been
	Value     []byte // ours: the attested private key; theirs: the MAC
	State     ClaimState
	Name      string // that the statement attests, if known
	At        time.Time
}

const claimColumns = `contact, ours, statement, session, value, state, name, at`

func scanClaim(r *row) Claim {
	return Claim{Contact: r.id(), Ours: r.bool(), Statement: r.b32(), Session: r.blob(), Value: r.blob(),
		State: ClaimState(r.int()), Name: r.text(), At: r.time()}
}

// SetClaim stores a claim, or replaces the one about the same statement. At is set to
// now if zero.
func (tx *Tx) SetClaim(c Claim) error {
	if c.At.IsZero() {
		c.At = tx.Now()
	}
	_, err := tx.exec(`INSERT INTO claims (`+claimColumns+`) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
		ON CONFLICT (contact, ours, statement) DO UPDATE SET session = excluded.session, value = excluded.value,
			state = excluded.state, name = excluded.name, at = excluded.at`,
		c.Contact[:], c.Ours, c.Statement[:], c.Session, c.Value, int(c.State), c.Name, c.At)
	return err
}

// Claims returns the claims in a relationship, or in all if contact is zero, oldest
// first.
func (tx *Tx) Claims(contact ID) ([]Claim, error) {
	return list(tx, scanClaim, `SELECT `+claimColumns+` FROM claims WHERE ?1 IS NULL OR contact = ?1
		ORDER BY at, statement`, null(contact))
}

// DeleteClaim forgets a claim.
func (tx *Tx) DeleteClaim(c Claim) error {
	return tx.change(`DELETE FROM claims WHERE contact = ?1 AND ours = ?2 AND statement = ?3`,
		c.Contact[:], c.Ours, c.Statement[:])
}
