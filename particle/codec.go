package particle

import (
	"encoding/binary"

	"golang.org/x/crypto/cryptobyte"
)

// writer builds canonical layouts: big-endian integers, a length prefix on every
// variable part, one byte of 0 or 1 in front of every optional part.
type writer struct{ b []byte }

func (w *writer) raw(b ...[]byte) {
	for _, x := range b {
		w.b = append(w.b, x...)
	}
}
func (w *writer) u8(v uint8)   { w.b = append(w.b, v) }
func (w *writer) u16(v int)    { w.b = binary.BigEndian.AppendUint16(w.b, uint16(v)) }
func (w *writer) u32(v uint32) { w.b = binary.BigEndian.AppendUint32(w.b, v) }
func (w *writer) u64(v uint64) { w.b = binary.BigEndian.AppendUint64(w.b, v) }

// bool writes a flag, or the presence of an optional part, and returns it.
func (w *writer) bool(v bool) bool {
	if v {
		w.u8(1)
	} else {
		w.u8(0)
	}
	return v
}

// var16 and var32 write a length prefix and the bytes.
func (w *writer) var16(b []byte) { w.u16(len(b)); w.raw(b) }
func (w *writer) var32(b []byte) { w.u32(uint32(len(b))); w.raw(b) }

// reader takes such layouts apart. After the first failure it returns zeros, and ok
// stays false: callers check once, at the end, or where they would loop or allocate.
type reader struct {
	s   cryptobyte.String
	bad bool
}

func (r *reader) fail() { r.bad = true; r.s = nil }
func (r *reader) ok() bool {
	return !r.bad
}

// end reports success: nothing failed and nothing is left.
func (r *reader) end() bool { return !r.bad && r.s.Empty() }

// bytes returns the next n bytes without copying them, or n zeros after a failure.
func (r *reader) bytes(n int) []byte {
	var b []byte
	if !r.s.ReadBytes(&b, n) {
		r.fail()
		return make([]byte, n)
	}
	return b
}

func (r *reader) u8() uint8   { return r.bytes(1)[0] }
func (r *reader) u16() int    { return int(binary.BigEndian.Uint16(r.bytes(2))) }
func (r *reader) u32() uint32 { return binary.BigEndian.Uint32(r.bytes(4)) }
func (r *reader) u64() uint64 { return binary.BigEndian.Uint64(r.bytes(8)) }

func (r *reader) bool() bool {
	v := r.u8()
	if v > 1 {
		r.fail()
	}
	return v == 1 && r.ok()
}

// count reads a u16 that may be at most limit.
func (r *reader) count(limit int) int {
	n := r.u16()
	if n > limit {
		r.fail()
		return 0
	}
	return n
}

// var16 and var32 read a length of at most limit and that many bytes.
func (r *reader) var16(limit int) []byte { return r.variable(r.u16(), limit) }
func (r *reader) var32(limit int) []byte { return r.variable(int(r.u32()), limit) }

func (r *reader) variable(n, limit int) []byte {
	if n > limit || n > len(r.s) {
		r.fail()
		return nil
	}
	return r.bytes(n)
}

// rest returns everything that is left.
func (r *reader) rest() []byte { return r.bytes(len(r.s)) }

// literal requires exactly these bytes.
func (r *reader) literal(s string) {
	if string(r.bytes(len(s))) != s {
		r.fail()
	}
}

// writeKey and readKey encode an optional symmetric key.
func writeKey(w *writer, present bool, key func() []byte) {
	if w.bool(present) {
		w.raw(key())
	}
}

func readKey[K interface{ ~struct{ secret } }](r *reader) *K {
	if !r.bool() {
		return nil
	}
	return newKey[K](r.bytes(keySize))
}
