package lookup

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"communicator/directory/proof"

	"golang.org/x/mod/sumdb/tlog"
)

// compare holds a result against what was seen before, and remembers it.
func (r *Resolver) compare(ctx context.Context, n Namespace, name proof.Name, res *Result) error {
	staple, err := proof.ParseStaple(res.Staple)
	if err != nil {
		return err
	}
	if err := r.compareLog(ctx, n.ID, n.Peers, staple.Checkpoint, &res.Checks, &res.Warnings); err != nil {
		return err
	}
	contradiction := false
	err = r.o.Memory.Update(ctx, func(rows Rows) error {
		contradiction = false
		seen, ok, err := getRow[nameRow](rows, nameKey(n.ID, name))
		if err != nil {
			return err
		}
		now := nameRow{NSID: n.ID.String(), Name: string(name), Version: res.Statement.Version, Staple: res.Staple, Seen: r.o.Now()}
		if !ok {
			return putRow(rows, nameKey(n.ID, name), now)
		}
		if seen.Version > now.Version {
			return fmt.Errorf("%w: version %d, and version %d was seen on %s", ErrRolledBack,
				now.Version, seen.Version, seen.Seen.UTC().Format(time.DateOnly))
		}
		if seen.Version == now.Version {
			if same, err := sameStatement(seen.Staple, res.Statement); err != nil || same {
				return err // the first staple is kept: its checkpoint is the older witness
			}
			space, _, err := getRow[spaceRow](rows, spaceKey(n.ID))
			if err != nil {
				return err
			}
			contradiction = true
			space.Conflict = [][]byte{seen.Staple, res.Staple}
			return putRow(rows, spaceKey(n.ID), space)
		}
		res.Checks = append(res.Checks, fmt.Sprintf("follows version %d, seen on %s", seen.Version, seen.Seen.UTC().Format(time.DateOnly)))
		return putRow(rows, nameKey(n.ID, name), now)
	})
	if err == nil && contradiction {
		err = fmt.Errorf("%w: %s said two things about version %d", ErrFrozen, n.ID, res.Statement.Version)
	}
	return err
}

func sameStatement(staple []byte, now proof.Statement) (bool, error) {
	st, err := proof.ParseStaple(staple)
	if err != nil {
		return false, fmt.Errorf("%w: %w", ErrMemory, err)
	}
	before, err := proof.ParseStatement(st.Statement)
	if err != nil {
		return false, fmt.Errorf("%w: %w", ErrMemory, err)
	}
	return !proof.Contradict(before, now), nil
}

// compareLog holds a verified checkpoint against the newest one that is remembered, and
// remembers the larger of them if one log holds both. If nobody can be asked for the
// proof it adds a warning and leaves the memory alone.
func (r *Resolver) compareLog(ctx context.Context, id proof.NSID, peers []string, note []byte, checks, warnings *[]string) error {
	var row spaceRow
	var n Namespace
	err := r.o.Memory.Update(ctx, func(rows Rows) (err error) {
		var ok bool
		if row, ok, err = getRow[spaceRow](rows, spaceKey(id)); err != nil || !ok {
			return errors.Join(err, notKnown(ok))
		}
		n, err = row.namespace()
		return err
	})
	if err != nil {
		return err
	}
	if n.Frozen {
		return fmt.Errorf("%w: %s", ErrFrozen, id)
	}
	fork, verdict, err := r.relate(ctx, n, peers, row.Checkpoint, note)
	if err != nil {
		return err
	}
	switch {
	case fork != nil:
	case verdict == uncompared:
		*warnings = append(*warnings, "the log could not be compared with what it showed before: no directory of the namespace gave the proof")
		return nil
	case verdict == continues && row.Checkpoint != nil:
		*checks = append(*checks, fmt.Sprintf("the log continues the one seen on %s", row.Seen.UTC().Format(time.DateOnly)))
	}
	err = r.o.Memory.Update(ctx, func(rows Rows) error {
		now, ok, err := getRow[spaceRow](rows, spaceKey(id))
		if err != nil || !ok {
			return errors.Join(err, notKnown(ok))
		}
		if fork != nil {
			now.Fork = fork
		} else if verdict != older && string(now.Checkpoint) == string(row.Checkpoint) {
			now.Checkpoint, now.Seen = note, r.o.Now()
		}
		return putRow(rows, spaceKey(id), now)
	})
	if err == nil && fork != nil {
		err = fmt.Errorf("%w: %s", ErrFrozen, id)
	}
	return err
}

func notKnown(ok bool) error {
	if ok {
		return nil
	}
	return ErrUnknownNamespace
}

// verdict is how a checkpoint stands to the remembered one.
type verdict uint8

const (
	continues  verdict = iota // the same, newer, or the first
	older                     // one log holds both, and the remembered one is larger
	uncompared                // nobody gave a proof
)

// relate compares two checkpoints of a log; a fork is returned as its proof.
func (r *Resolver) relate(ctx context.Context, n Namespace, peers []string, before, now []byte) (fork []byte, _ verdict, err error) {
	if before == nil || string(before) == string(now) {
		return nil, continues, nil
	}
	old, err := openAny(n.Chain, before)
	if err != nil {
		return nil, uncompared, fmt.Errorf("%w: %w", ErrMemory, err)
	}
	current, err := openAny(n.Chain, now)
	if err != nil {
		return nil, uncompared, err
	}
	small, large, smallNote, largeNote := old, current, before, now
	result := continues
	if old.Size > current.Size {
		small, large, smallNote, largeNote, result = current, old, now, before, older
	}
	if small.Size == large.Size || small.Size == 0 {
		if small.Size == 0 || small.Root == large.Root {
			return nil, result, nil
		}
		fork, err = makeFork(n.Chain, smallNote, largeNote, tlog.Hash{}, nil)
		return fork, result, err
	}
	err = r.ask(ctx, peers, func(ctx context.Context, d Directory) error {
		p, root, err := d.Consistency(ctx, n.ID, small.Size, large.Size)
		if err != nil {
			return err
		}
		if root == small.Root {
			return proof.VerifyConsistency(small, large, p)
		}
		fork, err = makeFork(n.Chain, smallNote, largeNote, root, p)
		return err
	})
	if err != nil {
		return nil, uncompared, nil
	}
	return fork, result, nil
}

func makeFork(c proof.Chain, a, b []byte, prefix tlog.Hash, p tlog.TreeProof) ([]byte, error) {
	f, err := proof.NewFork(c, a, b, prefix, p)
	if err != nil {
		return nil, err
	}
	return f.Marshal()
}

// openAny opens a checkpoint under the newest manifest that takes it: the log's key and
// its witnesses change.
func openAny(c proof.Chain, note []byte) (cp proof.Checkpoint, err error) {
	for number := c.Current().Number; number > 0; number-- {
		m, merr := c.Manifest(number)
		if merr != nil {
			return cp, errors.Join(err, merr)
		}
		if cp, err = proof.OpenCheckpoint(note, c.NSID(), m); err == nil {
			return cp, nil
		}
	}
	return cp, err
}

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

// ByStatement finds the name that was last shown with the statement of this hash.
// Errors: [ErrNotFound], [ErrFrozen] for a namespace that is believed no more.
func ByStatement(rows Rows, hash proof.Hash) (Seen, error) {
	keys, err := rows.Keys("name-")
	if err != nil {
		return Seen{}, err
	}
	for _, key := range keys {
		row, _, err := getRow[nameRow](rows, key)
		if err != nil {
			return Seen{}, err
		}
		staple, err := proof.ParseStaple(row.Staple)
		if err != nil {
			return Seen{}, fmt.Errorf("%w: %w", ErrMemory, err)
		}
		s, err := proof.ParseStatement(staple.Statement)
		if err != nil {
			return Seen{}, fmt.Errorf("%w: %w", ErrMemory, err)
		}
		if s.Hash() != hash || len(staple.IdDoc) == 0 {
			continue
		}
		if space, _, err := getRow[spaceRow](rows, spaceKey(s.NS)); err != nil || space.Fork != nil || len(space.Conflict) > 0 {
			return Seen{}, errors.Join(ErrFrozen, err)
		}
		doc, err := proof.ParseIdDoc(staple.IdDoc)
		return Seen{s.Name, s.NS, doc}, err
	}
	return Seen{}, ErrNotFound
}

// Observe compares a checkpoint that somebody else was shown, such as a contact, with
// what is remembered. A namespace that is not remembered is passed over. Its errors are
// those of proof.OpenCheckpoint, [ErrUncompared] if nobody could be asked for a proof
// that is needed, and [ErrFrozen] when the two prove that the log has two faces: [Resolver.Namespace] then has the proof.
func (r *Resolver) Observe(ctx context.Context, note []byte) error {
	origin, _, _ := strings.Cut(string(note[:min(len(note), proof.MaxCheckpoint)]), "\n")
	id, err := proof.ParseNSID(origin) // a hint: OpenCheckpoint demands it signed
	if err != nil {
		return err
	}
	n, err := r.Namespace(ctx, id.String())
	if errors.Is(err, ErrUnknownNamespace) || errors.Is(err, ErrUnreachable) {
		return nil
	}
	if err != nil || n.Frozen {
		return err
	}
	if _, err := openAny(n.Chain, note); err != nil {
		if n, err = r.refresh(ctx, n); err != nil {
			return err
		}
		if _, err := openAny(n.Chain, note); err != nil {
			return err
		}
	}
	var checks, warnings []string
	if err := r.compareLog(ctx, id, n.Peers, note, &checks, &warnings); err != nil {
		return err
	}
	if len(warnings) > 0 {
		return ErrUncompared
	}
	return nil
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
