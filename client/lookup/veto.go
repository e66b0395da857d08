package lookup

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"communicator/directory/proof"
)

// vetoes asks the namespace's directories, all of them, and the overlay whether the key
// that a change replaced objects to it; whoever hides a veto must be the only one who is
// asked. It
// refuses what cannot follow the version before, if that is the one that was seen.
// Settled says that they were asked after the time for an objection was over, so that
// they need not be asked again.
//
// Errors: [ErrVetoed]; proof.ErrBound for a name that is given to somebody without being
// taken from its holder; proof.ErrReplaced for a change that replaces another key than
// the holder's, which no veto explains.
func (r *Resolver) vetoes(ctx context.Context, n Namespace, seen nameRow, res *Result) (settled bool, err error) {
	s := res.Statement
	_, before, err := seen.statement()
	if err != nil {
		return false, err
	}
	next := seen.Version > 0 && s.Version == seen.Version+1
	switch {
	case seen.Vetoed && (seen.Version == s.Version || next && before.Key == s.Replaced):
		return false, ErrVetoed // the change itself, or what was built on it by whom it favoured
	case next && res.Change == proof.FirstBind && before.Kind != proof.Tombstone:
		return false, proof.ErrBound
	}
	odd := next && res.Change != proof.FirstBind && res.Change != proof.Delegating && s.Replaced != before.Key &&
		!(seen.Vetoed && s.Replaced == before.Replaced)
	open := vetoable(res.Change) && s.Replaced != (proof.Key{})
	if seen.Version == s.Version && seen.Settled || !odd && !open {
		return seen.Version == s.Version && seen.Settled, nil
	}
	said, asked := r.revocations(ctx, n, s.Replaced)
	if odd && !explained(said, seen.Version, before) {
		return false, proof.ErrReplaced
	}
	if !open {
		return false, nil
	}
	deadline := res.objectUntil(seen, r.o.Now())
	if objected(said, s, before, res.Change, deadline) {
		return false, errors.Join(fmt.Errorf("%w: version %d, a %s", ErrVetoed, s.Version, res.Change), r.noteVeto(ctx, n.ID, s))
	}
	if !asked {
		res.Warnings = append(res.Warnings, "vetoes were not asked for: no directory of the namespace could be reached")
		return false, nil
	}
	return !r.o.Now().Before(deadline), nil
}

// vetoable is whether the holder before a change may take it back.
func vetoable(change proof.Change) bool {
	switch change {
	case proof.Rotation, proof.HeldReset, proof.Release, proof.HeldRelease:
		return true
	}
	return false
}

// objectUntil is until when the holder may: by this clock, if this name was seen before.
func (res *Result) objectUntil(seen nameRow, now time.Time) time.Time {
	first := now
	switch seen.Version {
	case 0:
		return res.Settles
	case res.Statement.Version:
		first = seen.Seen
	}
	if byUs := first.Add(res.hold); byUs.After(res.Settles) {
		return byUs
	}
	return res.Settles
}

// explained is whether a veto took back the version that was seen, or one before it, so
// that the key which gave it is the holder's again.
func explained(said []proof.Statement, version uint32, seen proof.Statement) bool {
	return slices.ContainsFunc(said, func(v proof.Statement) bool {
		return v.Kind == proof.Veto && v.Name == seen.Name && (v.Version < version || v.Version == version && v.Prev == seen.Hash())
	})
}

// objected is whether the key that s replaces vetoes it in time, and may.
func objected(said []proof.Statement, s, before proof.Statement, change proof.Change, deadline time.Time) bool {
	objects, revoked := false, false
	for _, v := range said {
		switch {
		case v.Name != s.Name:
		case v.Kind == proof.Veto:
			objects = objects || v.Version == s.Version && v.Prev == s.Hash() && !v.Issued.After(deadline.Add(proof.MaxSkew))
		case v.Kind == proof.Revoke:
			revoked = revoked || before.Key == v.Key && proof.RevokeCommitment(v.Revocation) == before.Revocation
		}
	}
	held := change == proof.HeldReset || change == proof.HeldRelease
	return objects && !(held && revoked) // a revoked key has no say against the namespace
}

// revocations gathers what a key has said: at all the directories that answer in time, in
// the overlay, and what contacts have brought; verified. Asked is whether a directory
// answered.
func (r *Resolver) revocations(ctx context.Context, n Namespace, key proof.Key) (said []proof.Statement, asked bool) {
	var mu sync.Mutex // guards said, asked
	add := func(list []proof.Statement) {
		mu.Lock()
		defer mu.Unlock()
		for _, s := range list {
			if s.Key == key && s.NS == n.ID && s.Verify(n.Chain.Current()) == nil {
				said = append(said, s)
			}
		}
	}
	add(r.heard(ctx, key))
	ctx, cancel := context.WithTimeout(ctx, vetoTimeout)
	defer cancel()
	var wg sync.WaitGroup
	wg.Go(func() { add(r.inOverlay(ctx, key)) })
	peers := n.Peers[:min(len(n.Peers), maxSources)]
	if r.o.Dial == nil {
		peers = nil
	}
	for _, uri := range peers {
		wg.Go(func() {
			var list []proof.Statement
			_, err := r.askOne(ctx, uri, func(ctx context.Context, d Directory) (err error) {
				list, err = d.Revocations(ctx, n.Chain, key)
				return err
			})
			if err != nil && !errors.Is(err, ErrNotFound) {
				return
			}
			add(list)
			mu.Lock()
			defer mu.Unlock()
			asked = true
		})
	}
	wg.Wait()
	return said, asked
}

// noteVeto marks a version that is remembered, so that no claim rests on it. A vetoed
// version that is not remembered leaves the row of the one before it as it is.
func (r *Resolver) noteVeto(ctx context.Context, id proof.NSID, s proof.Statement) error {
	return r.o.Memory.Update(ctx, func(rows Rows) error {
		row, ok, err := getRow[nameRow](rows, nameKey(id, s.Name))
		if err != nil || !ok || row.Version != s.Version {
			return err
		}
		if _, before, err := row.statement(); err != nil || before.Hash() != s.Hash() {
			return err
		}
		row.Vetoed = true
		return putRow(rows, nameKey(id, s.Name), row)
	})
}
