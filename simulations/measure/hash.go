package measure

import (
	"crypto/sha256"
	"encoding/binary"
	"hash"

	"communicator/simulations/trace"
)

// What a hashed entry is.
const (
	entryEvent = iota + 1
	entryLookup
	entryLoad
)

// hashBuffer is how much is gathered before it is hashed.
const hashBuffer = 16 << 10

// hasher hashes a trace; the package comment has the bytes.
type hasher struct {
	sum hash.Hash
	buf []byte
}

func newHasher() hasher { return hasher{sum: sha256.New(), buf: make([]byte, 0, hashBuffer+256)} }

func (h *hasher) add(kind byte, fields ...int64) {
	h.buf = append(h.buf, kind)
	for _, f := range fields {
		h.buf = binary.AppendVarint(h.buf, f)
	}
	if len(h.buf) >= hashBuffer {
		h.sum.Write(h.buf)
		h.buf = h.buf[:0]
	}
}

func (h *hasher) event(e *trace.Event) {
	h.add(entryEvent, int64(e.At), int64(e.Kind), int64(e.Message), int64(e.User), int64(e.Peer), int64(e.Agent),
		int64(e.Other), int64(e.Mailbox), int64(e.Size), int64(e.Took))
}

func (h *hasher) lookup(l *trace.Lookup) {
	h.add(entryLookup, int64(l.At), int64(l.Took), int64(l.Hops), bit(l.Found), bit(l.True), bit(l.Target), bit(l.Seen))
}

func (h *hasher) load(l *trace.Load) {
	h.add(entryLoad, int64(l.At), int64(l.Agent), int64(l.Queued), int64(l.Held), l.Bytes, l.Events, int64(l.Conns))
}

func bit(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// Hash is the hash of everything heard so far.
func (c *Collector) Hash() (out [32]byte) {
	c.hash.sum.Write(c.hash.buf)
	c.hash.buf = c.hash.buf[:0]
	c.hash.sum.Sum(out[:0])
	return out
}
