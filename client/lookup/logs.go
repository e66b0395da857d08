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

// verdict is how a checkpoint stands to the remembered one.
type verdict uint8

const (
	continues  verdict = iota // the same, newer, or the first
	older                     // one log holds both, and the remembered one is larger
	uncompared                // nobody gave a proof
	forked                    // no log holds both, and both are by the log's key in force
	doubtful                  // no log holds both, and one is by a key that was replaced since
)

// relation is what comparing two checkpoints of a log brought.
type relation struct {
	verdict verdict
	fork    []byte // the proof of forked and doubtful
	current bool   // the new checkpoint is by the log's key in force
}

// compared is what a person is told of comparing a log.
type compared struct {
	verdict          verdict
	checks, warnings []string
}

// compareLog holds a verified checkpoint against the newest one that is remembered, and
// remembers the larger of them if one log holds both. If nobody can be asked for the
// proof it warns and leaves the memory alone. A fork freezes the namespace ([ErrFrozen])
// if the log's key in force signed both sides; otherwise the key was replaced since, may
// have been stolen, and it warns.
func (r *Resolver) compareLog(ctx context.Context, id proof.NSID, peers []string, note []byte) (c compared, err error) {
	var row spaceRow
	var n Namespace
	err = r.o.Memory.Update(ctx, func(rows Rows) (err error) {
		var ok bool
		if row, ok, err = getRow[spaceRow](rows, spaceKey(id)); err != nil || !ok {
			return errors.Join(err, notKnown(ok))
		}
		n, err = row.namespace()
		return err
	})
	if err != nil {
		return c, err
	}
	if n.Frozen {
		return c, fmt.Errorf("%w: %s", ErrFrozen, id)
	}
	rel, err := r.relate(ctx, n, peers, row.Checkpoint, note)
	if err != nil {
		return c, err
	}
	c.verdict = rel.verdict
	switch {
	case rel.verdict == uncompared:
		c.warnings = append(c.warnings, "the log could not be compared with what it showed before: no directory of the namespace gave the proof")
		return c, nil
	case rel.verdict == doubtful:
		c.warnings = append(c.warnings, fmt.Sprintf("the log contradicts the one seen on %s, under a key of the log that was replaced since", row.Seen.UTC().Format(time.DateOnly)))
	case rel.verdict == continues && row.Checkpoint != nil:
		c.checks = append(c.checks, fmt.Sprintf("the log continues the one seen on %s", row.Seen.UTC().Format(time.DateOnly)))
	}
	err = r.o.Memory.Update(ctx, func(rows Rows) error {
		now, ok, err := getRow[spaceRow](rows, spaceKey(id))
		if err != nil || !ok {
			return errors.Join(err, notKnown(ok))
		}
		switch {
		case rel.verdict == forked:
			now.Fork = rel.fork
		case rel.current && rel.verdict != older && string(now.Checkpoint) == string(row.Checkpoint):
			now.Checkpoint, now.Seen = note, r.o.Now()
		}
		return putRow(rows, spaceKey(id), now)
	})
	if err == nil && rel.verdict == forked {
		err = r.caught(ctx, id, fmt.Errorf("%w: %s", ErrFrozen, id))
	}
	return c, err
}

// caught tells whoever wants to know that a namespace is frozen now, and why.
func (r *Resolver) caught(ctx context.Context, id proof.NSID, why error) error {
	if r.o.Frozen == nil {
		return why
	}
	return errors.Join(why, r.o.Frozen(ctx, id))
}

func notKnown(ok bool) error {
	if ok {
		return nil
	}
	return ErrUnknownNamespace
}

// relate compares two checkpoints of a log.
func (r *Resolver) relate(ctx context.Context, n Namespace, peers []string, before, now []byte) (relation, error) {
	current, byCurrent, err := openAny(n.Chain, now)
	if err != nil {
		return relation{verdict: uncompared}, err
	}
	same := relation{verdict: continues, current: byCurrent}
	if before == nil || string(before) == string(now) {
		return same, nil
	}
	old, _, err := openAny(n.Chain, before)
	if err != nil {
		return relation{verdict: uncompared}, fmt.Errorf("%w: %w", ErrMemory, err)
	}
	small, large, smallNote, largeNote := old, current, before, now
	if old.Size > current.Size {
		small, large, smallNote, largeNote, same.verdict = current, old, now, before, older
	}
	if small.Size == 0 || small.Size == large.Size && small.Root == large.Root {
		return same, nil
	}
	if small.Size == large.Size {
		return makeFork(n.Chain, smallNote, largeNote, tlog.Hash{}, nil, byCurrent)
	}
	found := same
	err = r.ask(ctx, peers, func(ctx context.Context, d Directory) error {
		p, root, err := d.Consistency(ctx, n.ID, small.Size, large.Size)
		if err != nil {
			return err
		}
		if root == small.Root {
			return proof.VerifyConsistency(small, large, p)
		}
		fork, err := makeFork(n.Chain, smallNote, largeNote, root, p, byCurrent)
		if err == nil {
			found = fork
		}
		return err
	})
	if err != nil {
		return relation{verdict: uncompared, current: byCurrent}, nil
	}
	return found, nil
}

// makeFork proves that two checkpoints contradict each other, and says what that is worth.
func makeFork(c proof.Chain, a, b []byte, prefix tlog.Hash, p tlog.TreeProof, byCurrent bool) (relation, error) {
	f, err := proof.NewFork(c, a, b, prefix, p)
	if err != nil {
		return relation{verdict: uncompared}, err
	}
	found, err := f.Verify(c)
	if err != nil {
		return relation{verdict: uncompared}, err
	}
	rel := relation{verdict: doubtful, current: byCurrent}
	if found.Current {
		rel.verdict = forked
	}
	rel.fork, err = f.Marshal()
	return rel, err
}

// openAny opens a checkpoint for comparing, under the newest manifest that explains its
// lines: the log's key and its witnesses change. How many witnesses there are does not
// matter here, the log's signature alone binds it. Current is whether it is by the log's
// key in force.
func openAny(c proof.Chain, note []byte) (cp proof.Checkpoint, current bool, err error) {
	err = proof.ErrManifest
	for number := c.Current().Number; number > 0; number-- {
		m, merr := c.Manifest(number)
		if merr != nil {
			return cp, false, errors.Join(err, merr)
		}
		m.WitnessThreshold = 0
		opened, oerr := proof.OpenCheckpoint(note, c.NSID(), m)
		if oerr == nil {
			return opened, m.Log == c.Current().Log, nil
		}
		if number == c.Current().Number {
			err = oerr
		}
	}
	return cp, false, err
}

// Observe compares a checkpoint that somebody else was shown, such as a contact, with
// what is remembered. A namespace that is not remembered is passed over.
//
// Errors: those of proof.OpenCheckpoint; [ErrUncompared] if nobody could be asked for a
// proof that is needed; [ErrUnreachable] if nobody could be asked for the manifest that
// explains the checkpoint; [ErrFrozen] when the two prove that the log has two faces, or
// the namespace was frozen already: [Resolver.Namespace] then has the proof;
// [ErrFormerKey] when they contradict each other under a key that was replaced.
func (r *Resolver) Observe(ctx context.Context, note []byte) error {
	origin, _, _ := strings.Cut(string(note[:min(len(note), proof.MaxCheckpoint)]), "\n")
	id, err := proof.ParseNSID(origin) // a hint: OpenCheckpoint demands it signed
	if err != nil {
		return err
	}
	n, err := r.Namespace(ctx, id.String())
	switch {
	case errors.Is(err, ErrUnknownNamespace):
		return nil
	case err != nil:
		return err
	case n.Frozen:
		return fmt.Errorf("%w: %s", ErrFrozen, id)
	}
	if _, _, err := openAny(n.Chain, note); err != nil {
		if n, err = r.refresh(ctx, n, n.Peers); err != nil {
			return err
		}
		if _, _, err := openAny(n.Chain, note); err != nil {
			return err
		}
	}
	c, err := r.compareLog(ctx, id, n.Peers, note)
	switch {
	case err != nil:
		return err
	case c.verdict == uncompared:
		return ErrUncompared
	case c.verdict == doubtful:
		return fmt.Errorf("%w: %s", ErrFormerKey, id)
	}
	return nil
}
