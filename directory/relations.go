package directory

import (
	"bytes"
	"context"
	"time"

	"communicator/directory/proof"
	"communicator/eventlog"
	"communicator/wire"
	"communicator/wire/mux"
	"communicator/wire/pb"
)

// Successions and equivalences are two identities' word about themselves, and outside of
// the log like vetoes. They lie under both keys, so that who knows either finds the other.
// Each of the two has signed, so nobody fills another's place.

// relationKey is where a relation lies for one of its two keys.
func relationKey(ns nsNumber, key proof.Key, relation proof.Hash) []byte {
	id := proof.RevocationID(key)
	return nsKey(rowRelation, ns, id[:], relation[:])
}

// relate keeps a relation of an identity that holds a name here, or of its successor.
func (c *session) relate(ctx context.Context, op operation) (*pb.DirectoryResponse, error) {
	var req pb.Relate
	if err := op.parse(&req); err != nil {
		return nil, err
	}
	s, err := c.space(req.Namespace)
	if err != nil {
		return nil, err
	}
	if err := c.admitting(); err != nil {
		return nil, err
	}
	name, err := nameIn(req.Name)
	if err != nil {
		return nil, err
	}
	if !c.registrations.Spend(c.remote, c.cfg.Now()) {
		return nil, refuse(wire.StatusTryAgain, retryQuota)
	}
	rel, err := proof.ParseRelation(req.Relation)
	if err != nil {
		return nil, judged(err)
	}
	if op.key != rel.A.Key && op.key != rel.B.Key {
		return nil, refuse(wire.StatusAuth, 0)
	}
	if rel.Issued.After(c.seconds().Add(proof.MaxSkew)) {
		return nil, refuse(wire.StatusExpired, 0)
	}
	if err := rel.Verify(); err != nil {
		return nil, judged(err)
	}
	return nil, c.keepRelation(ctx, s, name, rel, req.Relation)
}

// keepRelation makes a verified relation durable.
func (d *Directory) keepRelation(ctx context.Context, s *space, name proof.Name, rel proof.Relation, raw []byte) error {
	_, err := d.cfg.Log.Decide(ctx, func(now time.Time, tables eventlog.Tables) ([]eventlog.Event, error) {
		r := tables.Table(wire.TableDirectory)
		n, err := loadName(r, s.number, name)
		if err != nil {
			return nil, err
		}
		if n == nil || !holds(n.state.Settle(now), rel.A) && !holds(n.state.Settle(now), rel.B) {
			return nil, refuse(wire.StatusAuth, 0) // as for a name that does not exist
		}
		for _, key := range []proof.Key{rel.A.Key, rel.B.Key} {
			if row, err := r.Get(relationKey(s.number, key, rel.ID())); row != nil || err != nil {
				return nil, err
			}
			kept, id := 0, proof.RevocationID(key)
			err := r.Scan(nsKey(rowRelation, s.number, id[:]), nil, func(_, _ []byte) bool { kept++; return true })
			if err != nil {
				return nil, err
			}
			if kept >= MaxRelations {
				return nil, refuse(wire.StatusConflict, 0)
			}
		}
		return facts(KindRelationKept, s.ns, raw), nil
	})
	return err
}

// holds is whether an identity is one of a name's holders, settled or not.
func holds(st proof.NameState, p proof.Party) bool {
	is := func(h proof.Holder) bool { return h.Kind == proof.Person && h.Identity == p.Identity && h.Key == p.Key }
	for _, step := range st.Open {
		if is(step.Holder) {
			return true
		}
	}
	return is(st.Base)
}

// relation keeps a relation under both of its keys.
func (nameTable) relation(w eventlog.Writer, space *spaceRow, content []byte) error {
	rel, err := proof.ParseRelation(content)
	if err != nil {
		return err
	}
	for _, key := range []proof.Key{rel.A.Key, rel.B.Key} {
		if err := w.Set(relationKey(space.number, key, rel.ID()), content); err != nil {
			return err
		}
	}
	return nil
}

func (d *Directory) getRelations(req *pb.GetRelations, w mux.ReplyWriter) (*pb.DirectoryResponse, error) {
	s, err := d.space(req.Namespace)
	if err != nil {
		return nil, err
	}
	if len(req.Id) != len(proof.Hash{}) {
		return nil, refuse(wire.StatusMalformed, 0)
	}
	var list [][]byte
	err = d.cfg.Log.View(func(tables eventlog.Tables) error {
		return tables.Table(wire.TableDirectory).Scan(nsKey(rowRelation, s.number, req.Id), nil, func(_, v []byte) bool {
			list = append(list, bytes.Clone(v))
			return len(list) < MaxRelations
		})
	})
	if err != nil {
		return nil, err
	}
	for _, r := range list {
		if w.Item(&pb.DirectoryResponse{Status: uint32(wire.StatusOK), Relation: r}) != nil {
			return nil, errGone
		}
	}
	return nil, nil
}
