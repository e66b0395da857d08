package eventlog

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
)

// filter says of most keys that were never used that they were not, without
// looking into the store: a Bloom filter in blocks of a cache line (Putze, Sanders
// and Singler, 2007), 10 bits a key, wrong for about one new key in 50. It grows
// by layers of twice the size. Tags are MACs, so their own bits choose.
type filter struct {
	layers []filterLayer
	left   int  // keys that the newest layer still takes
	whole  bool // it has every key that it should
}

type filterLayer [][8]uint64

const (
	filterFirst = 1 << 14 // keys of the first layer
	filterBits  = 10      // for each key
	filterPage  = 1 << 16 // keys read at a time
)

func (l filterLayer) block(t tag) *[8]uint64 {
	return &l[binary.BigEndian.Uint64(t[:])%uint64(len(l))]
}

// bit is the one that stands for the tag in a word of its block.
func (t tag) bit(word int) uint64 {
	return 1 << (binary.BigEndian.Uint64(t[8:]) >> (word * 6) & 63)
}

func (f *filter) add(t tag) {
	if f.left == 0 {
		n := filterFirst << len(f.layers)
		f.layers = append(f.layers, make(filterLayer, n*filterBits/512+1))
		f.left = n
	}
	f.left--
	block := f.layers[len(f.layers)-1].block(t)
	for i := range block {
		block[i] |= t.bit(i)
	}
}

// has is false only for what was never added.
func (f *filter) has(t tag) bool {
	for _, l := range f.layers {
		block, all := l.block(t), true
		for i := range block {
			all = all && block[i]&t.bit(i) != 0
		}
		if all {
			return true
		}
	}
	return false
}

// unknown says whether the key was certainly never used. The writer calls it.
func (l *eventLog) unknown(t tag) bool {
	known := l.known.Load()
	return known.whole && !known.has(t) && !l.recent.has(t)
}

// forgetKeys begins new filters: many keys were dropped, which only a new one
// forgets. The writer calls it.
func (l *eventLog) forgetKeys() {
	l.known.Store(new(filter))
	l.recent = filter{}
	select {
	case l.relearn <- struct{}{}:
	default:
	}
}

// learnKeys fills a filter with the stored keys whenever one has begun. Until then
// every key is looked up in the store.
func (l *eventLog) learnKeys(ctx context.Context) {
	for {
		begun := l.known.Load()
		known, err := l.storedKeys(ctx)
		if err == nil {
			l.known.CompareAndSwap(begun, known)
		}
		select {
		case <-l.relearn:
		case <-ctx.Done():
			return
		}
	}
}

// storedKeys reads a page at a time, so that nobody waits for its snapshot.
func (l *eventLog) storedKeys(ctx context.Context) (*filter, error) {
	known := &filter{whole: true}
	for start, more := []byte{keyOnce}, true; more; {
		more = false
		read := 0
		err := l.view(func(snap snapshot) error {
			return snap.keys([]byte{keyOnce}, start, func(key []byte) bool {
				if read++; read > filterPage {
					start, more = bytes.Clone(key), true
					return false
				}
				if len(key) == 1+tagSize {
					known.add(tag(key[1:]))
				}
				return true
			})
		})
		if err = errors.Join(err, ctx.Err()); err != nil {
			return nil, err
		}
	}
	return known, nil
}
