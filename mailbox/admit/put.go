package admit

import (
	"time"

	"communicator/wire"
)

// Quotas are an agent's bounds on what a mailbox holds.
type Quotas struct {
	Deliveries uint32 // stored at once
	Bytes      uint64 // of their payloads
	// LifelineDeliveries is the bound for a lifeline mailbox, which lives for two
	// years and is meant for the day when nothing else works.
	LifelineDeliveries uint32
	// FullRetry is what the sender of a put to a full mailbox is told to wait.
	FullRetry time.Duration
}

// Put is an attempt to deliver whose seal has been opened and whose tag is right.
// That it is neither expired nor too far ahead was checked before its seal was
// opened: expiry costs no public-key operation.
type Put struct {
	Mailbox  wire.MailboxID
	Replay   ReplayID
	NotAfter Hour
	Size     int // of the payload, bytes
}

// State is what an agent knows that bears on a put.
type State struct {
	Mailbox *Mailbox // nil if there is none
	// Earlier is the position of an earlier delivery of the same put, 0 if none.
	Earlier uint64
}

// Result is what became of a put.
type Result uint8

// Results of a put.
const (
	Stored    Result = 1 // the fact is to be appended with the payload as body
	Duplicate Result = 2 // the sender hears "stored" and gets the first receipt again
	Refused   Result = 3 // the sender hears "address closed"
	Full      Result = 4 // the sender hears "full, retry after"
)

func (r Result) String() string {
	switch r {
	case Stored:
		return "stored"
	case Duplicate:
		return "duplicate"
	case Refused:
		return "closed"
	case Full:
		return "full"
	}
	return "unknown"
}

// Verdict is the decision on a put.
type Verdict struct {
	Result     Result
	Fact       *Delivered // of [Stored]
	Earlier    uint64     // of [Duplicate]: the position of the first
	Notify     bool       // of [Stored]: there is something new to collect
	RetryAfter time.Duration
}

// Admit decides a put. A repeat is recognised before the mailbox is looked at, so
// that a retry whose answer was lost hears "stored" even if the owner closed the
// mailbox in between. A silent mailbox differs from an empty live one in nothing but
// Notify, which no sender sees; it is never full.
func Admit(s State, p Put, q Quotas) Verdict {
	if s.Earlier != 0 {
		return Verdict{Result: Duplicate, Earlier: s.Earlier}
	}
	if s.Mailbox == nil || s.Mailbox.Mode == Closed {
		return Verdict{Result: Refused}
	}
	live := s.Mailbox.Mode == Open
	if live && q.full(s.Mailbox, p.Size) {
		return Verdict{Result: Full, RetryAfter: q.FullRetry}
	}
	return Verdict{
		Result: Stored,
		Fact:   &Delivered{Mailbox: p.Mailbox, Replay: p.Replay, NotAfter: p.NotAfter},
		Notify: live,
	}
}

func (q Quotas) full(m *Mailbox, size int) bool {
	deliveries := q.Deliveries
	if m.Caps&wire.CapLifeline != 0 {
		deliveries = q.LifelineDeliveries
	}
	return m.Count >= deliveries || m.Bytes+uint64(size) > q.Bytes
}
