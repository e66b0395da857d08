package queue

import "communicator/wire"

// item is one submission.
type item struct {
	id       ID
	lane     *lane
	due      int64 // Unix nanoseconds: not to be sent before
	notAfter int64 // Unix nanoseconds: not to be sent from then on

	answersAtSend uint64 // the destination's answers when this was sent
	attempts      uint32
	failures      uint32 // of its own, since it was added
	flying        bool
	expired       bool  // ran out of time in flight
	probes        *side // whose probe it is, in flight to an unproven destination; else nil

	waitPos, expiryPos int32
}

// lane holds one account's submissions to one destination.
type lane struct {
	dest    *dest
	account *account
	waiting heap[*item, byItemDue]
	flying  int
	parked  bool  // its account has too much in flight
	pos     int32 // in dest.lanes, while anything waits and it is not parked

	// While the destination is to be probed and anything waits: where the account
	// has it in line, since when and in which order.
	side    *side
	at      int64
	turn    uint64
	sidePos int32
}

type laneKey struct {
	dest    *dest
	account *account
}

// dest is one receiving agent at one URI, for as long as there is anything for it.
type dest struct {
	uri   string
	lanes heap[*lane, byLaneDue] // those in which something waits and that are not parked
	all   int                    // lanes that there are

	until    int64  // Unix nanoseconds: paused before
	answers  uint64 // so far
	flying   int
	failures int
	since    int64 // Unix nanoseconds: when it began to fail, with failures
	proven   bool  // it answered, and has not failed since
	probing  bool
	stance   stance // under which its lanes are in line

	// While it is proven and could send: when, and the order among those that could
	// at the same time.
	at   int64
	turn uint64
	pos  int32
}

// stance is what a destination's state means for its lanes.
type stance struct {
	probe bool // one of them may send a probe
	kind  int
	until int64
}

func (d *dest) standing() stance {
	if d.proven || d.probing {
		return stance{}
	}
	if d.failures > 0 {
		return stance{true, failed, d.until}
	}
	return stance{true, fresh, d.until}
}

// Kinds of destinations to probe.
const (
	fresh  = iota // has not failed
	failed        // its last attempt did
	kinds
)

// account is one client's, for as long as it has anything queued.
type account struct {
	id    wire.AccountID
	items int
	sides [kinds]side

	flying int     // sends to proven destinations
	parked []*lane // that were due when it had too many of them
}

func (a *account) probes() int { return a.sides[fresh].probes + a.sides[failed].probes }

// side is what an account could probe of one kind.
type side struct {
	account *account
	kind    int
	lanes   heap[*lane, byLaneTurn]
	probes  int // in flight

	// While it could probe and has room to: since when, and the order among the
	// accounts that could at the same time.
	at   int64
	turn uint64
	pos  int32
}

type byDue struct{}

func (byDue) less(a, b *dest) bool { return a.at < b.at || a.at == b.at && a.turn < b.turn }
func (byDue) pos(d *dest) *int32   { return &d.pos }

type byItemDue struct{}

func (byItemDue) less(a, b *item) bool { return a.due < b.due || a.due == b.due && a.id < b.id }
func (byItemDue) pos(it *item) *int32  { return &it.waitPos }

// byLaneDue orders lanes in which something waits.
type byLaneDue struct{}

func (byLaneDue) less(a, b *lane) bool { return byItemDue{}.less(a.waiting.top(), b.waiting.top()) }
func (byLaneDue) pos(l *lane) *int32   { return &l.pos }

type byLaneTurn struct{}

func (byLaneTurn) less(a, b *lane) bool { return a.at < b.at || a.at == b.at && a.turn < b.turn }
func (byLaneTurn) pos(l *lane) *int32   { return &l.sidePos }

type bySide struct{}

func (bySide) less(a, b *side) bool { return a.at < b.at || a.at == b.at && a.turn < b.turn }
func (bySide) pos(s *side) *int32   { return &s.pos }

type byExpiry struct{}

func (byExpiry) less(a, b *item) bool {
	return a.notAfter < b.notAfter || a.notAfter == b.notAfter && a.id < b.id
}
func (byExpiry) pos(it *item) *int32 { return &it.expiryPos }
