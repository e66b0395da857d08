package eventlog

import (
	"bytes"
	"fmt"
	"time"

	"communicator/wire/logproof"
)

// chain follows the log from a trusted place and checks that every batch links to
// the one before.
type chain struct {
	eras []Era
	at   anchor // the last event that was found in order
	time time.Time
	head Head
	sums counters
}

// follow checks one batch row and moves to its end. The bodies are checked by
// others.
func (c *chain) follow(value []byte) (*batchRow, error) {
	b, err := parseBatch(value)
	if err != nil {
		return nil, c.broken(c.at.seq+1, "a batch row that does not parse", err)
	}
	h := &b.head
	switch {
	case h.First != c.at.seq+1 || h.Number != c.at.number+1:
		return nil, c.broken(h.First-1, fmt.Sprintf("batch %d is followed by batch %d", c.at.number, h.Number), nil)
	case h.LogID != c.era(h.Number).LogID:
		return nil, c.broken(h.Last(), "a batch of another log", nil)
	case h.Prev != c.at.head:
		return nil, c.broken(h.Last(), "a head that does not follow the one before", nil)
	}
	if b.prev != c.at.record || b.records[0].Time.Before(c.time) {
		return nil, c.broken(h.Last(), "a header that does not follow the one before", nil)
	}
	if logproof.NewTree(b.leaves).Root() != h.Root {
		return nil, c.broken(h.Last(), "headers that are not under their head", nil)
	}
	end := len(b.records) - 1
	c.at = anchor{number: h.Number, seq: h.Last(), head: h.Hash(), record: b.leaves[end], logID: h.LogID, volume: b.counts.volume}
	c.time, c.head, c.sums = b.records[end].Time, *h, b.counts
	return b, nil
}

// era is the one in which the batch with the number was made.
func (c *chain) era(number uint64) *Era { return eraOf(c.eras, number) }

func eraOf(eras []Era, number uint64) *Era {
	if len(eras) == 0 {
		return new(Era) // damage: nothing is of it
	}
	for i := len(eras) - 1; i > 0; i-- {
		if eras[i].After < number {
			return &eras[i]
		}
	}
	return &eras[0]
}

// signed says whether the head is by the node that ran the log at that time.
func (c *chain) signed(h *Head) bool { return h.Verify(c.era(h.Number).Key[:]) }

func (c *chain) broken(last uint64, reason string, err error) *DamageError {
	return &DamageError{First: c.at.seq + 1, Last: max(last, c.at.seq+1), Part: "header", Reason: reason, Err: err}
}

// walk follows the chain over the snapshot's batches up to the end, and calls visit
// with each.
func (c *chain) walk(snap snapshot, visit func(*batchRow) error) error {
	var inner error
	err := snap.scan([]byte{keyBatch}, seqKey(keyBatch, c.at.seq+1), func(_, value []byte) bool {
		var b *batchRow
		if b, inner = c.follow(value); inner == nil {
			inner = visit(b)
		}
		return inner == nil
	})
	if inner != nil {
		return inner
	}
	if err != nil {
		return c.broken(c.at.seq+1, "the store cannot be read", err)
	}
	return nil
}

// bodyWalk checks that an event's body row is there, stored or erased: the rows
// are visited in the order of the headers.
type bodyWalk struct {
	from uint64
	have []uint64 // sequences that have a row, in order, from on
}

// scanBodies lists the sequences in a range that have a body row.
func scanBodies(snap snapshot, first, last uint64) (*bodyWalk, error) {
	w := &bodyWalk{from: first}
	end := seqKey(keyBody, last)
	err := snap.keys([]byte{keyBody}, seqKey(keyBody, first), func(key []byte) bool {
		if len(key) != 9 || bytes.Compare(key, end) > 0 {
			return false
		}
		w.have = append(w.have, seqOf(key))
		return true
	})
	return w, err
}

// missing returns the first event of the batch that should have a body row and has
// none, or nil.
func (w *bodyWalk) missing(b *batchRow) *DamageError {
	for i := range b.records {
		seq := b.records[i].Seq
		if b.records[i].BodyLen == 0 {
			continue
		}
		for len(w.have) > 0 && w.have[0] < seq {
			w.have = w.have[1:]
		}
		if len(w.have) == 0 || w.have[0] != seq {
			return &DamageError{First: seq, Last: seq, Part: "body", Reason: "neither stored nor marked as erased"}
		}
	}
	return nil
}
