package mailbox

import (
	"crypto/sha256"
	"encoding/binary"
	"testing"

	"communicator/mailbox/admit"
)

func replayID(i int) (id admit.ReplayID) {
	sum := sha256.Sum256(binary.BigEndian.AppendUint64(nil, uint64(i)))
	copy(id[:], sum[:])
	return id
}

// The filter never denies an id that was added, hardly ever claims one that was not, and
// holds little while little was added.
func TestSeenGrowsWithUse(t *testing.T) {
	const ids = 200
	s := &seen{whole: true}
	for i := range ids {
		s.add(7, replayID(i))
	}
	for i := range ids {
		if !s.may(7, replayID(i)) {
			t.Fatalf("id %d was added and is denied", i)
		}
	}
	for i := ids; i < 50*ids; i++ {
		if s.may(7, replayID(i)) {
			t.Errorf("id %d of a nearly empty week is claimed", i)
		}
	}
	if s.may(8, replayID(0)) {
		t.Error("an id of another week is claimed")
	}
	pages := 0
	for _, p := range s.weeks[7] {
		if p != nil {
			pages++
		}
	}
	if pages == 0 || pages > 4*ids {
		t.Errorf("%d pages for %d ids of four bits each", pages, ids)
	}
	s.forget(8)
	if len(s.weeks) != 0 {
		t.Error("a week that is over is kept")
	}
}
