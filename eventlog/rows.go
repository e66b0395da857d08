package eventlog

import (
	"encoding/binary"

	"communicator/wire"
	"communicator/wire/logproof"
)

// First bytes of the store's keys; the package comment draws the rows.
const (
	keyBatch    = 'h'
	keyBody     = 'b'
	keyOnce     = 'i'
	keyTable    = 't'
	keyMeta     = 'm'
	keySnapshot = 's'
	// keyCheckpoint holds signed anchors by sequence.
	keyCheckpoint = 'c'
)

// Meta rows.
var (
	metaLog      = []byte("mlog")      // eras
	metaTables   = []byte("mtables")   // the projections the rows were made by
	metaRebuild  = []byte("mrebuild")  // present while a rebuild is under way
	metaSnapshot = []byte("msnapshot") // the newest signed snapshot, and where headers begin
	metaKinds    = []byte("mkinds")    // the kinds of events that the log ever held
	metaTick     = []byte("mtick")     // written by commits that hold no event
)

const (
	bodyErased = 0 // a body row's first byte
	bodyStored = 1
	// bodyOffset is where the body begins in its row.
	bodyOffset = 1 + 8 + logproof.SaltSize

	tagSize = 16
)

// tag files an idempotency key, and compares content, without storing either.
type tag [tagSize]byte

func seqKey(kind byte, seq uint64) []byte {
	key := make([]byte, 9)
	key[0] = kind
	binary.BigEndian.PutUint64(key[1:], seq)
	return key
}

func onceKey(t tag) []byte { return append([]byte{keyOnce}, t[:]...) }

// once is an idempotency row: the first append's sequence and its content.
type once struct {
	seq     uint64
	content tag
}

func (o once) encode() []byte {
	value := make([]byte, 8+tagSize)
	binary.BigEndian.PutUint64(value, o.seq)
	copy(value[8:], o.content[:])
	return value
}

func parseOnce(value []byte) (o once, err error) {
	if len(value) != 8+tagSize {
		return o, wire.ErrMalformed
	}
	o.seq = binary.BigEndian.Uint64(value)
	copy(o.content[:], value[8:])
	return o, nil
}

// tableKey is the store's key of a projection's row.
func tableKey(id byte, key []byte) []byte {
	full := make([]byte, 0, 2+len(key))
	return append(append(full, keyTable, id), key...)
}

// counters are sums over the whole log, carried in every batch row.
type counters struct {
	bodies    uint64 // stored now
	bodyBytes uint64 // of them
	volume    uint64 // bytes ever written to the store's tree, see checkpointEvery
}
