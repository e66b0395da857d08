package directory

import (
	"encoding/binary"

	"communicator/directory/proof"
	"communicator/eventlog"
	"communicator/wire"
	"golang.org/x/crypto/cryptobyte"
)

// First bytes of the keys; the package comment draws the rows.
const (
	rowSpace      = 'n'
	rowPart       = 'p'
	rowManifest   = 'm'
	rowName       = 'a'
	rowLeaf       = 'l'
	rowTag        = 't'
	rowHash       = 'h'
	rowRevocation = 'r'
	rowCosigned   = 'c'
	rowRelation   = 'e'
)

// nsNumber stands for a namespace in keys: namespaces are numbered as they were added.
type nsNumber uint16

func nsKey(kind byte, ns nsNumber, rest ...[]byte) []byte {
	b := binary.BigEndian.AppendUint16(append(make([]byte, 0, 72), kind), uint16(ns))
	for _, r := range rest {
		b = append(b, r...)
	}
	return b
}

func nsKey64(kind byte, ns nsNumber, n uint64) []byte {
	return binary.BigEndian.AppendUint64(nsKey(kind, ns), n)
}

func spaceKey(ns proof.NSID) []byte { return append([]byte{rowSpace}, ns[:]...) }
func partKey(ns []byte) []byte      { return append([]byte{rowPart}, ns...) }

func manifestKey(ns nsNumber, n uint32) []byte {
	return binary.BigEndian.AppendUint32(nsKey(rowManifest, ns), n)
}

func nameKey(ns nsNumber, name proof.Name) []byte { return nsKey(rowName, ns, []byte(name)) }

func revocationKey(ns nsNumber, id, statement proof.Hash) []byte {
	return nsKey(rowRevocation, ns, id[:], statement[:])
}

// spaceRow is what is known of a namespace.
type spaceRow struct {
	number    nsNumber
	manifests uint32
	leaves    uint64
}

func (s spaceRow) marshal() []byte {
	b := binary.BigEndian.AppendUint16(make([]byte, 0, 14), uint16(s.number))
	b = binary.BigEndian.AppendUint32(b, s.manifests)
	return binary.BigEndian.AppendUint64(b, s.leaves)
}

func parseSpace(row []byte) (spaceRow, error) {
	var r spaceRow
	s := cryptobyte.String(row)
	if !s.ReadUint16((*uint16)(&r.number)) || !s.ReadUint32(&r.manifests) || !s.ReadUint64(&r.leaves) || !s.Empty() {
		return spaceRow{}, wire.ErrMalformed
	}
	return r, nil
}

// nameRow is what is known of a name:
//
//	secret 32 ‖ u64 newest leaf ‖ u32 version of it (0: none yet) ‖ state
type nameRow struct {
	secret  proof.NameSecret
	leaf    uint64
	version uint32
	state   proof.NameState
}

func (n nameRow) marshal() []byte {
	state := n.state.Marshal()
	b := append(make([]byte, 0, 44+len(state)), n.secret[:]...)
	b = binary.BigEndian.AppendUint64(b, n.leaf)
	b = binary.BigEndian.AppendUint32(b, n.version)
	return append(b, state...)
}

func parseName(row []byte) (nameRow, error) {
	var n nameRow
	s := cryptobyte.String(row)
	if !s.CopyBytes(n.secret[:]) || !s.ReadUint64(&n.leaf) || !s.ReadUint32(&n.version) {
		return nameRow{}, wire.ErrMalformed
	}
	state, err := proof.ParseNameState(s)
	n.state = state
	return n, err
}

// leafRow is a statement as it is served:
//
//	u16 length ‖ statement ‖ u8 length ‖ identity document ‖ opening 32
type leafRow struct {
	statement []byte
	identity  []byte
	opening   proof.Opening
}

func (l leafRow) marshal() []byte {
	b := binary.BigEndian.AppendUint16(make([]byte, 0, 35+len(l.statement)+len(l.identity)), uint16(len(l.statement)))
	b = append(b, l.statement...)
	b = append(append(b, byte(len(l.identity))), l.identity...)
	return append(b, l.opening[:]...)
}

// parseLeaf copies what it reads.
func parseLeaf(row []byte) (leafRow, error) {
	var l leafRow
	var statement, identity cryptobyte.String
	s := cryptobyte.String(append([]byte(nil), row...))
	if !s.ReadUint16LengthPrefixed(&statement) || !s.ReadUint8LengthPrefixed(&identity) ||
		!s.CopyBytes(l.opening[:]) || !s.Empty() {
		return leafRow{}, wire.ErrMalformed
	}
	l.statement, l.identity = statement, identity
	return l, nil
}

// load reads one row; nil if there is none.
func load[T any](r eventlog.Reader, key []byte, parse func([]byte) (T, error)) (*T, error) {
	row, err := r.Get(key)
	if row == nil || err != nil {
		return nil, err
	}
	v, err := parse(row)
	if err != nil {
		return nil, err
	}
	return &v, nil
}

func loadSpace(r eventlog.Reader, ns proof.NSID) (*spaceRow, error) {
	return load(r, spaceKey(ns), parseSpace)
}

func loadName(r eventlog.Reader, ns nsNumber, name proof.Name) (*nameRow, error) {
	return load(r, nameKey(ns, name), parseName)
}

func parseUint64(row []byte) (uint64, error) {
	if len(row) != 8 {
		return 0, wire.ErrMalformed
	}
	return binary.BigEndian.Uint64(row), nil
}

// leafOfTag returns the leaf with a tag, nil if there is none.
func leafOfTag(r eventlog.Reader, ns nsNumber, tag []byte) (*uint64, error) {
	return load(r, nsKey(rowTag, ns, tag), parseUint64)
}
