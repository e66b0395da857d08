package directory

import (
	"encoding/binary"

	"golang.org/x/mod/sumdb/tlog"

	"communicator/eventlog"
	"communicator/wire"
)

// The tree of a namespace's log (RFC 6962) is kept in tiles: a row holds up to eight
// neighbouring hashes of level 0, 3, 6 and so on, the leaves being level 0.
//
//	level 3        h            one hash of level 3 is the root of a full tile of level 0,
//	             /   \          and stands in the tile of level 3 above it
//	level 0   h h h h h h h h   one row
//
// The hashes of the levels between are computed when they are asked for. So a leaf
// changes one row, rarely two, and a proof of a million leaves reads seven.
const (
	tileHeight = 3
	tileWidth  = 1 << tileHeight
)

func tileKey(ns nsNumber, level int, tile uint64) []byte {
	return binary.BigEndian.AppendUint64(nsKey(rowHash, ns, []byte{byte(level)}), tile)
}

// growTree adds leaf n, and to the tiles above what it completes.
func growTree(w eventlog.Writer, ns nsNumber, n uint64, leaf []byte) error {
	h := tlog.RecordHash(leaf)
	for level := 0; ; level += tileHeight {
		key := tileKey(ns, level, n/tileWidth)
		row, err := w.Get(key)
		if err != nil {
			return err
		}
		if len(row) != int(n%tileWidth)*tlog.HashSize {
			return wire.ErrMalformed
		}
		tile := append(append(make([]byte, 0, tileWidth*tlog.HashSize), row...), h[:]...)
		if err := w.Set(key, tile); err != nil {
			return err
		}
		if n%tileWidth != tileWidth-1 {
			return nil
		}
		h, n = subtree(tile), n/tileWidth
	}
}

// subtree is the root over a power of two of hashes, at most a tile of them.
func subtree(hashes []byte) tlog.Hash {
	if len(hashes) == tlog.HashSize {
		return tlog.Hash(hashes)
	}
	half := len(hashes) / 2
	return tlog.NodeHash(subtree(hashes[:half]), subtree(hashes[half:]))
}

// tree reads a namespace's hashes as tlog numbers them: those of full subtrees.
func tree(r eventlog.Reader, ns nsNumber) tlog.HashReader {
	return tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		hashes := make([]tlog.Hash, len(indexes))
		tiles := map[string][]byte{} // a proof takes up to three hashes of one tile
		for i, index := range indexes {
			level, n := tlog.SplitStoredHashIndex(index)
			above := level % tileHeight
			first := uint64(n) << above
			key := tileKey(ns, level-above, first/tileWidth)
			row, known := tiles[string(key)]
			if !known {
				var err error
				if row, err = r.Get(key); err != nil {
					return nil, err
				}
				tiles[string(key)] = row
			}
			from := int(first%tileWidth) * tlog.HashSize
			to := from + tlog.HashSize<<above
			if len(row) < to || len(row) > tileWidth*tlog.HashSize {
				return nil, wire.ErrMalformed
			}
			hashes[i] = subtree(row[from:to])
		}
		return hashes, nil
	})
}
