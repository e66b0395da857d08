package logproof

import "golang.org/x/mod/sumdb/tlog"

// Tree is the RFC 6962 hash tree of one batch, kept whole so that every event's
// path is a matter of copying. A built tree may be read by many goroutines.
type Tree struct {
	// levels[0] holds the leaves; a level's odd last node is carried up as it is,
	// which gives RFC 6962's shape.
	levels [][][32]byte
}

// NewTree builds the tree over record hashes, of which it keeps the slice. There
// must be at least one.
func NewTree(leaves [][32]byte) *Tree {
	t := &Tree{levels: [][][32]byte{leaves}}
	for level := leaves; len(level) > 1; {
		next := make([][32]byte, 0, (len(level)+1)/2)
		for i := 0; i+1 < len(level); i += 2 {
			next = append(next, tlog.NodeHash(level[i], level[i+1]))
		}
		if len(level)%2 == 1 {
			next = append(next, level[len(level)-1])
		}
		t.levels = append(t.levels, next)
		level = next
	}
	return t
}

// Root is the tree hash.
func (t *Tree) Root() [32]byte { return t.levels[len(t.levels)-1][0] }

// Path lists the siblings from the leaf at index up to the root.
func (t *Tree) Path(index int) [][32]byte {
	path := make([][32]byte, 0, len(t.levels)-1)
	for _, level := range t.levels[:len(t.levels)-1] {
		if sibling := index ^ 1; sibling < len(level) {
			path = append(path, level[sibling])
		}
		index >>= 1
	}
	return path
}
