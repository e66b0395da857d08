package mailbox

import (
	"bytes"
	"context"
	"encoding/binary"
	"sync"

	"communicator/eventlog"
	"communicator/mailbox/admit"
	"communicator/wire"
)

// seen says of most puts that they were never stored, so that the log's writer need not
// look for their replay ids: three look-ups a put, which find nothing but once in a
// thousand. It is a Bloom filter for each week (Bloom, 1970): 1 MiB, four bits an id,
// wrong for 1 in 40 of a week with a million deliveries. Ids are MACs, so their own bits
// choose. It errs on one side alone, and until every row has been read it knows nothing.
type seen struct {
	mu    sync.Mutex // guards what follows
	weeks map[wire.Epoch]*filter
	whole bool
}

// filter is one week's. Its pages come with their first bit: a quiet agent's filter is
// small.
type filter [seenBytes / seenPage]*[seenPage]byte

func (f *filter) set(bit uint32) {
	page := &f[bit/(8*seenPage)]
	if *page == nil {
		*page = new([seenPage]byte)
	}
	(*page)[bit/8%seenPage] |= 1 << (bit % 8)
}

func (f *filter) has(bit uint32) bool {
	page := f[bit/(8*seenPage)]
	return page != nil && page[bit/8%seenPage]&(1<<(bit%8)) != 0
}

// places are the bits that stand for an id.
func places(id admit.ReplayID) (at [4]uint32) {
	for i := range at {
		at[i] = binary.BigEndian.Uint32(id[4*i:]) % (8 * seenBytes)
	}
	return at
}

// add is called on the log's writer, before what it remembers is committed, and by load.
func (s *seen) add(week wire.Epoch, id admit.ReplayID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.weeks == nil {
		s.weeks = map[wire.Epoch]*filter{}
	}
	w := s.weeks[week]
	if w == nil {
		w = new(filter)
		s.weeks[week] = w
	}
	for _, at := range places(id) {
		w.set(at)
	}
}

// may is false only for an id that is not remembered.
func (s *seen) may(week wire.Epoch, id admit.ReplayID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.whole {
		return true
	}
	w := s.weeks[week]
	if w == nil {
		return false
	}
	for _, at := range places(id) {
		if !w.has(at) {
			return false
		}
	}
	return true
}

// forget drops weeks whose ids are no longer remembered.
func (s *seen) forget(before wire.Epoch) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for week := range s.weeks {
		if week < before {
			delete(s.weeks, week)
		}
	}
}

// load reads every replay row, some at a time. A row is either there when the first is
// read, or was added by the decision that made it: so nothing falls in between.
func (s *seen) load(ctx context.Context, log eventlog.Log) error {
	for start := []byte{rowReplay}; start != nil; {
		if err := ctx.Err(); err != nil {
			return err
		}
		from := start
		start = nil
		visited := 0
		err := log.View(func(tables eventlog.Tables) error {
			return tables.Table(wire.TableMailbox).Scan([]byte{rowReplay}, from, func(key, _ []byte) bool {
				if visited++; visited > seenRows {
					start = bytes.Clone(key)
					return false
				}
				s.add(replayWeek(key), admit.ReplayID(key[5:]))
				return true
			})
		})
		if err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.whole = true
	return nil
}
