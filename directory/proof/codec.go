package proof

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"time"

	"communicator/wire"

	"golang.org/x/crypto/cryptobyte"
)

// writer appends to a layout; integers are big-endian.
type writer struct{ b []byte }

func (w *writer) u8(v uint8)   { w.b = append(w.b, v) }
func (w *writer) u16(v uint16) { w.b = binary.BigEndian.AppendUint16(w.b, v) }
func (w *writer) u32(v uint32) { w.b = binary.BigEndian.AppendUint32(w.b, v) }
func (w *writer) u64(v uint64) { w.b = binary.BigEndian.AppendUint64(w.b, v) }
func (w *writer) raw(p []byte) { w.b = append(w.b, p...) }

func (w *writer) time(t time.Time) { w.u64(uint64(t.Unix())) }

// var8 and var16 write a length in front.
func (w *writer) var8(p []byte)  { w.u8(uint8(len(p))); w.raw(p) }
func (w *writer) var16(p []byte) { w.u16(uint16(len(p))); w.raw(p) }

// reader takes a layout apart. The first fault is kept, and everything read after it
// is zero, so a parser checks once at its end.
type reader struct {
	s   cryptobyte.String
	err error
}

func (r *reader) fail(err error) {
	if r.err == nil {
		r.err = err
	}
}

func (r *reader) check(ok bool) bool {
	if !ok {
		r.fail(wire.ErrMalformed)
	}
	return r.err == nil
}

func (r *reader) u8() (v uint8) {
	r.check(r.s.ReadUint8(&v))
	return v
}

func (r *reader) u16() (v uint16) {
	r.check(r.s.ReadUint16(&v))
	return v
}

func (r *reader) u32() (v uint32) {
	r.check(r.s.ReadUint32(&v))
	return v
}

func (r *reader) u64() (v uint64) {
	r.check(r.s.ReadUint64(&v))
	return v
}

func (r *reader) hash() (h [32]byte) {
	r.check(r.s.CopyBytes(h[:]))
	return h
}

func (r *reader) signature() (s Signature) {
	r.check(r.s.CopyBytes(s[:]))
	return s
}

// raw returns a copy, so that what was parsed does not keep the input alive.
func (r *reader) raw(n int) []byte {
	var p []byte
	if !r.check(r.s.ReadBytes(&p, n)) {
		return nil
	}
	return bytes.Clone(p)
}

func (r *reader) var8(limit int) []byte {
	n := int(r.u8())
	if n > limit {
		r.fail(wire.ErrTooLarge)
	}
	if r.err != nil {
		return nil
	}
	return r.raw(n)
}

func (r *reader) var16(limit int) []byte {
	n := int(r.u16())
	if n > limit {
		r.fail(wire.ErrTooLarge)
	}
	if r.err != nil {
		return nil
	}
	return r.raw(n)
}

// count reads how many there are of something; after a fault there are none.
func (r *reader) count(limit int) int {
	n := int(r.u8())
	if n > limit {
		r.fail(wire.ErrTooLarge)
	}
	if r.err != nil {
		return 0
	}
	return n
}

func (r *reader) time() time.Time {
	v := r.u64()
	if v > maxUnix {
		r.fail(fmt.Errorf("%w: time", wire.ErrMalformed))
		return time.Unix(0, 0).UTC()
	}
	return time.Unix(int64(v), 0).UTC()
}

func (r *reader) version() {
	if r.u8() != layoutVersion {
		r.fail(wire.ErrVersion)
	}
}

func (r *reader) magic(label wire.Label) {
	if !bytes.Equal(r.raw(len(label)), []byte(label)) {
		r.fail(wire.ErrMalformed)
	}
}

// end returns the first fault, or that there is something left.
func (r *reader) end() error {
	if r.err == nil && !r.s.Empty() {
		r.err = fmt.Errorf("%w: trailing bytes", wire.ErrMalformed)
	}
	return r.err
}

func wholeSeconds(t time.Time) bool {
	return t.Unix() >= 0 && t.Unix() <= maxUnix && t.Nanosecond() == 0
}

func compareKeys(a, b Key) int { return bytes.Compare(a[:], b[:]) }

// ascending is whether keys are in order, none of them zero or there twice.
func ascending(keys []Key) bool {
	for i, k := range keys {
		if k == (Key{}) || i > 0 && compareKeys(keys[i-1], k) >= 0 {
			return false
		}
	}
	return true
}

func sortedKeys(keys []Key) []Key {
	keys = slices.Clone(keys)
	slices.SortFunc(keys, compareKeys)
	return keys
}

// printable is whether s is not empty and printable ASCII without spaces and without
// any of the characters that are not wanted.
func printable(s, unwanted string) bool {
	if s == "" || strings.ContainsAny(s, unwanted) {
		return false
	}
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}
