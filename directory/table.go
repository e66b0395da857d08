package directory

import (
	"encoding/binary"
	"errors"
	"fmt"

	"communicator/directory/proof"
	"communicator/directory/vend"
	"communicator/eventlog"
	"communicator/wire"
)

// Projections returns the tables of a directory, for opening the log.
func Projections() []eventlog.Projection {
	return []eventlog.Projection{nameTable{}, vendTable{}}
}

// vendTable is the table of [vend].
type vendTable struct{}

func (vendTable) Name() string { return "vend" }
func (vendTable) ID() byte     { return wire.TableVend }

// Apply implements [eventlog.Projection].
func (vendTable) Apply(w eventlog.Writer, r eventlog.Record, _ []byte) error {
	if !vend.Ours(uint16(r.Kind)) {
		return nil
	}
	f, err := vend.ParseFact(uint16(r.Kind), r.Version, r.Stream, r.Header)
	if err == nil {
		err = vend.Apply(w, r.Seq, r.Time, f)
	}
	if err != nil {
		return errInvariant(r, err)
	}
	return nil
}

// nameTable holds namespaces, names and the transparency logs.
type nameTable struct{}

func (nameTable) Name() string { return "directory" }
func (nameTable) ID() byte     { return wire.TableDirectory }

// Apply implements [eventlog.Projection].
func (t nameTable) Apply(w eventlog.Writer, r eventlog.Record, _ []byte) error {
	if !ours(r.Kind) {
		return nil
	}
	if r.Version != eventVersion || len(r.Stream) != len(proof.NSID{}) {
		return errInvariant(r, wire.ErrVersion)
	}
	if err := t.apply(w, r); err != nil {
		return errInvariant(r, err)
	}
	return nil
}

func (t nameTable) apply(w eventlog.Writer, r eventlog.Record) error {
	content, err := t.whole(w, r)
	if err != nil {
		return err
	}
	ns := proof.NSID(r.Stream)
	if r.Kind == KindPart {
		return w.Set(partKey(r.Stream), content)
	}
	if r.Kind == KindManifestAccepted {
		return t.manifest(w, ns, content)
	}
	space, err := loadSpace(w, ns)
	if err != nil {
		return err
	}
	if space == nil {
		return errors.New("about a namespace that is not here")
	}
	switch r.Kind {
	case KindStatementLogged:
		return t.statement(w, ns, space, content)
	case KindRevocationKept:
		return t.revocation(w, space, content)
	case KindRelationKept:
		return t.relation(w, space, content)
	}
	return w.Set(nsKey(rowCosigned, space.number), content)
}

// whole puts a fact together with the parts before it, which are dropped with the last.
func (nameTable) whole(w eventlog.Writer, r eventlog.Record) ([]byte, error) {
	front, err := w.Get(partKey(r.Stream))
	if err != nil || front == nil {
		return r.Header, err
	}
	content := append(append(make([]byte, 0, len(front)+len(r.Header)), front...), r.Header...)
	if r.Kind == KindPart {
		return content, nil
	}
	return content, w.Delete(partKey(r.Stream))
}

// manifest numbers a namespace that is new by counting those that are known.
func (nameTable) manifest(w eventlog.Writer, ns proof.NSID, signed []byte) error {
	space, err := loadSpace(w, ns)
	if err != nil {
		return err
	}
	if space == nil {
		space = new(spaceRow)
		err := w.Scan([]byte{rowSpace}, nil, func(_, _ []byte) bool { space.number++; return true })
		if err != nil {
			return err
		}
	}
	space.manifests++
	if err := w.Set(manifestKey(space.number, space.manifests), signed); err != nil {
		return err
	}
	return w.Set(spaceKey(ns), space.marshal())
}

// statement folds a statement into its name's state and adds its leaf to the tree.
func (t nameTable) statement(w eventlog.Writer, ns proof.NSID, space *spaceRow, content []byte) error {
	l, err := parseLogged(content, true)
	if err != nil {
		return err
	}
	s, err := proof.ParseStatement(l.statement)
	if err != nil {
		return err
	}
	n, err := loadName(w, space.number, s.Name)
	if err != nil {
		return err
	}
	if n == nil {
		n = &nameRow{secret: l.secret, state: proof.NewName(ns, s.Name)}
	}
	if n.state, err = proof.Fold(n.state, s, l.hold, l.decided); err != nil {
		return err
	}
	n.leaf, n.version = space.leaves, s.Version
	if err := w.Set(nameKey(space.number, s.Name), n.marshal()); err != nil {
		return err
	}
	row := leafRow{statement: l.statement, identity: l.identity, opening: l.opening}
	if err := w.Set(nsKey64(rowLeaf, space.number, space.leaves), row.marshal()); err != nil {
		return err
	}
	tag := proof.Tag(l.secret, s.Version)
	leaf := binary.BigEndian.AppendUint64(nil, space.leaves)
	if err := w.Set(nsKey(rowTag, space.number, tag[:]), leaf); err != nil {
		return err
	}
	if err := growTree(w, space.number, space.leaves, l.leaf(s.Version)); err != nil {
		return err
	}
	space.leaves++
	return w.Set(spaceKey(ns), space.marshal())
}

// revocation folds a veto or a revocation, and keeps it under its key's id.
func (nameTable) revocation(w eventlog.Writer, space *spaceRow, content []byte) error {
	l, err := parseLogged(content, false)
	if err != nil {
		return err
	}
	s, err := proof.ParseStatement(l.statement)
	if err != nil {
		return err
	}
	n, err := loadName(w, space.number, s.Name)
	if err != nil {
		return err
	}
	if n == nil {
		return fmt.Errorf("a revocation of a name that is not bound")
	}
	if n.state, err = proof.Fold(n.state, s, l.hold, l.decided); err != nil {
		return err
	}
	if err := w.Set(nameKey(space.number, s.Name), n.marshal()); err != nil {
		return err
	}
	return w.Set(revocationKey(space.number, proof.RevocationID(s.Key), s.Hash()), l.statement)
}
