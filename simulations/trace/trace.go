// Package trace is the vocabulary in which a simulation tells what happened. Both tiers
// tell it in the same words, so that one set of measures, one hash and one report serve
// both. Nothing is kept here: a [Recorder] folds what it hears as it hears it.
//
//	Sent ──▶ Put ──▶ Stored ──▶ Received     a message's way; Put once for each attempt
//	  └──▶ Accepted    │  Failed, Expired    its ends
//	                   └▶ Lookup, Load, Frame beside it
package trace

import "time"

// Kind is what happened.
type Kind uint8

const (
	// Sent: a user wrote a message: Message, User, Peer, Size.
	Sent Kind = iota + 1
	// Accepted: a sending agent has it durably, and said so: Message, User, Agent.
	Accepted
	// Put: a sending agent forwards an attempt, for the first time or again: Message, Agent
	// (sending), Other (receiving), Mailbox, Size on the wire.
	Put
	// Refused: the receiving agent did not answer, or not well: Message, Agent, Other.
	Refused
	// Stored: a receiving agent has it durably: Message, Agent (sending), Other
	// (receiving), Mailbox.
	Stored
	// Received: the peer's client showed it for the first time: Message, User (who sent),
	// Peer (who reads), Other (the agent that it was collected from), Mailbox.
	Received
	// Repeated: the peer's client showed it again, which must not happen.
	Repeated
	// Expired: the sender's client was told, or decided, that it will not arrive: Message.
	Expired
	// Failed: every address of the peer's was closed: Message.
	Failed
	// Rotated: User gave Peer new addresses; Mailbox is one of them, at agent Other.
	Rotated
	// Down and Up: an agent stopped, or serves again: Agent. Of Up, Took is how long it
	// took to start.
	Down
	Up
	// Joined: in a cold start, an agent became part of the overlay: Agent, Took.
	Joined
	// Collected: a client collected Size bytes of deliveries of User's at Other: Mailbox.
	Collected
)

// None stands where an Event has no agent or user.
const None int32 = -1

// Event is something that happened. Times are virtual, since the start.
type Event struct {
	At      time.Duration
	Kind    Kind
	Message uint32 // number of the message, from 0
	User    int32
	Peer    int32
	Agent   int32
	Other   int32
	Mailbox uint64 // a pseudonym of the mailbox that agents see
	Size    int32  // bytes
	Took    time.Duration
}

// Frame is what a global passive observer sees: when how many bytes went between which
// machines. Agents are numbered from 0, a user's machine is -1 minus the user's number.
type Frame struct {
	At       time.Duration
	From, To int32
	Size     int32
}

// UserMachine is how a user's machine is numbered in a Frame.
func UserMachine(user int32) int32 { return -1 - user }

// Lookup is a name or descriptor that was looked up.
type Lookup struct {
	At    time.Duration
	Took  time.Duration
	Hops  int // peers asked one after another, on the longest way; 0: not known
	Found bool
	True  bool // what was found is the newest that is true
	// Target: it was of the name that Sybils gather around. Seen: one of them was asked.
	Target, Seen bool
}

// Load is one agent's state at a time.
type Load struct {
	At     time.Duration
	Agent  int32
	Queued int   // submissions that wait or are under way
	Held   int   // deliveries that nobody has collected yet
	Bytes  int64 // stored, log included
	Events int64 // in its log
	Conns  int
}

// Recorder hears what happens, in order of time. Its methods are called by one goroutine
// at a time.
type Recorder interface {
	Event(Event)
	Lookup(Lookup)
	Load(Load)
	// Frame is called only if Frames says so: there are many.
	Frame(Frame)
	Frames() bool
	// Bytes adds what a stream protocol, or "dial", carried.
	Bytes(protocol string, n int64)
}

// Outcome is how a run ended.
type Outcome struct {
	Virtual time.Duration // how far it came
	// Stopped says why it ended before its time: "interrupted", "out of memory", "out of
	// time", "stuck"; empty if it did not.
	Stopped string
	// Broken are invariants that did not hold, in words.
	Broken []string
	// Extra are further measures of the tier, by name.
	Extra map[string]float64
}

// Progress is told now and then while a run goes on.
type Progress struct {
	Phase   string        // "starting", "running", "draining", "checking"
	Virtual time.Duration // so far
	Of      time.Duration
}

// Limits end a run that takes too much.
type Limits struct {
	Memory   int64         // bytes of the process; 0: none
	Wall     time.Duration // 0: none
	Stuck    time.Duration // of real time without progress in virtual time; 0: a minute
	Progress func(Progress)
}
