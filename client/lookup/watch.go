package lookup

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"communicator/directory/proof"
)

// aheadVersions is how many versions after the known one a watch asks for: a name that
// changed more often since the last look shows it by the first of them.
const aheadVersions = 16

// Watched is what one look at a name's log entries brought.
type Watched struct {
	Full    string
	Known   uint32   // the highest version known before; 0: none
	Logged  []uint32 // versions after it that are in the log, rising
	Size    int64    // entries of the log
	Result  Result   // of the lookup, if something was new and could be proved; else zero
	Changed bool
	// Warnings has what the owner of the name should know: a log that could not be
	// compared, or an entry that the directories do not show.
	Warnings []string
}

// Watch asks the log of a name's namespace for statements about the name that were not
// known, by their tags, which the owner computes. It is how an owner learns that somebody
// else was given the name. Call it again and again; what it found is remembered.
//
// No proof shows that a tag is not in a log: a directory can leave one out of its
// answer. What it cannot do is show the statement to others and then show this person a
// log without the entry. So ask more than one directory.
//
// What could not be looked up, though the log has it, is a warning. Errors: those of
// [Resolver.Lookup], for the log itself; [ErrFrozen].
func (r *Resolver) Watch(ctx context.Context, name string, peers ...string) (Watched, error) {
	full, err := proof.ParseFullName(name)
	if err != nil {
		return Watched{}, err
	}
	if len(full.Labels) != 1 {
		return Watched{}, fmt.Errorf("%w: a name is watched in its own namespace, without delegations", proof.ErrName)
	}
	n, err := r.Namespace(ctx, full.NS, peers...)
	if err != nil {
		return Watched{}, err
	}
	if n.Frozen {
		return Watched{}, fmt.Errorf("%w: %s", ErrFrozen, n.ID)
	}
	if n, err = r.daily(ctx, n, peers); err != nil {
		return Watched{}, err
	}
	w := Watched{Full: full.String()}
	label := full.Labels[0]
	if w.Known, err = r.known(ctx, n.ID, label); err != nil {
		return w, err
	}
	if err := r.askLog(ctx, n, label, sources(peers, n.Peers), &w); err != nil || len(w.Logged) == 0 {
		return w, err
	}
	w.Changed = true
	w.Result, err = r.Lookup(ctx, name, peers...)
	if err == nil && !slices.Contains(w.Logged, w.Result.Statement.Version) {
		// In the overlay the holder's records go on, also when the namespace takes the name.
		w.Result, err = r.FromDirectories(ctx, name, peers...)
	}
	if err != nil && !errors.Is(err, ErrFrozen) && ctx.Err() == nil {
		w.Result = Result{}
		w.Warnings = append(w.Warnings, "what is new could not be looked up: "+err.Error())
		return w, nil
	}
	if err == nil && !slices.Contains(w.Logged, w.Result.Statement.Version) {
		w.Warnings = append(w.Warnings, fmt.Sprintf("the log has version %d of the name, and what is shown is version %d: somebody is hiding a statement",
			slices.Max(w.Logged), w.Result.Statement.Version))
	}
	return w, err
}

// known returns the highest version of a name that was ever shown.
func (r *Resolver) known(ctx context.Context, id proof.NSID, name proof.Name) (version uint32, err error) {
	err = r.o.Memory.Update(ctx, func(rows Rows) error {
		row, _, err := getRow[nameRow](rows, nameKey(id, name))
		version = row.Version
		return err
	})
	return version, err
}

// askLog compares the newest checkpoint and asks which versions after the known one are
// in the log.
func (r *Resolver) askLog(ctx context.Context, n Namespace, name proof.Name, peers []string, w *Watched) error {
	secret := proof.NameSecret(r.secrets.of(name, n.ID))
	versions := map[proof.Hash]uint32{}
	var tags []proof.Hash
	for v := w.Known + 1; v <= w.Known+aheadVersions; v++ {
		tag := proof.Tag(secret, v)
		versions[tag] = v
		tags = append(tags, tag)
	}
	var note []byte
	err := r.ask(ctx, peers, func(ctx context.Context, d Directory) (err error) {
		if note, err = d.Checkpoint(ctx, n.ID); err != nil {
			return err
		}
		found, err := d.Tags(ctx, n.ID, tags)
		if err != nil {
			return err
		}
		w.Logged = nil
		for tag := range found {
			if v, ok := versions[tag]; ok {
				w.Logged = append(w.Logged, v)
			}
		}
		slices.Sort(w.Logged)
		return nil
	})
	if err != nil {
		return err
	}
	cp, _, err := openAny(n.Chain, note)
	if err != nil {
		if n, err = r.refresh(ctx, n, peers); err != nil {
			return err
		}
		if cp, _, err = openAny(n.Chain, note); err != nil {
			return errors.Join(proof.ErrCheckpoint, err)
		}
	}
	w.Size = cp.Size
	c, err := r.compareLog(ctx, n.ID, peers, note)
	w.Warnings = append(w.Warnings, c.warnings...)
	return err
}
