package mux

import "sync"

// buffer is a pooled byte slice. Whoever holds one is its only owner and either passes
// it on or frees it, once.
type buffer struct {
	b     []byte
	class int8 // index into pools, −1 if too large to keep
}

// Many frames are acknowledgements and small calls; the rest carry a ciphertext padded
// to 4, 8, 16, 32 or 64 KiB, with at most 2 KiB around it.
var classes = [...]int{1 << 10, 6 << 10, 10 << 10, 18 << 10, 34 << 10, 73 << 10}

var pools [len(classes)]sync.Pool

// newBuffer returns a buffer with length n.
func newBuffer(n int) *buffer {
	for class, size := range classes {
		if n > size {
			continue
		}
		if buf, ok := pools[class].Get().(*buffer); ok {
			buf.b = buf.b[:n]
			return buf
		}
		return &buffer{b: make([]byte, n, size), class: int8(class)}
	}
	return &buffer{b: make([]byte, n), class: -1}
}

func (b *buffer) free() {
	if b == nil || b.class < 0 {
		return
	}
	// A marshaller that had to grow the slice leaves another capacity behind.
	if cap(b.b) == classes[b.class] {
		pools[b.class].Put(b)
	}
}
