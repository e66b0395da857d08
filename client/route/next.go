package route

import (
	"math/rand/v2"
	"slices"
	"time"

	"communicator/wire"
)

// Place is a mailbox of the peer's: what two attempts have in common if they lead to
// the same address.
type Place struct {
	Agent   wire.AgentID
	Mailbox wire.MailboxID
}

// Address is one of the peer's addresses, in the order in which to try them.
type Address struct {
	Place
	Lifeline bool
	Expires  time.Time
	// Trouble: its receiving agent has failed lately.
	Trouble bool
	// Unusable: there is no verified sealing key for it now. Barred says besides that our
	// sending agents refuse to ask for one.
	Unusable, Barred bool
}

// Sender is one of our own sending agents.
type Sender struct {
	ID      int64
	Agent   wire.AgentID
	Trouble bool // it has failed lately
}

// State is where an attempt stands.
type State uint8

// States of an attempt.
const (
	Pending   State = iota // no receipt yet
	Submitted              // the sending agent has it
	Over                   // Result says how it ended
)

// Result is how an attempt ended.
type Result uint8

// Results of an attempt.
const (
	None     Result = iota
	Stored          // the receiving agent has it
	Closed          // the mailbox is closed for good
	Full            // worth another attempt after RetryAt
	Refused         // the receiving agent could not open the seal, or will never take it
	Declined        // the sending agent refused it for good
	Lost            // expired or forgotten at the sending agent without an outcome
)

// Attempt is one try to deliver the message.
type Attempt struct {
	ID      int64
	Sender  int64
	To      Place
	State   State
	Result  Result
	RetryAt time.Time // of a Full result
	Created time.Time
	NextTry time.Time // when to submit again, or to ask for the outcome
	Tries   uint64    // without an answer, in this state
	// Jitter is the mean of the delay that the sender asked its agent for.
	Jitter time.Duration
}

// View is everything that a decision rests on.
type View struct {
	Now       time.Time
	NotAfter  time.Time // of the message
	Attempts  []Attempt // oldest first
	Addresses []Address
	Senders   []Sender
}

// Fresh is a new attempt to make.
type Fresh struct {
	Sender  int64
	Address int // index into View.Addresses
}

// Verdict is what to do with the message as a whole.
type Verdict uint8

// Verdicts.
const (
	GoOn   Verdict = iota
	Done           // it is stored
	Expire         // its time is over
	Fail           // every address is closed: the peer has taken them back
)

// Decision is what to do now.
type Decision struct {
	Verdict Verdict
	Submit  []int64 // attempts whose bytes to submit again
	Poll    []int64 // attempts whose outcome to ask for
	Fresh   *Fresh  // a new attempt, or nil
	// Stuck: nothing is under way and nothing can be tried, because sending agents of ours
	// or receiving agents of the peer's have refused for good. Another sending agent, or
	// new addresses of the peer's, are needed.
	Stuck bool
	// Lagging are receiving agents whose outcome is overdue.
	Lagging []wire.AgentID
	// Wake is when to decide again at the latest.
	Wake time.Time
}

// jitterQuantile is how many means of an exponentially distributed delay are waited for:
// one in twenty is longer (e⁻³).
const jitterQuantile = 3

// minLife is what a put must have left of its address's life: notAfter is rounded down
// to whole hours.
const minLife = 2 * time.Hour

// Next decides.
func Next(v View, p Policy, rnd *rand.Rand) Decision {
	for _, a := range v.Attempts {
		if a.Result == Stored {
			return Decision{Verdict: Done}
		}
	}
	if !v.Now.Before(v.NotAfter) {
		return Decision{Verdict: Expire}
	}
	d := Decision{Wake: v.NotAfter}
	hope := false
	for _, a := range v.Attempts {
		if a.State == Over {
			if a.Result == Full {
				d.wakeAt(a.RetryAt, v.Now)
			}
			continue
		}
		d.work(a, v.Now)
		if until, ok := hopeful(a, v.Now, p); ok {
			hope = true
			d.wakeAt(until, v.Now)
		} else if a.State == Submitted && !slices.Contains(d.Lagging, a.To.Agent) {
			d.Lagging = append(d.Lagging, a.To.Agent)
		}
	}
	if hope {
		return d
	}
	if spent(v, p) {
		d.Stuck = idle(v) && slices.ContainsFunc(v.Attempts, refused)
		return d
	}
	d.Fresh = fresh(v, d.Lagging, rnd)
	if d.Fresh == nil && allClosed(v) {
		return Decision{Verdict: Fail}
	}
	d.Stuck = d.Fresh == nil && stuck(v)
	return d
}

// idle says whether nothing is under way.
func idle(v View) bool {
	return !slices.ContainsFunc(v.Attempts, func(a Attempt) bool { return a.State != Over })
}

// refused says whether an attempt ended with a refusal that waiting does not change.
func refused(a Attempt) bool { return a.Result == Declined || a.Result == Refused }

// stuck says, where there is no fresh attempt to make, whether that is because of
// refusals alone: nothing is under way, no mailbox will have room later, and no address
// waits for a sealing key that may yet come.
func stuck(v View) bool {
	some := false
	for _, to := range v.Addresses {
		tried := func(with func(Attempt) bool) bool {
			return slices.ContainsFunc(v.Attempts, func(a Attempt) bool { return a.To == to.Place && with(a) })
		}
		switch {
		case to.Expires.Sub(v.Now) < minLife, tried(func(a Attempt) bool { return a.Result == Closed }):
		case to.Barred, !to.Unusable && open(v, to) && tried(refused):
			some = true
		default:
			return false
		}
	}
	return some && idle(v)
}

// maxFull bounds the attempts that found a mailbox full: they are paced by the time that
// it gives, and not by MaxAttempts.
const maxFull = 512

// spent says whether the message has had all its attempts.
func spent(v View, p Policy) bool {
	full := 0
	for _, a := range v.Attempts {
		if a.Result == Full {
			full++
		}
	}
	return len(v.Attempts)-full >= p.MaxAttempts || full >= maxFull
}

// work lists what is due of an attempt under way.
func (d *Decision) work(a Attempt, now time.Time) {
	switch {
	case a.NextTry.After(now):
		d.wakeAt(a.NextTry, now)
	case a.State == Pending:
		d.Submit = append(d.Submit, a.ID)
	default:
		d.Poll = append(d.Poll, a.ID)
	}
}

func (d *Decision) wakeAt(t, now time.Time) {
	if t.After(now) && t.Before(d.Wake) {
		d.Wake = t
	}
}

// hopeful says whether an attempt under way is worth waiting for, and until when. One
// that has not been tried since its patience ran out, because the client was away, is
// tried once more first.
func hopeful(a Attempt, now time.Time, p Policy) (until time.Time, ok bool) {
	patience := p.SubmitPatience
	if a.State == Submitted {
		patience = p.OutcomePatience + jitterQuantile*a.Jitter
	}
	until = a.Created.Add(patience)
	return until, now.Before(until) || a.Tries == 0
}

// fresh chooses the next address and sender, or nil if nothing is left to try now.
func fresh(v View, lagging []wire.AgentID, rnd *rand.Rand) *Fresh {
	for _, again := range []bool{false, true} {
		for _, i := range order(v) {
			a := v.Addresses[i]
			late := slices.Contains(lagging, a.Agent)
			if late != again || !open(v, a) {
				continue
			}
			if s := sender(v, a, again, rnd); s != nil {
				return &Fresh{Sender: s.ID, Address: i}
			}
		}
	}
	return nil
}

// order lists the usable addresses: as given, those in trouble later, lifelines last.
func order(v View) []int {
	var good, troubled, lifelines []int
	for i, a := range v.Addresses {
		switch {
		case a.Unusable || a.Expires.Sub(v.Now) < minLife:
		case a.Lifeline:
			lifelines = append(lifelines, i)
		case a.Trouble:
			troubled = append(troubled, i)
		default:
			good = append(good, i)
		}
	}
	return slices.Concat(good, troubled, lifelines)
}

// open says whether no attempt has shown that the address takes nothing now.
func open(v View, to Address) bool {
	for _, a := range v.Attempts {
		if a.To != to.Place || a.State != Over {
			continue
		}
		if a.Result == Closed || a.Result == Full && v.Now.Before(a.RetryAt) {
			return false
		}
	}
	return true
}

// sender draws a sending agent that is not trying this address, did not decline it, and
// did not bring an outcome that opens to nothing: only a sending agent that lies, or an
// address that is void, has that, and another agent tells which. One that has an attempt
// of this message whose outcome is overdue comes after the others: it may be the one that
// forwards nothing. With again, the outcome of another attempt there is overdue, which is
// a reason for a further one only if the sending agent that has it is in trouble. A
// sending agent in trouble is used for a message only if nothing is under way.
func sender(v View, to Address, again bool, rnd *rand.Rand) *Sender {
	trying, doubtful := map[int64]bool{}, map[int64]bool{}
	underway := false
	for _, a := range v.Attempts {
		if a.State == Over {
			if a.To == to.Place {
				trying[a.Sender] = trying[a.Sender] || refused(a)
				doubtful[a.Sender] = doubtful[a.Sender] || a.Result == Lost
			}
			continue
		}
		underway = true
		doubtful[a.Sender] = doubtful[a.Sender] || a.State == Submitted
		if a.To == to.Place {
			trying[a.Sender] = true
		}
		if again && a.To.Agent == to.Agent && a.State == Submitted && !inTrouble(v, a.Sender) {
			return nil
		}
	}
	var groups [3][]*Sender // good; sees both ends, or has lost one or is late; in trouble
	for i := range v.Senders {
		s := &v.Senders[i]
		switch {
		case trying[s.ID], underway && s.Trouble:
		case s.Trouble:
			groups[2] = append(groups[2], s)
		case s.Agent == to.Agent, doubtful[s.ID]:
			groups[1] = append(groups[1], s)
		default:
			groups[0] = append(groups[0], s)
		}
	}
	for _, g := range groups {
		if len(g) > 0 {
			return g[rnd.IntN(len(g))]
		}
	}
	return nil
}

func inTrouble(v View, sender int64) bool {
	for _, s := range v.Senders {
		if s.ID == sender {
			return s.Trouble
		}
	}
	return true // an agent that we have left
}

// allClosed says whether every address that we have was closed and nothing is under way.
func allClosed(v View) bool {
	if !idle(v) {
		return false
	}
	closed := func(to Place) bool {
		return slices.ContainsFunc(v.Attempts, func(a Attempt) bool { return a.To == to && a.Result == Closed })
	}
	for _, a := range v.Addresses {
		if a.Expires.Sub(v.Now) >= minLife && !closed(a.Place) {
			return false
		}
	}
	return len(v.Attempts) > 0
}
