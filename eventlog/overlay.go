package eventlog

import (
	"slices"
	"strings"
)

// overlay holds rows of projections that are not committed yet, over whatever lies
// below. A nil value hides a row.
type overlay map[byte]*overlayTable

type overlayTable struct {
	rows map[string][]byte
	// sorted and fresh are the keys of rows. Most batches are never scanned, so
	// keys are only sorted when one is.
	sorted, fresh []string
}

func (o overlay) get(id byte, key []byte) (value []byte, found bool) {
	t := o[id]
	if t == nil {
		return nil, false
	}
	value, found = t.rows[string(key)]
	return value, found
}

// set keeps key and value as they are.
func (o overlay) set(id byte, key string, value []byte) {
	t := o[id]
	if t == nil {
		t = &overlayTable{rows: make(map[string][]byte)}
		o[id] = t
	}
	if _, known := t.rows[key]; !known {
		t.fresh = append(t.fresh, key)
	}
	t.rows[key] = value
}

// clear forgets the rows and keeps the space for others.
func (o overlay) clear() {
	for _, t := range o {
		clear(t.rows)
		t.sorted, t.fresh = nil, nil
	}
}

// from returns the table's keys with the prefix, from start on, in order.
func (t *overlayTable) from(prefix, start string) []string {
	if len(t.fresh) > 0 {
		slices.Sort(t.fresh)
		t.sorted = mergeSorted(t.sorted, t.fresh)
		t.fresh = nil
	}
	lo, _ := slices.BinarySearch(t.sorted, max(prefix, start))
	keys := t.sorted[lo:]
	hi, _ := slices.BinarySearchFunc(keys, prefix, func(k, p string) int {
		if strings.HasPrefix(k, p) {
			return -1
		}
		return strings.Compare(k, p)
	})
	return keys[:hi]
}

// mergeSorted merges two sorted lists without common elements into a new one.
func mergeSorted(a, b []string) []string {
	if len(a) == 0 {
		return b
	}
	out := make([]string, 0, len(a)+len(b))
	for len(a) > 0 && len(b) > 0 {
		if a[0] < b[0] {
			out, a = append(out, a[0]), a[1:]
		} else {
			out, b = append(out, b[0]), b[1:]
		}
	}
	return append(append(out, a...), b...)
}

// layers is a stack of overlays, newest first, over a snapshot.
type layers struct {
	over []overlay
	snap snapshot
}

func (l *layers) get(id byte, key []byte) ([]byte, error) {
	for _, o := range l.over {
		if v, ok := o.get(id, key); ok {
			return v, nil
		}
	}
	return l.snap.get(tableKey(id, key))
}

// scan visits the rows of a table in key order, each from the newest layer that
// has it.
func (l *layers) scan(id byte, prefix, start []byte, fn func(key, value []byte) bool) error {
	merged := l.merged(id, string(prefix), string(start))
	var from []byte
	if start != nil {
		from = tableKey(id, start)
	}
	more := true
	emit := func(key string) {
		value, _ := l.over[merged[key]].get(id, []byte(key))
		if value != nil {
			more = fn([]byte(key), value)
		}
	}
	keys := sortedKeys(merged)
	err := l.snap.scan(tableKey(id, prefix), from, func(full, value []byte) bool {
		key := full[2:]
		for more && len(keys) > 0 && keys[0] < string(key) {
			emit(keys[0])
			keys = keys[1:]
		}
		if !more {
			return false
		}
		if len(keys) > 0 && keys[0] == string(key) {
			emit(keys[0])
			keys = keys[1:]
			return more
		}
		more = fn(key, value)
		return more
	})
	for err == nil && more && len(keys) > 0 {
		emit(keys[0])
		keys = keys[1:]
	}
	return err
}

// merged maps each key of the overlays in the range to the newest layer that has it.
func (l *layers) merged(id byte, prefix, start string) map[string]int {
	var all map[string]int
	for i, o := range l.over {
		t := o[id]
		if t == nil {
			continue
		}
		for _, key := range t.from(prefix, start) {
			if all == nil {
				all = make(map[string]int)
			}
			if _, newer := all[key]; !newer {
				all[key] = i
			}
		}
	}
	return all
}

func sortedKeys(m map[string]int) []string {
	if len(m) == 0 {
		return nil
	}
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
