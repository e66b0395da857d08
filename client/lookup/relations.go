package lookup

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"sync"

	"communicator/directory/proof"
)

// related asks what the identity that a name stands for, and the one that it was known to
// stand for, say of themselves and others, and holds it against each other. A directory
// learns by the question whose key is meant, so it is not put where the overlay has
// answered and the key is the one that was known: ask [Resolver.Relations] then.
func (r *Resolver) related(ctx context.Context, n Namespace, known proof.Party, res *Result) {
	now := partyOf(res.IdDoc)
	changed := known != proof.Party{} && known != now && !res.Held
	if res.FromOverlay && !changed {
		return
	}
	res.Relations, _ = r.relations(ctx, n, known.Key, now.Key)
	if changed {
		res.explain(known, now)
	}
	res.contradictions()
}

// explain says of a name that passed to another identity whether the former one said so.
func (res *Result) explain(known, now proof.Party) {
	switch {
	case now == proof.Party{}: // released
	case proof.Leads(res.Relations, known, now):
		res.Checks = append(res.Checks, "this key follows the former one: both have signed it")
	case res.PassedOn(known.Key):
		res.Checks = append(res.Checks, "the former key has passed the name on to this one: it has signed that itself")
	default:
		res.Warnings = append(res.Warnings, "no succession from the former key to this one was found")
	}
}

// contradictions warns of relations that cannot all be true.
func (res *Result) contradictions() {
	for _, c := range proof.Conflicts(res.Relations) {
		res.Warnings = append(res.Warnings, "CONTRADICTION: "+ConflictWords(c))
	}
}

// ConflictWords says a contradiction among relations as a person reads it.
func ConflictWords(c proof.Conflict) string {
	switch c.Kind {
	case proof.TwoSuccessors:
		return fmt.Sprintf("%d keys are said to follow the key %s", len(c.Claims), keyWord(c.Of.Key))
	case proof.Circle:
		return fmt.Sprintf("the key %s is said to follow itself, by way of others", keyWord(c.Of.Key))
	}
	return fmt.Sprintf("a name of the key %s stands for another one", keyWord(c.Of.Key))
}

func keyWord(k proof.Key) string { return base64.StdEncoding.EncodeToString(k[:]) }

// partyOf is the identity of a document, zeros for none.
func partyOf(d proof.IdDoc) proof.Party {
	if d == (proof.IdDoc{}) {
		return proof.Party{}
	}
	return proof.PartyOf(d)
}

// knownParty is the identity that a name was last shown to stand for, zeros for none.
func (r *Resolver) knownParty(ctx context.Context, id proof.NSID, name proof.Name) (p proof.Party, err error) {
	err = r.o.Memory.Update(ctx, func(rows Rows) error {
		row, ok, err := getRow[nameRow](rows, nameKey(id, name))
		if err != nil || !ok || row.Vetoed {
			return err
		}
		_, s, err := row.statement()
		if s.Identity != (proof.Hash{}) {
			p = proof.Party{Identity: s.Identity, Key: s.Key}
		}
		return err
	})
	return p, err
}

// Relations asks the directories of a namespace which successions and equivalences the
// identity of a result has signed.
func (r *Resolver) Relations(ctx context.Context, res Result, peers ...string) (Result, error) {
	n, err := r.Namespace(ctx, res.Namespace.String())
	if err != nil {
		return res, err
	}
	n.Peers = sources(peers, n.Peers)
	if res.Relations == nil {
		list, asked := r.relations(ctx, n, partyOf(res.IdDoc).Key)
		if !asked {
			res.Warnings = append(res.Warnings, "relations were not asked for: no directory of the namespace could be reached")
		}
		res.Relations = list
		res.contradictions()
	}
	return res, nil
}

// relations gathers what keys have signed at all the directories that answer in time,
// verified. Zeros are no key.
func (r *Resolver) relations(ctx context.Context, n Namespace, keys ...proof.Key) (list []proof.Relation, asked bool) {
	keys = slices.DeleteFunc(slices.Clone(keys), func(k proof.Key) bool { return k == proof.Key{} })
	if r.o.Dial == nil || len(keys) == 0 {
		return nil, len(keys) == 0
	}
	ctx, cancel := context.WithTimeout(ctx, vetoTimeout)
	defer cancel()
	var mu sync.Mutex // guards list
	var wg sync.WaitGroup
	for _, uri := range n.Peers[:min(len(n.Peers), maxSources)] {
		wg.Go(func() {
			var said []proof.Relation
			_, failed := r.askOne(ctx, uri, func(ctx context.Context, d Directory) error {
				for _, key := range keys {
					one, err := d.Relations(ctx, n.ID, key)
					if err != nil && !errors.Is(err, ErrNotFound) {
						return err
					}
					said = append(said, one...)
				}
				return nil
			})
			mu.Lock()
			defer mu.Unlock()
			asked = asked || failed == nil
			for _, rel := range said {
				about := slices.Contains(keys, rel.A.Key) || slices.Contains(keys, rel.B.Key)
				known := slices.ContainsFunc(list, func(have proof.Relation) bool { return have.ID() == rel.ID() })
				if about && !known && rel.Verify() == nil {
					list = append(list, rel)
				}
			}
		})
	}
	wg.Wait()
	slices.SortFunc(list, func(a, b proof.Relation) int {
		x, y := a.ID(), b.ID()
		return slices.Compare(x[:], y[:])
	})
	return list, asked
}
