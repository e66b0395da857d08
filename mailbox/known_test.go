package mailbox

import (
	"testing"

	"github.com/libp2p/go-libp2p/core/peer"
)

func TestKnownForgetsTheOldest(t *testing.T) {
	k := newKnown(2)
	for _, id := range []peer.ID{"a", "b", "a", "c"} {
		k.add(id)
	}
	for id, want := range map[peer.ID]bool{"a": false, "b": true, "c": true, "d": false} {
		if k.has(id) != want {
			t.Errorf("%s known: %v", id, !want)
		}
	}
	if len(k.peers) != 2 {
		t.Errorf("remembers %d", len(k.peers))
	}
}

// TestKnownPeersGoFirst: a queue full of strangers does not keep a peer waiting whose
// puts were good.
func TestKnownPeersGoFirst(t *testing.T) {
	q := newOpenings(4, 4)
	stranger, bad, friend := new(opening), new(opening), new(opening)
	for _, offered := range []bool{q.offer(bad, true, true), q.offer(stranger, false, false), q.offer(friend, true, false)} {
		if !offered {
			t.Fatal("no room")
		}
	}
	for i, want := range []*opening{friend, stranger, bad} {
		if got := q.next(nil); got != want {
			t.Errorf("place %d: another one", i)
		}
	}
	for range 4 {
		q.offer(stranger, false, false)
	}
	if q.offer(stranger, false, false) || !q.offer(friend, true, false) {
		t.Error("strangers took a known peer's room")
	}
}
