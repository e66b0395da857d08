package vend

import (
	"encoding/binary"

	"golang.org/x/crypto/cryptobyte"

	"communicator/wire"
)

// Reader reads rows. Slices are valid until the callback, or the next call, returns. An
// event log's table is one.
type Reader interface {
	// Get returns nil, nil when there is no such row.
	Get(key []byte) ([]byte, error)
	// Scan visits rows with the prefix in key order from start on, until fn returns false.
	Scan(prefix, start []byte, fn func(key, value []byte) bool) error
}

// Writer also changes rows, and erases the bodies of facts by their position.
type Writer interface {
	Reader
	Set(key, value []byte) error
	Delete(key []byte) error
	EraseBody(position uint64) error
}

// First bytes of the keys; the package comment draws the rows.
const (
	rowSpace   = 'd'
	rowName    = 'n'
	rowStock   = 'o'
	rowPackage = 'x'
	rowKnown   = 'h'
	rowRequest = 'q'
	rowForget  = 'f'
	rowWaiting = 'w'
	rowToken   = 'k'
	rowExpiry  = 'e'
	rowTokens  = 'c'
	rowEra     = 'v'
)

func key(kind byte, parts ...[]byte) []byte {
	b := append(make([]byte, 0, 48), kind)
	for _, p := range parts {
		b = append(b, p...)
	}
	return b
}

func be32(v uint32) []byte { return binary.BigEndian.AppendUint32(nil, v) }
func be64(v uint64) []byte { return binary.BigEndian.AppendUint64(nil, v) }

func stockPrefix(n NameID, generation uint32) []byte { return key(rowStock, n[:], be32(generation)) }

func stockKey(n NameID, generation uint32, expires Hour, position uint64) []byte {
	return key(rowStock, n[:], be32(generation), be32(uint32(expires)), be64(position))
}

func packageKey(expires Hour, position uint64) []byte {
	return key(rowPackage, be32(uint32(expires)), be64(position))
}

func requestKey(n NameID, r Digest) []byte { return key(rowRequest, n[:], r[:]) }

func forgetKey(h Hour, n NameID, r Digest) []byte { return key(rowForget, be32(uint32(h)), n[:], r[:]) }

func waitingKey(n NameID, position uint64) []byte { return key(rowWaiting, n[:], be64(position)) }

func tokenKey(k TokenKind, s Scope, d Digest) []byte {
	return key(rowToken, []byte{byte(k)}, s[:], d[:])
}

func expiryKey(h Hour, k TokenKind, s Scope, d Digest) []byte {
	return key(rowExpiry, be32(uint32(h)), []byte{byte(k)}, s[:], d[:])
}

func countKey(k TokenKind, s Scope) []byte { return key(rowTokens, []byte{byte(k)}, s[:]) }

// keyHour reads the hour that keys of the kinds 'x', 'f' and 'e' begin with.
func keyHour(key []byte) Hour { return Hour(binary.BigEndian.Uint32(key[1:])) }

// packageRow is what is known of a package until it expires.
type packageRow struct {
	kind       PackageKind
	generation uint32
	name       NameID
	digest     Digest
}

func (p packageRow) marshal() []byte {
	b := binary.BigEndian.AppendUint32(append(make([]byte, 0, 37), byte(p.kind)), p.generation)
	return append(append(b, p.name[:]...), p.digest[:]...)
}

func parsePackage(row []byte) (packageRow, error) {
	var p packageRow
	s := cryptobyte.String(row)
	if !readKind(&s, &p.kind) || !s.ReadUint32(&p.generation) || !s.CopyBytes(p.name[:]) ||
		!s.CopyBytes(p.digest[:]) || !s.Empty() {
		return packageRow{}, wire.ErrMalformed
	}
	return p, nil
}

// requestState is how a request stands.
type requestState uint8

const (
	stateVended   requestState = 1
	stateWaiting  requestState = 2
	stateDeclined requestState = 3
)

// requestRow is what is known of a request until it is forgotten:
//
//	u8 state ‖ u32 generation ‖ u64 position ‖ u32 forget (hour)
type requestRow struct {
	state      requestState
	generation uint32 // of the package
	position   uint64 // of the package, or of the request that waits
	forget     Hour
}

func (r requestRow) marshal() []byte {
	b := binary.BigEndian.AppendUint32(append(make([]byte, 0, 17), byte(r.state)), r.generation)
	b = binary.BigEndian.AppendUint64(b, r.position)
	return binary.BigEndian.AppendUint32(b, uint32(r.forget))
}

func parseRequest(row []byte) (requestRow, error) {
	var r requestRow
	s := cryptobyte.String(row)
	if !s.ReadUint8((*uint8)(&r.state)) || !s.ReadUint32(&r.generation) || !s.ReadUint64(&r.position) ||
		!s.ReadUint32((*uint32)(&r.forget)) || !s.Empty() || r.state < stateVended || r.state > stateDeclined {
		return requestRow{}, wire.ErrMalformed
	}
	return r, nil
}

// load reads one row; nil if there is none.
func load[T any](r Reader, key []byte, parse func([]byte) (T, error)) (*T, error) {
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

func loadSpace(r Reader, id SpaceID) (Space, error) {
	s, err := load(r, key(rowSpace, id[:]), ParseSpace)
	if s == nil {
		return Space{Policy: Policy{Rule: Closed}}, err
	}
	return *s, err
}

// loadEra returns how often the log was restored.
func loadEra(r Reader) (uint32, error) { return getCount(r, []byte{rowEra}) }

func loadName(r Reader, id NameID) (*Name, error) { return load(r, key(rowName, id[:]), ParseName) }

func loadRequest(r Reader, n NameID, d Digest) (*requestRow, error) {
	return load(r, requestKey(n, d), parseRequest)
}

// getCount reads a counter; 0 without a row.
func getCount(r Reader, key []byte) (uint32, error) {
	row, err := r.Get(key)
	if row == nil || err != nil {
		return 0, err
	}
	if len(row) != 4 {
		return 0, wire.ErrMalformed
	}
	return binary.BigEndian.Uint32(row), nil
}

// validToken says whether a token is valid at an hour.
func validToken(r Reader, k TokenKind, s Scope, d Digest, now Hour) (bool, error) {
	expires, err := getCount(r, tokenKey(k, s, d))
	return Hour(expires) > now, err
}

// stocked is a one-time package that may be vended.
type stocked struct {
	expires  Hour
	position uint64
}

// before is the order in which packages are vended.
func (s stocked) before(o stocked) bool {
	return s.expires < o.expires || s.expires == o.expires && s.position < o.position
}

// scanStocked visits the one-time packages of a name that are good long enough, those
// that expire first before others.
func scanStocked(r Reader, id NameID, n Name, now Hour, fn func(stocked) bool) error {
	from := stocked{expires: now + minLeft}
	if from.before(n.from) {
		from = n.from
	}
	prefix := stockPrefix(id, n.Generation)
	return r.Scan(prefix, stockKey(id, n.Generation, from.expires, from.position), func(key, _ []byte) bool {
		at := key[len(prefix):]
		return len(at) == 12 && fn(stocked{Hour(binary.BigEndian.Uint32(at)), binary.BigEndian.Uint64(at[4:])})
	})
}

// firstStocked finds the one-time package that expires first and is good long enough.
func firstStocked(r Reader, id NameID, n Name, now Hour) (found *stocked, err error) {
	err = scanStocked(r, id, n, now, func(s stocked) bool { found = &s; return false })
	return found, err
}
