package lookup

import (
	"context"
	"fmt"
	"time"

	"communicator/directory/proof"
)

// compare holds a result against what was seen before, and remembers it.
func (r *Resolver) compare(ctx context.Context, n Namespace, name proof.Name, res *Result) error {
	staple, err := proof.ParseStaple(res.Staple)
	if err != nil {
		return err
	}
	log, err := r.compareLog(ctx, n.ID, n.Peers, staple.Checkpoint)
	res.Checks, res.Warnings = append(res.Checks, log.checks...), append(res.Warnings, log.warnings...)
	if err != nil {
		return err
	}
	res.Uncompared = log.verdict == uncompared
	var seen nameRow
	err = r.o.Memory.Update(ctx, func(rows Rows) error {
		seen, _, err = getRow[nameRow](rows, nameKey(n.ID, name))
		return err
	})
	if err != nil {
		return err
	}
	seen, past, err := r.between(ctx, n, seen, res)
	if err != nil {
		return err
	}
	if past != nil {
		return r.contradicted(ctx, n.ID, name, res, past)
	}
	if err := hold(seen, res, r.o.Now()); err != nil {
		return err
	}
	settled, err := r.vetoes(ctx, n, seen, res)
	if err != nil {
		return err
	}
	conflict := false
	err = r.o.Memory.Update(ctx, func(rows Rows) (err error) {
		conflict, err = r.remember(rows, n.ID, name, res, settled)
		return err
	})
	if err == nil && conflict {
		err = r.caught(ctx, n.ID, fmt.Errorf("%w: %s said two things about version %d, or about what came before it", ErrFrozen, n.ID, res.Statement.Version))
	}
	return err
}

// remember keeps what a lookup showed, unless what was seen before speaks against it:
// conflict says that the namespace's own signatures do, which freezes it.
func (r *Resolver) remember(rows Rows, id proof.NSID, name proof.Name, res *Result, settled bool) (conflict bool, err error) {
	seen, ok, err := getRow[nameRow](rows, nameKey(id, name))
	if err != nil {
		return false, err
	}
	now := nameRow{NSID: id.String(), Name: string(name), Version: res.Statement.Version, Staple: res.Staple, Seen: r.o.Now(), Settled: settled}
	if res.Held {
		now.Settles = res.Settles
	}
	if ok {
		if seen.Version > now.Version {
			return false, rolledBack(seen, now.Version)
		}
		_, before, err := seen.statement()
		if err != nil {
			return false, err
		}
		if contradict(before, res.Statement) {
			space, _, err := getRow[spaceRow](rows, spaceKey(id))
			if err != nil {
				return false, err
			}
			space.Conflict = [][]byte{seen.Staple, res.Staple}
			return true, putRow(rows, spaceKey(id), space)
		}
		if seen.Version == now.Version {
			seen.Settled = seen.Settled || settled
			return false, putRow(rows, nameKey(id, name), seen) // the first staple is kept: its checkpoint is the older witness
		}
		res.follows(seen, before)
	}
	if res.Uncompared {
		return false, nil // what this log says is not yet known to be what it said before
	}
	return false, putRow(rows, nameKey(id, name), now)
}

func rolledBack(seen nameRow, version uint32) error {
	return fmt.Errorf("%w: version %d, and version %d was seen on %s", ErrRolledBack, version, seen.Version, seen.on())
}

// contradict is whether no honest namespace has said both: two statements of one
// version, or a next version that builds on another statement than the one seen.
func contradict(before, now proof.Statement) bool {
	return proof.Contradict(before, now) || now.Version == before.Version+1 && now.Prev != before.Hash()
}

// follows says how a newer version stands to the one seen before.
func (res *Result) follows(seen nameRow, before proof.Statement) {
	if res.Statement.Version == seen.Version+1 {
		res.Checks = append(res.Checks, fmt.Sprintf("builds on version %d, seen on %s", seen.Version, seen.on()))
	} else {
		res.Checks = append(res.Checks, fmt.Sprintf("newer than version %d, seen on %s", seen.Version, seen.on()))
	}
	if res.Statement.Key != before.Key || res.Statement.Identity != before.Identity {
		res.Warnings = append(res.Warnings, fmt.Sprintf("the key is another one than on %s (a %s)", seen.on(), res.Change))
	}
	if res.Statement.Delegate != before.Delegate {
		res.Warnings = append(res.Warnings, fmt.Sprintf("the namespace that it stands for is another one than on %s (a %s)", seen.on(), res.Change))
	}
}

// hold lets holds run by this clock: the times that a statement claims are the
// namespace's, which could date a change back until nobody can object to it. What takes
// a name from whom it was seen with settles no sooner than a hold after it is first seen.
func hold(seen nameRow, res *Result, now time.Time) error {
	settles := time.Time{}
	switch {
	case seen.Version == 0 || seen.Version > res.Statement.Version:
		return nil
	case seen.Version == res.Statement.Version:
		settles = seen.Settles
	default:
		_, before, err := seen.statement()
		if err != nil {
			return err
		}
		if takes(before, res.Change) {
			settles = now.Add(res.hold)
		}
		// What builds on a change that waits, waits with it; what its victim says does not.
		// The roots' word waits for nobody.
		byRoots := res.Change == proof.RootReset || res.Change == proof.RootRelease
		if seen.Settles.After(now) && seen.Settles.After(settles) && res.Statement.Replaced == before.Key && !byRoots {
			settles = seen.Settles
		}
	}
	if res.Settles.After(settles) && !settles.IsZero() {
		settles = res.Settles
	}
	if settles.After(now) && (!res.Held || settles.After(res.Settles)) {
		res.Warnings = append(res.Warnings, fmt.Sprintf("a %s that was not seen before: not in force before %s", res.Change, settles.UTC().Format(time.RFC3339)))
	}
	if settles.After(now) {
		res.Held, res.Settles = true, settles
	}
	return nil
}

// takes is whether a change takes a name from its holder without being asked.
func takes(before proof.Statement, change proof.Change) bool {
	switch change {
	case proof.HeldReset, proof.HeldRelease:
		return true
	case proof.Delegating:
		return before.Kind != proof.Tombstone
	}
	return false
}
