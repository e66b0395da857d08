package store

import (
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// ContactState is where a relationship stands.
type ContactState uint8

const (
	ContactPending     ContactState = iota // first contact under way
	ContactEstablished                     // both sides have a session
	ContactRevoked                         // we took our addresses back
	ContactNeedsReset                      // the session must not be used: re-establish
)

func (s ContactState) String() string {
	return name(s, "pending", "established", "revoked", "needs-reset")
}

// name returns the word for a state.
func name[T ~uint8](s T, words ...string) string {
	if int(s) < len(words) {
		return words[s]
	}
	return fmt.Sprintf("state(%d)", s)
}

// Contact is one relationship.
type Contact struct {
	ID       ID     // random
	Name     string // as the person wrote it; unique when case-folded
	State    ContactState
	Particle []byte // the relationship's state, opaque
	Trust    uint64 // marks of what has been verified; the client defines the bits
	Evidence []byte // what the marks rest on (statements, transcripts), opaque
	Degraded bool   // fewer services than a relationship should have
	Created  time.Time
	Origin   Origin // how the relationship came about
	Via      string // who introduced it, by the name of then
}

const contactColumns = `id, name, state, particle, trust, evidence, degraded, created, origin, via`

func scanContact(r *row) Contact {
	return Contact{
		ID: r.id(), Name: r.text(), State: ContactState(r.int()), Particle: r.blob(), Trust: r.uint(),
		Evidence: r.blob(), Degraded: r.bool(), Created: r.time(),
		Origin: Origin(r.int()), Via: r.text(),
	}
}

// AddContact stores a contact; [ErrExists] when its id or its name is taken.
// Created is set to now if zero.
func (tx *Tx) AddContact(c Contact) error {
	clean, folded, err := foldName(c.Name)
	if err != nil {
		return err
	}
	if c.Created.IsZero() {
		c.Created = tx.Now()
	}
	_, err = tx.exec(`INSERT INTO contacts (id, name, folded, state, particle, trust, evidence, degraded, created, origin, via)
		VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)`,
		c.ID[:], clean, folded, int(c.State), c.Particle, c.Trust, c.Evidence, c.Degraded, c.Created, int(c.Origin), c.Via)
	return err
}

// Contact returns one contact.
func (tx *Tx) Contact(id ID) (Contact, error) {
	return one(tx, scanContact, `SELECT `+contactColumns+` FROM contacts WHERE id = ?1`, id[:])
}

// ContactByName returns the contact with this name, whatever its case.
func (tx *Tx) ContactByName(name string) (Contact, error) {
	_, folded, err := foldName(name)
	if err != nil {
		return Contact{}, err
	}
	return one(tx, scanContact, `SELECT `+contactColumns+` FROM contacts WHERE folded = ?1`, folded)
}

// Contacts returns all contacts by name, without Particle and Evidence.
func (tx *Tx) Contacts() ([]Contact, error) {
	return list(tx, scanContact,
		`SELECT id, name, state, x'', trust, x'', degraded, created, origin, via FROM contacts ORDER BY folded`)
}

// SetParticle replaces a relationship's state. The former bytes are overwritten
// in the file; [Store.Scrub] empties the log of them too.
func (tx *Tx) SetParticle(id ID, particle []byte) error {
	return tx.change(`UPDATE contacts SET particle = ?2 WHERE id = ?1`, id[:], particle)
}

// SetContactState changes where a relationship stands.
func (tx *Tx) SetContactState(id ID, s ContactState) error {
	return tx.change(`UPDATE contacts SET state = ?2 WHERE id = ?1`, id[:], int(s))
}

// RenameContact gives a contact another name, or the same in another case.
func (tx *Tx) RenameContact(id ID, name string) error {
	clean, folded, err := foldName(name)
	if err != nil {
		return err
	}
	return tx.change(`UPDATE contacts SET name = ?2, folded = ?3 WHERE id = ?1`, id[:], clean, folded)
}

// SetTrust replaces the marks and what they rest on.
func (tx *Tx) SetTrust(id ID, marks uint64, evidence []byte) error {
	return tx.change(`UPDATE contacts SET trust = ?2, evidence = ?3 WHERE id = ?1`, id[:], marks, evidence)
}

// SetDegraded says whether the relationship has too few services.
func (tx *Tx) SetDegraded(id ID, degraded bool) error {
	return tx.change(`UPDATE contacts SET degraded = ?2 WHERE id = ?1`, id[:], degraded)
}

// DeleteContact erases a contact with its outbox, attempts, history and
// quarantine; [ErrReference] while it has a mailbox, which must be closed at its
// agent and deleted first.
func (tx *Tx) DeleteContact(id ID) error {
	return tx.change(`DELETE FROM contacts WHERE id = ?1`, id[:])
}

// foldName trims a name and returns it with its case-folded form. Every rune is
// replaced by the least of those that Unicode's simple case folding makes
// equal; composed and decomposed accents stay different names.
func foldName(name string) (clean, folded string, err error) {
	clean = strings.Join(strings.Fields(name), " ")
	if clean == "" || len(clean) > MaxName || !utf8.ValidString(clean) {
		return "", "", fmt.Errorf("%w: a name has 1 to %d bytes of UTF-8", ErrInvalid, MaxName)
	}
	for _, r := range clean {
		if !unicode.IsPrint(r) {
			return "", "", fmt.Errorf("%w: unprintable character in a name", ErrInvalid)
		}
	}
	folded = strings.Map(func(r rune) rune {
		least := r
		for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
			least = min(least, f)
		}
		return least
	}, clean)
	return clean, folded, nil
}
