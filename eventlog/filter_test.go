package eventlog

import (
	"crypto/sha256"
	"encoding/binary"
	"testing"
)

func tagOf(n uint64) tag {
	sum := sha256.Sum256(binary.BigEndian.AppendUint64(nil, n))
	return tag(sum[:tagSize])
}

// TestFilterNeverForgets: a key that it does not know would be appended twice.
func TestFilterNeverForgets(t *testing.T) {
	const n = 100_000 // three layers
	var f filter
	for i := range uint64(n) {
		if f.add(tagOf(i)); !f.has(tagOf(i)) {
			t.Fatalf("key %d is forgotten at once", i)
		}
	}
	wrong := 0
	for i := range uint64(n) {
		if !f.has(tagOf(i)) {
			t.Fatalf("key %d is forgotten", i)
		}
		if f.has(tagOf(n + i)) {
			wrong++
		}
	}
	if len(f.layers) != 3 || wrong > n/12 {
		t.Errorf("%d layers, and %d of %d new keys seem known", len(f.layers), wrong, n)
	}
}
