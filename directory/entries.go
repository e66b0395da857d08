package directory

import (
	"bytes"
	"context"
	"errors"
	"time"

	"communicator/directory/proof"
	"communicator/directory/vend"
	"communicator/eventlog"
	"communicator/wire"
	"communicator/wire/pb"
)

// entry is a statement on its way into the log.
type entry struct {
	statement proof.Statement
	raw       []byte
	identity  []byte
	secret    proof.NameSecret
	opening   proof.Opening
}

// errAmended: the manifest changed between verifying a statement and logging it.
var errAmended = errors.New("directory: the manifest was amended meanwhile")

// attachments checks what comes with a statement that the log takes.
func (e *entry) attachments(p *pb.Entry) error {
	if len(p.Secret) != len(e.secret) || len(p.Opening) != len(e.opening) {
		return refuse(wire.StatusMalformed, 0)
	}
	e.secret, e.opening = proof.NameSecret(p.Secret), proof.Opening(p.Opening)
	if e.statement.Identity == (proof.Hash{}) {
		if len(p.Identity) != 0 {
			return refuse(wire.StatusMalformed, 0)
		}
		return nil
	}
	if _, err := e.statement.Document(p.Identity); err != nil {
		return refuse(wire.StatusMalformed, 0)
	}
	e.identity = p.Identity
	return nil
}

// fold is one decision about several statements: what they change is seen by those
// behind them.
type fold struct {
	d     *Directory
	s     *space
	r     eventlog.Reader
	space *spaceRow
	now   time.Time
	hold  time.Duration

	names  map[proof.Name]*nameRow
	tags   map[proof.Hash]placed
	events []eventlog.Event
}

// placed is where a statement lies, or will.
type placed struct {
	leaf uint64
	raw  []byte
}

// log makes statements durable, all or none, that were verified under the manifest m. It
// returns the leaf of the first. What is logged already is passed over. Spend, if not
// nil, is a token that they use up, unless all were logged before.
func (d *Directory) log(ctx context.Context, s *space, m proof.Manifest, entries []entry, spend *vend.Spend) (first uint64, err error) {
	logged := 0
	_, err = d.cfg.Log.Decide(ctx, func(now time.Time, tables eventlog.Tables) ([]eventlog.Event, error) {
		f, err := d.newFold(s, m, now, tables)
		if err != nil {
			return nil, err
		}
		logged = 0
		for i := range entries {
			leaf, fresh, err := f.add(&entries[i])
			if err != nil {
				return nil, err
			}
			if fresh {
				logged++
			}
			if i == 0 {
				first = leaf
			}
		}
		if spend == nil || logged == 0 {
			return f.events, nil
		}
		out, err := vend.Step(now, tables.Table(wire.TableVend), d.cfg.Limits.Vend, *spend)
		if err == nil {
			err = stepped(out)
		}
		return append(f.events, vendEvents(out.Facts)...), err
	})
	if err != nil {
		return 0, err
	}
	d.cfg.Metrics.statements.Add(float64(logged))
	return first, nil
}

func (d *Directory) newFold(s *space, m proof.Manifest, now time.Time, tables eventlog.Tables) (*fold, error) {
	f := &fold{
		d: d, s: s, r: tables.Table(wire.TableDirectory), now: now.UTC().Truncate(time.Second), hold: m.Hold,
		names: map[proof.Name]*nameRow{}, tags: map[proof.Hash]placed{},
	}
	var err error
	f.space, err = loadSpace(f.r, s.ns)
	switch {
	case err != nil:
		return nil, err
	case f.space == nil:
		return nil, wire.ErrMalformed
	case f.space.manifests != m.Number:
		return nil, errAmended
	}
	return f, nil
}

// name reads a name's row once.
func (f *fold) name(name proof.Name) (*nameRow, error) {
	if n := f.names[name]; n != nil {
		return n, nil
	}
	return loadName(f.r, f.s.number, name)
}

// known finds the statement with a tag, in the log or ahead of this one.
func (f *fold) known(tag proof.Hash) (*placed, error) {
	if p, ok := f.tags[tag]; ok {
		return &p, nil
	}
	leaf, err := leafOfTag(f.r, f.s.number, tag[:])
	if leaf == nil || err != nil {
		return nil, err
	}
	row, err := load(f.r, nsKey64(rowLeaf, f.s.number, *leaf), parseLeaf)
	if err != nil || row == nil {
		return nil, errors.Join(err, wire.ErrMalformed)
	}
	return &placed{*leaf, row.statement}, nil
}

// add folds one statement; fresh says that it was not logged before.
func (f *fold) add(e *entry) (leaf uint64, fresh bool, err error) {
	n, err := f.name(e.statement.Name)
	if err != nil {
		return 0, false, err
	}
	if n == nil {
		n = &nameRow{secret: e.secret, state: proof.NewName(f.s.ns, e.statement.Name)}
	} else if n.secret != e.secret {
		return 0, false, refuse(wire.StatusMalformed, 0)
	}
	tag := proof.Tag(e.secret, e.statement.Version)
	if e.statement.Version <= n.version {
		p, err := f.known(tag)
		if err != nil {
			return 0, false, err
		}
		if p != nil && bytes.Equal(p.raw, e.raw) {
			return p.leaf, false, nil
		}
	}
	state, err := proof.Fold(n.state, e.statement, f.hold, f.now)
	if err != nil {
		return 0, false, judged(err)
	}
	leaf = f.space.leaves
	f.space.leaves++
	f.names[e.statement.Name] = &nameRow{secret: e.secret, leaf: leaf, version: e.statement.Version, state: state}
	f.tags[tag] = placed{leaf, e.raw}
	l := logged{
		decided: f.now, hold: f.hold, secret: e.secret, opening: e.opening, identity: e.identity, statement: e.raw,
	}
	f.events = append(f.events, facts(KindStatementLogged, f.s.ns, l.marshal(true))...)
	return leaf, true, nil
}

// keepRevocation makes a veto or a revocation durable.
func (d *Directory) keepRevocation(ctx context.Context, s *space, m proof.Manifest, e entry) error {
	_, err := d.cfg.Log.Decide(ctx, func(now time.Time, tables eventlog.Tables) ([]eventlog.Event, error) {
		f, err := d.newFold(s, m, now, tables)
		if err != nil {
			return nil, err
		}
		id := proof.RevocationID(e.statement.Key)
		row, err := f.r.Get(revocationKey(s.number, id, e.statement.Hash()))
		if row != nil || err != nil {
			return nil, err
		}
		kept := 0
		err = f.r.Scan(nsKey(rowRevocation, s.number, id[:]), nil, func(_, _ []byte) bool { kept++; return true })
		if err != nil {
			return nil, err
		}
		if kept >= MaxRevocations {
			return nil, refuse(wire.StatusConflict, 0)
		}
		n, err := f.name(e.statement.Name)
		if err != nil {
			return nil, err
		}
		if n == nil {
			return nil, refuse(wire.StatusConflict, 0)
		}
		if _, err := proof.Fold(n.state, e.statement, f.hold, f.now); err != nil {
			return nil, judged(err)
		}
		l := logged{decided: f.now, hold: f.hold, statement: e.raw}
		return facts(KindRevocationKept, s.ns, l.marshal(false)), nil
	})
	return err
}

// keepCosigned makes a cosigned checkpoint durable, unless a newer one is.
func (d *Directory) keepCosigned(ctx context.Context, s *space, note []byte) error {
	c, err := readNote(note, s.current())
	if err != nil {
		return err
	}
	_, err = d.cfg.Log.Decide(ctx, func(_ time.Time, tables eventlog.Tables) ([]eventlog.Event, error) {
		row, err := tables.Table(wire.TableDirectory).Get(nsKey(rowCosigned, s.number))
		if err != nil {
			return nil, err
		}
		if row != nil {
			old, err := readNote(row, s.current())
			if err == nil && (old.Size > c.Size || bytes.Equal(row, note)) {
				return nil, nil
			}
		}
		return facts(KindCheckpointCosigned, s.ns, note), nil
	})
	return err
}
