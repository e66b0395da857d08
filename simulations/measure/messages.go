package measure

import "time"

// message is what is kept of one:
//
//	bits 0–4    flags
//	bits 5–12   attempts to forward it, at most 255
//	bits 13–63  when it was sent, in µs since the start, plus 1 (71 years)
type message uint64

const (
	accepted message = 1 << iota
	stored
	received
	expired
	failed

	told          = expired | failed // the sender knows that it will not arrive
	attemptsShift = 5
	maxAttempts   = 1<<8 - 1
	sentShift     = 13
)

func (m message) sent() time.Duration { return time.Duration(m>>sentShift-1) * time.Microsecond }
func (m message) attempts() int       { return int(m >> attemptsShift & maxAttempts) }

// closed says whether its way has ended, well or not.
func (m message) closed() bool { return m&(received|told) != 0 }

const pageBits = 16

// messages are all that were sent, by number, in pages of 2^pageBits.
type messages []*[1 << pageBits]message

// at finds a message; nil if nobody sent it.
func (t messages) at(number uint32) *message {
	page := int(number >> pageBits)
	if page >= len(t) || t[page] == nil {
		return nil
	}
	m := &t[page][number&(1<<pageBits-1)]
	if *m == 0 {
		return nil
	}
	return m
}

// send notes when a message was sent, and says whether it is new.
func (t *messages) send(number uint32, at time.Duration) bool {
	if t.at(number) != nil {
		return false
	}
	page := int(number >> pageBits)
	for len(*t) <= page {
		*t = append(*t, nil)
	}
	if (*t)[page] == nil {
		(*t)[page] = new([1 << pageBits]message)
	}
	(*t)[page][number&(1<<pageBits-1)] = message(at/time.Microsecond+1) << sentShift
	return true
}

// each visits every message that was sent, in the order of their numbers.
func (t messages) each(visit func(message)) {
	for _, page := range t {
		if page == nil {
			continue
		}
		for _, m := range page {
			if m != 0 {
				visit(m)
			}
		}
	}
}
