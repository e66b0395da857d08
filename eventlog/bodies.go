package eventlog

import (
	"encoding/binary"

	"communicator/wire/logproof"
)

func (l *eventLog) Bodies(seqs []uint64, fn func(seq uint64, body []byte, err error) bool) error {
	return l.view(func(snap snapshot) error {
		h := &headers{snap: snap}
		for _, seq := range seqs {
			body, err := l.bodyIn(h, seq)
			if err != nil {
				_ = l.notice(err)
			}
			if !fn(seq, body, err) {
				break
			}
		}
		return nil
	})
}

// headers finds what headers say of bodies, and remembers the batch used last:
// bodies of a page often share one.
type headers struct {
	snap  snapshot
	first uint64
	batch value
}

// of reads the length and the hash of the body of an event in the batch from first
// on.
func (h *headers) of(first, seq uint64) (r Record, err error) {
	if h.batch == nil || h.first != first {
		h.batch, err = h.snap.value(seqKey(keyBatch, first))
		h.first = first
		if err == nil && h.batch == nil {
			err = ErrNoRecord
		}
		if err != nil {
			return r, err
		}
	}
	return bodyOf(h.batch, first, seq)
}

// bodyIn reads a body and checks it against its header.
func (l *eventLog) bodyIn(h *headers, seq uint64) ([]byte, error) {
	value, err := h.snap.get(seqKey(keyBody, seq))
	switch {
	case err != nil:
		return nil, damagedBody(seq, "the store cannot read it", err)
	case value == nil:
		return nil, l.noBody(h.snap, seq)
	case len(value) == 1 && value[0] == bodyErased:
		return nil, ErrErased
	case len(value) <= bodyOffset || value[0] != bodyStored:
		return nil, damagedBody(seq, "a row that does not parse", nil)
	}
	r, err := h.of(binary.BigEndian.Uint64(value[1:]), seq)
	if err != nil {
		return nil, damagedBody(seq, "its header cannot be read", err)
	}
	body := value[bodyOffset:]
	if !r.MatchesBody((*[logproof.SaltSize]byte)(value[9:bodyOffset]), body) {
		return nil, damagedBody(seq, "it does not match its header", nil)
	}
	return body, nil
}
