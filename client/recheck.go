package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"communicator/client/lookup"
	"communicator/client/store"
	"communicator/directory/proof"
)

// What a contact is known by was true when it was looked up. So the client looks the
// attested names of its contacts up again from time to time, each at a time of its own: a
// key that changed, a veto, a log with two faces, or a name that was given up is told
// without being asked for.
//
//	"looked/" namespace "/" name → [lookedRow]

const lookedSetting = "looked/"

// lookedRow is when a name was looked up, and when it will be.
type lookedRow struct {
	Since  time.Time `json:"since,omitzero"`   // logged, not checked for revocation since
	Next   time.Time `json:"next,omitzero"`    // look again
	Warned string    `json:"warned,omitempty"` // of what, last
}

// lookedKey is where a name's row lies, whatever the namespace is called now.
func lookedKey(tx *store.Tx, name string) string {
	full, err := proof.ParseFullName(name)
	if err == nil && len(full.Labels) == 1 {
		if id, err := lookup.Known(profileRows{tx}, full.NS); err == nil {
			return lookedAs(id, full.Labels[0])
		}
	}
	return lookedSetting + name
}

func lookedAs(id proof.NSID, name proof.Name) string {
	return lookedSetting + id.String() + "/" + string(name)
}

func looked(tx *store.Tx, key string) (row lookedRow, err error) {
	b, err := tx.Setting(key)
	if errors.Is(err, store.ErrNotFound) {
		return row, nil
	}
	if err == nil && json.Unmarshal(b, &row) != nil {
		return lookedRow{}, fmt.Errorf("%w: %s", store.ErrDamaged, key)
	}
	return row, err
}

// noteLooked changes a name's row.
func (c *Client) noteLooked(ctx context.Context, key string, change func(*lookedRow)) error {
	return c.st.Update(ctx, func(tx *store.Tx) error {
		row, err := looked(tx, key)
		if err != nil {
			return err
		}
		change(&row)
		b, err := json.Marshal(row)
		if err != nil {
			return err
		}
		return tx.SetSetting(key, b)
	})
}

// since is the time of the oldest look among names that a contact is known by, zero if
// it is not known of one of them.
func since(tx *store.Tx, names []string) (oldest time.Time) {
	for _, name := range names {
		row, err := looked(tx, lookedKey(tx, name))
		if err != nil || row.Since.IsZero() {
			return time.Time{}
		}
		if oldest.IsZero() || row.Since.Before(oldest) {
			oldest = row.Since
		}
	}
	return oldest
}

// knownName is a name by which contacts are known.
type knownName struct {
	name     string
	key      string // of its row
	contacts []string
	row      lookedRow
}

// knownNames lists them, each once.
func (c *Client) knownNames(ctx context.Context) (list []knownName, err error) {
	err = c.st.View(ctx, func(tx *store.Tx) error {
		list = nil
		for r, err := range everyContact(tx) {
			if err != nil {
				return err
			}
			if r.State == store.ContactRevoked {
				continue
			}
			for _, name := range r.evidence().Names {
				if full, err := proof.ParseFullName(name); err != nil || !remembered(tx, full.NS) {
					continue // forgotten, or of another source: nobody to ask
				}
				key := lookedKey(tx, name)
				i := slices.IndexFunc(list, func(k knownName) bool { return k.key == key })
				if i < 0 {
					row, err := looked(tx, key)
					if err != nil {
						return err
					}
					list = append(list, knownName{name: name, key: key, row: row})
					i = len(list) - 1
				}
				list[i].contacts = append(list[i].contacts, r.Name)
			}
		}
		return nil
	})
	return list, err
}

func remembered(tx *store.Tx, ns string) bool {
	_, err := lookup.Known(profileRows{tx}, ns)
	return err == nil
}

// tendKnownNames looks names of contacts up again as they become due.
func (c *Client) tendKnownNames(ctx context.Context) error {
	if c.opts.Recheck < 0 {
		return nil
	}
	names, err := c.knownNames(ctx)
	if err != nil {
		return err
	}
	done := 0
	for _, k := range names {
		if k.row.Next.IsZero() { // spread over the first day, so that no two go together
			next := c.now().Add(time.Duration(c.rnd.Float64() * float64(c.opts.Recheck)))
			if err := c.noteLooked(ctx, k.key, func(row *lookedRow) { row.Next = next }); err != nil {
				return err
			}
			continue
		}
		if c.now().Before(k.row.Next) || done == maxRechecks || !c.mayTry(k.key) {
			continue
		}
		done++
		if err := c.recheck(ctx, k); err != nil {
			return err
		}
	}
	return nil
}

// recheck looks one name up. What it proves is acted on by [Client.proved], and by
// [Client.caught] if the log contradicts itself; what else a person should know is told
// once.
func (c *Client) recheck(ctx context.Context, k knownName) error {
	resolver, err := c.Names(ctx)
	if err != nil {
		return err
	}
	res, err := lookAgain(ctx, resolver, k.name)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if errors.Is(err, lookup.ErrUnreachable) || errors.Is(err, lookup.ErrNotFound) {
		c.opts.Logger.Debug("a contact's name not looked up", "err", err)
		return nil // tried again soon, and then less and less often
	}
	c.health.worked(k.key)
	warning, proved := warningOf(res, err), err == nil && !res.Uncompared
	next := c.now().Add(time.Duration((0.75 + 0.5*c.rnd.Float64()) * float64(c.opts.Recheck)))
	err = c.noteLooked(ctx, k.key, func(row *lookedRow) {
		row.Next, row.Warned = next, warning
		if proved {
			row.Since = res.LoggedAt
		}
	})
	if err != nil || warning == "" || warning == k.row.Warned {
		return err
	}
	for _, contact := range k.contacts {
		c.events.emit(NameWarning{Contact: contact, Name: k.name, Warning: warning})
	}
	return nil
}

// lookAgain looks a name up, and asks the log whether it has anything newer: in the overlay
// the records that a holder had go on, also when the namespace takes the name.
func lookAgain(ctx context.Context, resolver *lookup.Resolver, name string) (lookup.Result, error) {
	res, err := resolver.Lookup(ctx, name)
	if full, perr := proof.ParseFullName(name); err != nil || perr != nil || len(full.Labels) != 1 {
		return res, err // behind a delegation the log is not asked
	}
	w, err := resolver.Watch(ctx, name)
	switch {
	case errors.Is(err, lookup.ErrFrozen):
		return res, err
	case err != nil || !w.Changed: // without a directory there is what the overlay has
		return res, nil
	}
	if res, err = resolver.FromDirectories(ctx, name); err == nil && !slices.Contains(w.Logged, res.Statement.Version) {
		err = errHidden
	}
	return res, err
}

// errHidden: the log has a statement that nobody shows.
var errHidden = errors.New("the log has a newer statement, and the directories do not show it")

// warningOf says what a person should know of a lookup that changed nothing; empty for
// nothing.
func warningOf(res lookup.Result, err error) string {
	switch {
	case errors.Is(err, lookup.ErrFrozen):
		return "" // told as [AlarmNamespace]
	case errors.Is(err, lookup.ErrVetoed):
		return "its key objects to what the namespace says of it: do not believe that it is another's"
	case err != nil:
		return "what is shown of it does not hold: " + err.Error()
	case res.Held:
		return fmt.Sprintf("a %s was said of it, in force from %s unless its holder objects", res.Change, res.Settles.UTC().Format(time.RFC3339))
	}
	return ""
}
