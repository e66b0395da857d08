package lookup

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"communicator/directory/proof"
)

// errGap: a directory gave another history than the one that the attested statement
// builds on.
var errGap = errors.New("lookup: the statements between do not lead to the newest")

// between reads the versions that came after the one that was seen and before the one
// that a lookup shows, and returns what is known once they are folded in: as if each of
// them had been looked at now. So a name that is taken and then passed on waits as long as
// one that is taken.
//
// The statement that the log holds names the one before it by its hash, and so on, which
// proves them to be its history. If that does not lead to the statement that was seen, the
// namespace has contradicted itself, and conflict has the statements that show it. What no
// directory gives makes the result [Result.Uncompared].
func (r *Resolver) between(ctx context.Context, n Namespace, seen nameRow, res *Result) (now nameRow, conflict [][]byte, err error) {
	missing := int64(res.Statement.Version) - int64(seen.Version) - 1
	if seen.Version == 0 || missing < 1 {
		return seen, nil, nil
	}
	_, before, err := seen.statement()
	if err != nil {
		return seen, nil, err
	}
	which := fmt.Sprintf("versions %d to %d", seen.Version+1, res.Statement.Version-1)
	if missing == 1 {
		which = fmt.Sprintf("version %d", seen.Version+1)
	}
	history, err := r.history(ctx, n, seen.Version, res.Statement)
	if err != nil {
		if ctx.Err() != nil {
			return seen, nil, context.Cause(ctx)
		}
		res.Uncompared = true
		res.Warnings = append(res.Warnings, which+" of the name could not be read, so what they changed is not known: "+err.Error())
		return seen, nil, nil
	}
	if history[0].Prev != before.Hash() {
		for _, s := range history {
			raw, err := s.Marshal()
			if err != nil {
				return seen, nil, err
			}
			conflict = append(conflict, raw)
		}
		return seen, conflict, nil
	}
	peers := n.Peers
	if n, err = r.Namespace(ctx, n.ID.String()); err != nil { // with the manifests that the newest may have brought
		return seen, nil, err
	}
	n.Peers = peers
	res.past = history
	var changes []string
	for _, s := range history {
		if seen, err = r.follow(ctx, n, seen, s); err != nil {
			return seen, nil, fmt.Errorf("version %d: %w", s.Version, err)
		}
		change, _ := s.Change()
		changes = append(changes, change.String())
	}
	res.Checks = append(res.Checks, fmt.Sprintf("%s read, each signed and building on the one before: %s", which, strings.Join(changes, ", ")))
	return seen, nil, nil
}

// history fetches the statements after a version up to the one before s, oldest first.
func (r *Resolver) history(ctx context.Context, n Namespace, after uint32, s proof.Statement) (list []proof.Statement, err error) {
	missing := int(s.Version - after - 1)
	if missing > maxBetween {
		return nil, fmt.Errorf("%d of them: %w", missing, errGap)
	}
	err = r.ask(ctx, n.Peers, func(ctx context.Context, d Directory) error {
		list, err = d.Statements(ctx, n.ID, s.Name, after, missing)
		if err != nil {
			return err
		}
		if len(list) != missing {
			return errGap
		}
		next := s
		for _, one := range slices.Backward(list) {
			if one.NS != n.ID || one.Name != s.Name || one.Version != next.Version-1 || one.Hash() != next.Prev {
				return errGap
			}
			next = one
		}
		return nil
	})
	return list, err
}

// follow folds one statement into what is known, as a look at it would.
func (r *Resolver) follow(ctx context.Context, n Namespace, seen nameRow, s proof.Statement) (nameRow, error) {
	if _, err := s.SignedUnder(n.Chain); err != nil {
		return seen, err
	}
	change, err := s.Change()
	if err != nil {
		return seen, err
	}
	now, waits := r.o.Now(), n.Manifest.Hold
	step := Result{Verified: proof.Verified{Statement: s, Change: change, Settles: s.Settles(waits)}, hold: waits}
	step.Held = s.NotBefore.After(s.Issued) && now.Before(step.Settles)
	if err := hold(seen, &step, now); err != nil {
		return seen, err
	}
	settled, err := r.vetoes(ctx, n, seen, &step)
	vetoed := errors.Is(err, ErrVetoed) // what follows may be its owner's, who took it back
	if err != nil && !vetoed {
		return seen, err
	}
	next := nameRow{NSID: seen.NSID, Name: seen.Name, Version: s.Version, Seen: now, Settled: settled, Vetoed: vetoed, said: &s}
	if step.Held {
		next.Settles = step.Settles
	}
	return next, nil
}

// contradicted freezes a namespace whose newest statement builds on another past than the
// one that was seen.
func (r *Resolver) contradicted(ctx context.Context, id proof.NSID, name proof.Name, res *Result, past [][]byte) error {
	var day string
	err := r.o.Memory.Update(ctx, func(rows Rows) error {
		seen, _, err := getRow[nameRow](rows, nameKey(id, name))
		if err != nil {
			return err
		}
		space, ok, err := getRow[spaceRow](rows, spaceKey(id))
		if err != nil || !ok {
			return errors.Join(err, notKnown(ok))
		}
		day = seen.on()
		space.Conflict = append([][]byte{seen.Staple, res.Staple}, past...)
		return putRow(rows, spaceKey(id), space)
	})
	if err != nil {
		return err
	}
	return r.caught(ctx, id, fmt.Errorf("%w: %s gives the name another past than on %s", ErrFrozen, id, day))
}
