package eventlog

import "hash/fnv"

// treap is an immutable ordered map (Seidel and Aragon, 1996), whose changes copy
// the path to the root. The memory engine keeps its rows in one, so that a snapshot
// is a pointer. Priorities follow from the keys: a set of rows has one shape.
type treap struct {
	key         string
	value       []byte
	priority    uint64
	left, right *treap
}

func priorityOf(key string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(key))
	p := h.Sum64()
	// FNV of keys that differ in their last bytes differs in its low bits only
	// little; murmur's finalizer spreads that.
	p ^= p >> 33
	p *= 0xff51afd7ed558ccd
	p ^= p >> 33
	p *= 0xc4ceb9fe1a85ec53
	return p ^ p>>33
}

func (t *treap) get(key string) ([]byte, bool) {
	for t != nil {
		switch {
		case key < t.key:
			t = t.left
		case key > t.key:
			t = t.right
		default:
			return t.value, true
		}
	}
	return nil, false
}

// set returns the map with the row added or replaced.
func (t *treap) set(key string, value []byte) *treap {
	if _, known := t.get(key); known {
		return t.replace(key, value)
	}
	return t.insert(&treap{key: key, value: value, priority: priorityOf(key)})
}

func (t *treap) replace(key string, value []byte) *treap {
	c := *t
	switch {
	case key < t.key:
		c.left = t.left.replace(key, value)
	case key > t.key:
		c.right = t.right.replace(key, value)
	default:
		c.value = value
	}
	return &c
}

func (t *treap) insert(n *treap) *treap {
	if t == nil || n.priority > t.priority {
		n.left, n.right = t.split(n.key)
		return n
	}
	c := *t
	if n.key < t.key {
		c.left = t.left.insert(n)
	} else {
		c.right = t.right.insert(n)
	}
	return &c
}

// split returns the rows below key and those above it.
func (t *treap) split(key string) (below, above *treap) {
	if t == nil {
		return nil, nil
	}
	c := *t
	if t.key < key {
		c.right, above = t.right.split(key)
		return &c, above
	}
	below, c.left = t.left.split(key)
	return below, &c
}

// remove returns the map without the row.
func (t *treap) remove(key string) *treap {
	if _, known := t.get(key); !known {
		return t
	}
	return t.drop(key)
}

func (t *treap) drop(key string) *treap {
	c := *t
	switch {
	case key < t.key:
		c.left = t.left.drop(key)
	case key > t.key:
		c.right = t.right.drop(key)
	default:
		return join(t.left, t.right)
	}
	return &c
}

// join puts two maps together of which all keys of a are below all of b.
func join(a, b *treap) *treap {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	case a.priority > b.priority:
		c := *a
		c.right = join(a.right, b)
		return &c
	default:
		c := *b
		c.left = join(a, b.left)
		return &c
	}
}

// ascend visits rows from start on until fn returns false.
func (t *treap) ascend(start string, fn func(key string, value []byte) bool) bool {
	if t == nil {
		return true
	}
	if start <= t.key {
		if !t.left.ascend(start, fn) || !fn(t.key, t.value) {
			return false
		}
	}
	return t.right.ascend(start, fn)
}

// floor returns the row with the greatest key that is at most max.
func (t *treap) floor(max string) (found *treap) {
	for t != nil {
		if t.key <= max {
			found, t = t, t.right
		} else {
			t = t.left
		}
	}
	return found
}
