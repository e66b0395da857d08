package lookup

import (
	"context"
	"errors"
	"fmt"
	"time"

	"communicator/directory/proof"
)

// Known finds the id that a petname or an id stands for in a memory, without asking
// anybody: within a transaction of the memory's own. Errors: [ErrUnknownNamespace].
func Known(rows Rows, petnameOrID string) (proof.NSID, error) {
	all, err := spaces(rows)
	if err != nil {
		return proof.NSID{}, err
	}
	for _, row := range all {
		if row.NSID == petnameOrID || row.Petname == petnameOrID && petnameOrID != "" {
			return proof.ParseNSID(row.NSID)
		}
	}
	return proof.NSID{}, ErrUnknownNamespace
}

// Petname returns what a namespace is called in a memory, empty if it has no name.
func Petname(rows Rows, id proof.NSID) (string, error) {
	row, _, err := getRow[spaceRow](rows, spaceKey(id))
	return row.Petname, err
}

// Frozen lists the namespaces of a memory that are believed no more.
func Frozen(rows Rows) (out []proof.NSID, err error) {
	all, err := spaces(rows)
	for _, row := range all {
		if row.Fork == nil && len(row.Conflict) == 0 {
			continue
		}
		id, perr := proof.ParseNSID(row.NSID)
		if perr != nil {
			return nil, fmt.Errorf("%w: %w", ErrMemory, perr)
		}
		out = append(out, id)
	}
	return out, err
}

// Remembered returns the newest checkpoint of a namespace's log in a memory, nil if
// there is none.
func Remembered(rows Rows, id string) ([]byte, error) {
	ns, err := proof.ParseNSID(id)
	if err != nil {
		return nil, err
	}
	row, _, err := getRow[spaceRow](rows, spaceKey(ns))
	return row.Checkpoint, err
}

// Seen is an attestation that a lookup has verified and that is remembered.
type Seen struct {
	Name  proof.Name
	NS    proof.NSID
	IdDoc proof.IdDoc
}

// ByStatement finds the name that was last shown with the statement of this hash, which
// has to be in force: one that waits, or was vetoed, is not found.
// Errors: [ErrNotFound], [ErrFrozen] for a namespace that is believed no more.
func ByStatement(rows Rows, hash proof.Hash, now time.Time) (Seen, error) {
	keys, err := rows.Keys("name-")
	if err != nil {
		return Seen{}, err
	}
	for _, key := range keys {
		row, _, err := getRow[nameRow](rows, key)
		if err != nil {
			return Seen{}, err
		}
		staple, s, err := row.statement()
		if err != nil {
			return Seen{}, err
		}
		if s.Hash() != hash || len(staple.IdDoc) == 0 || row.Vetoed || s.NotBefore.After(now) || row.Settles.After(now) {
			continue
		}
		if space, _, err := getRow[spaceRow](rows, spaceKey(s.NS)); err != nil || space.Fork != nil || len(space.Conflict) > 0 {
			return Seen{}, errors.Join(ErrFrozen, err)
		}
		doc, err := s.Document(staple.IdDoc)
		return Seen{s.Name, s.NS, doc}, err
	}
	return Seen{}, ErrNotFound
}

// NameOf finds a name that was last shown to stand for an identity, in force or not, as it
// is shown to a person. Errors: [ErrNotFound].
func NameOf(rows Rows, p proof.Party) (string, error) {
	keys, err := rows.Keys("name-")
	if err != nil {
		return "", err
	}
	for _, key := range keys {
		row, _, err := getRow[nameRow](rows, key)
		if err != nil {
			return "", err
		}
		_, s, err := row.statement()
		if err != nil {
			return "", err
		}
		if s.Identity != p.Identity || s.Key != p.Key || row.Vetoed {
			continue
		}
		space := s.NS.String()
		if petname, err := Petname(rows, s.NS); err == nil && petname != "" {
			space = petname
		}
		return string(s.Name) + "@" + space, nil
	}
	return "", ErrNotFound
}

// Checkpoints returns the newest checkpoint that is remembered of each namespace, to
// show to contacts.
func (r *Resolver) Checkpoints(ctx context.Context) (out map[proof.NSID][]byte, err error) {
	out = map[proof.NSID][]byte{}
	err = r.o.Memory.Update(ctx, func(rows Rows) error {
		all, err := spaces(rows)
		for _, row := range all {
			id, perr := proof.ParseNSID(row.NSID)
			if perr != nil {
				return fmt.Errorf("%w: %w", ErrMemory, perr)
			}
			if row.Checkpoint != nil {
				out[id] = row.Checkpoint
			}
		}
		return err
	})
	return out, err
}
