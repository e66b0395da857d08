package drill

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"communicator/wire"
)

// number names a message: its client and which of its messages it is.
type number uint64

func numberOf(client, n int) number { return number(client)<<32 | number(n) }

// payload is what the message with a number says: nothing else does.
func (n number) payload(size int) []byte {
	b := make([]byte, max(size, 8)+wire.WrapOverhead)
	binary.BigEndian.PutUint64(b, uint64(n))
	for i := 8; i < len(b); i++ {
		b[i] = byte(uint64(n)>>(i%8*8)) ^ byte(i)
	}
	return b
}

// message is what is known of one.
type message struct {
	offered, seen time.Time // first offered to the sending agent, first seen in the mailbox
	accepted      bool      // the sending agent gave a receipt
	acceptedAt    time.Time
	positions     []uint64 // where it was in the mailbox
	acknowledged  bool     // the receiving agent confirmed that it is erased
	acknowledging bool     // it was asked to
}

// ledger is what clients saw: every promise that was made to them, and what became
// of it.
type ledger struct {
	mu       sync.Mutex // guards what follows
	messages map[number]*message
	receipts int           // how many were accepted
	waiting  int           // accepted and not yet seen
	changed  chan struct{} // closed and replaced when something was seen
	faults   []string      // what must never happen, as it happened
}

func newLedger() *ledger {
	return &ledger{messages: map[number]*message{}, changed: make(chan struct{})}
}

func (l *ledger) offer(n number) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.messages[n] = &message{offered: time.Now()}
}

func (l *ledger) accept(n number) {
	l.mu.Lock()
	defer l.mu.Unlock()
	m := l.messages[n]
	m.accepted, m.acceptedAt = true, time.Now()
	l.receipts++
	if len(m.positions) == 0 {
		l.waiting++
	}
}

// acceptedAfter counts the receipts that came after some time.
func (l *ledger) acceptedAfter(at time.Time) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, m := range l.messages {
		if m.acceptedAt.After(at) {
			n++
		}
	}
	return n
}

// take notes a delivery. A position may come again until it was acknowledged.
func (l *ledger) take(client int, position uint64, payload []byte) (n number, known bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(payload) >= 8 {
		n = number(binary.BigEndian.Uint64(payload))
	}
	m := l.messages[n]
	switch {
	case m == nil || int(n>>32) != client || !bytes.Equal(payload, n.payload(len(payload)-wire.WrapOverhead)):
		l.faults = append(l.faults, fmt.Sprintf("client %d was handed %d bytes that nobody sent it", client, len(payload)))
		return n, false
	case m.acknowledged:
		l.faults = append(l.faults, fmt.Sprintf("message %x came back after it was acknowledged", n))
	}
	if slices.Contains(m.positions, position) {
		return n, true
	}
	if m.positions = append(m.positions, position); len(m.positions) > 1 {
		l.faults = append(l.faults, fmt.Sprintf("message %x was delivered %d times", n, len(m.positions)))
		return n, true
	}
	m.seen = time.Now()
	if m.accepted {
		l.waiting--
	}
	close(l.changed)
	l.changed = make(chan struct{})
	return n, true
}

func (l *ledger) acknowledging(n number) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.messages[n].acknowledging = true
}

func (l *ledger) acknowledge(n number) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.messages[n].acknowledged = true
}

// left is how many accepted messages have not been seen, and a channel that is closed
// when that may have changed.
func (l *ledger) left() (int, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.waiting, l.changed
}

func (l *ledger) accepted() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.receipts
}

// latencies are how long the messages took that were offered in a span of time and
// have arrived.
func (l *ledger) latencies(from, to time.Time) (took []time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, m := range l.messages {
		if !m.seen.IsZero() && m.offered.After(from) && m.offered.Before(to) {
			took = append(took, m.seen.Sub(m.offered))
		}
	}
	return took
}

// CheckDelivery is the oracle of every drill. It demands that each message that was
// accepted was delivered exactly once, each other at most once, that nothing came back
// after its owner acknowledged it, and that what nobody acknowledged is still stored:
// stored is what the mailboxes hold at the end.
func CheckDelivery(t testing.TB, l *ledger, stored map[number]bool) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	accepted := l.receipts
	var lost, gone, back int
	for n, m := range l.messages {
		switch {
		case m.accepted && len(m.positions) == 0:
			lost++
		case len(m.positions) > 0 && !m.acknowledging && !stored[n]:
			gone++
		case m.acknowledged && stored[n]:
			back++
		}
	}
	if lost+gone+back > 0 {
		t.Errorf("of %d accepted messages %d were lost; %d went that nobody had acknowledged, %d came back that somebody had",
			accepted, lost, gone, back)
	}
	for i, fault := range l.faults {
		if i == 10 {
			t.Errorf("and %d more", len(l.faults)-i)
			break
		}
		t.Error(fault)
	}
	if accepted == 0 {
		t.Error("nothing was accepted: the drill says nothing")
	}
	if !t.Failed() {
		t.Logf("%d messages accepted, each delivered once", accepted)
	}
}
