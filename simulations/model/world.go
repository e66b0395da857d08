package model

import (
	"encoding/binary"
	"math/rand/v2"
	"strconv"
	"time"

	"communicator/mailbox/admit"
	"communicator/relay/queue"
	"communicator/simulations/script"
	"communicator/simulations/trace"
	"communicator/wire"
)

// world is the state of a run.
type world struct {
	s   *script.Script
	rec trace.Recorder
	now int64
	end int64
	seq uint64

	events  heap
	held    []event // requests that a partition or a frozen agent keeps, in order
	heldOut []event // scratch

	decide  *rand.Rand // of clients' and agents' decisions
	air     *rand.Rand // of the wire
	loss    float64
	slow    float64
	frames  bool
	overlay float64 // share of pairs of agents that the overlay connects

	agents []agent
	users  []user
	sides  []side

	sets       arena[addressSet]
	boxes      arena[box]
	messages   arena[message]
	attempts   arena[attempt]
	deliveries arena[delivery]

	links    map[uint64]link      // connections between agents
	troubled map[troubleKey]int64 // until when an agent is tried last; looked up only
	cuts     []cut                // partitions so far
	queues   []*queue.Queue       // empty ones

	effects queue.Effects
	view    viewScratch
	lookups lookups
	who     [][]int32 // users of each agent, made when first needed

	count counters
}

// agent is a node: sending and receiving agent.
type agent struct {
	uri    string
	region uint8
	evil   script.Hostile

	up, starting, frozen, full, draining, killed bool

	group     int32 // of the partition in force; 0: with everybody else
	cutFrom   int64 // the last time that it could not be reached, by whatever it was
	cutTo     int64 // and when it was again; 0: not yet, or never gone
	life      uint32
	busy      int64 // until when it works on what it has taken
	linkCount int32
	trimmed   int64 // connections not used since are closed

	// As a sending agent.
	q       *queue.Queue // nil while nothing is queued
	wakeAt  int64        // of the one timer that is pending; 0: none
	nextID  uint32
	first   uint32 // attempts queued, in the order of their coming
	last    uint32
	queued  int32
	outcome int32 // outcomes kept

	// As a receiving agent.
	boxes uint32 // the first of the boxes that hold something
	held  int32  // deliveries
	bytes int64  // of bodies, of both roles
	log   int64  // events
	puts  uint32
}

// user is a person with one device.
type user struct {
	on       bool
	troubled bool
	region   uint8
	group    int32
	life     uint32 // counts how often the device was switched
	onSince  int64
	onTotal  int64  // of earlier times
	outbox   uint32 // messages under way, oldest first
	newest   uint32
	sending  [script.MaxAgents]int32
	receive  [script.MaxAgents]int32
	left     uint8 // bits: 0..3 sending, 4..7 receiving agents that are being left
}

// side is what one user has of a relationship.
type side struct {
	current uint32                   // the set that is offered to the peer
	applied uint32                   // the newest of these that the peer has
	number  uint32                   // of current
	acked   uint32                   // the highest number that the peer has acknowledged
	gave    uint32                   // the highest number of the peer's that was applied here
	open    uint8                    // sets not closed yet
	puts    uint16                   // taken in since the current set was acknowledged
	since   uint16                   // received since something was sent
	due     bool                     // an answer is due
	timed   bool                     // and has its time
	suspect bool                     // the set names an agent that is being left
	active  int64                    // when its owner last sent or was shown something
	flying  int32                    // requests of the pass that is under way
	conns   [script.MaxAgents]uint32 // life of the sending agents to which a connection is open
	uses    uint32                   // life of the device that opened them
}

// homes of a set: two for ordinary addresses, and one for the lifeline.
const (
	lifeline = 2
	homes    = 3
)

// addressSet is a generation of addresses that one side made for the other.
type addressSet struct {
	owner   uint32 // side
	number  uint32
	home    [homes]int32  // agents; -1: none
	box     [homes]uint32 // 0: untouched so far
	older   uint32
	closing bool
	created int64
}

// box is a mailbox that something has happened to.
type box struct {
	row       admit.Mailbox
	set       uint32
	slot      uint8
	scheduled bool   // a watch will come for what it holds
	first     uint32 // deliveries, oldest first
	last      uint32
	next      uint32 // of the agent's boxes that hold something
	prev      uint32
}

// delivery is what a mailbox holds.
type delivery struct {
	message uint32
	box     uint32
	size    int32
	at      int64
	next    uint32
	gen     uint32
	stored  bool
}

// message is one that is under way, or that some agent has a copy of.
type message struct {
	gen      uint32
	number   uint32 // the script's; noNumber for automatic answers
	from, to int32
	side     uint32 // the sender's
	size     int32  // of the payload
	refs     int32
	sent     int64
	wake     int64  // when the client looks at it again
	timer    int64  // of the one timer that is pending; 0: none
	offers   uint32 // set that it carries; 0: none
	acks     uint32 // number of the peer's set that it acknowledges
	attempts uint32 // oldest first
	newest   uint32
	prev     uint32 // of the sender's outbox
	next     uint32

	open, accepted, received, told, hostile bool
}

// noNumber is the number of messages that nobody wrote.
const noNumber = ^uint32(0)

// attempt is one try to deliver a message.
type attempt struct {
	gen     uint32
	message uint32
	next    uint32 // of the message's
	set     uint32 // addressed: a set and which of its homes
	slot    uint8
	state   uint8 // route.State
	result  uint8 // route.Result
	tries   uint16
	ask     int32 // counts requests of the client; the one under way has this number
	asking  bool
	sender  int32 // agent
	created int64
	nextTry int64
	retryAt int64
	until   int64 // when the request under way is given up

	// At the sending agent.
	holding  uint8 // nothing, queued, settled
	answer   uint8 // of the receiving agent
	lost     bool  // the sending agent is hostile and has dropped it
	waiting  bool  // a poll waits
	retry    int64 // told with a full mailbox
	id       queue.ID
	notAfter int64
	put      int32 // counts puts
	putUntil int64
	before   uint32 // of those queued at the agent
	after    uint32

	// At the receiving agent.
	position uint64 // of the delivery that it became
}

// What a sending agent holds of an attempt.
const (
	nothing uint8 = iota
	queued
	settled
)

// Answers to a put.
const (
	answerStored uint8 = iota + 1
	answerClosed
	answerFull
	answerLater   // takes nothing now: its disk is full
	answerBusy    // or it is behind
	answerGarbage // an outcome that opens to nothing
	answerExpired // of the sending agent: its time was over
)

// counters add up what is told at the end.
type counters struct {
	events, sent, automatic, recognised, attempts, puts int64
	lost, lostHostile                                   int64
	turns                                               int64
	bytes                                               [protocols]int64
	broken                                              []string
}

// cut is a partition.
type cut struct {
	group    int32
	from, to int64 // to is 0 while it lasts
	regions  []uint8
}

// troubleKey names an agent that a user has trouble with, in one of its roles.
type troubleKey struct {
	user, agent int32
	receiving   bool
}

func newWorld(s *script.Script, rec trace.Recorder) *world {
	w := &world{
		s: s, rec: rec, end: int64(s.End()), slow: 1, loss: s.Network.Loss(), frames: rec.Frames(),
		decide: s.Rand("model decisions", 0), air: s.Rand("model wire", 0),
		overlay: inTables(len(s.Agents)),
		agents:  make([]agent, len(s.Agents)), users: make([]user, len(s.Users)),
		sides: make([]side, 2*len(s.Relations)),
		links: map[uint64]link{}, troubled: map[troubleKey]int64{},
	}
	for i := range w.agents {
		a := &s.Agents[i]
		w.agents[i] = agent{region: a.Region, evil: a.Hostile, up: true, life: 1}
	}
	for i := range w.users {
		u := &s.Users[i]
		w.users[i] = user{region: u.Region, on: true, life: 1, sending: u.Sending, receive: u.Receiving}
	}
	return w
}

// at schedules an event.
func (w *world) at(t int64, e event) {
	e.at = t
	w.seq++
	e.seq = w.seq
	w.events.push(e)
}

// time is a virtual time as the decisions know it.
func (w *world) time(t int64) time.Time { return epoch.Add(time.Duration(t)) }

// sideOf is what a user has of a relationship.
func (w *world) sideOf(relation, user int32) uint32 {
	if w.s.Relations[relation].A == user {
		return uint32(2 * relation)
	}
	return uint32(2*relation + 1)
}

// owner is the user whose side it is; peer the other one.
func (w *world) owner(side uint32) int32 {
	r := &w.s.Relations[side/2]
	if side%2 == 0 {
		return r.A
	}
	return r.B
}

func peer(side uint32) uint32 { return side ^ 1 }

// uri names an agent to the queue. It is made once.
func (w *world) uri(i int32) string {
	a := &w.agents[i]
	if a.uri == "" {
		a.uri = strconv.Itoa(int(i))
	}
	return a.uri
}

func agentID(i int32) (id wire.AgentID) {
	binary.BigEndian.PutUint32(id[:], uint32(i))
	return id
}

func agentOf(id wire.AgentID) int32 { return int32(binary.BigEndian.Uint32(id[:])) }

func mailboxID(set uint32, slot uint8) (id wire.MailboxID) {
	binary.BigEndian.PutUint32(id[:], set)
	id[4] = slot
	return id
}

func accountID(user int32) (id wire.AccountID) {
	binary.BigEndian.PutUint32(id[:], uint32(user))
	return id
}

// mix is a good hash of a number (the finaliser of SplitMix64).
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// pseudonym is how agents see a mailbox in what is recorded: it tells nothing of its owner.
func (w *world) pseudonym(set uint32, slot uint8) uint64 {
	if b := w.sets.at(set).box[slot]; b != 0 {
		set = w.boxes.at(b).set // a lifeline belongs to several sets
	}
	return mix(w.s.Scenario.Seed ^ uint64(set)<<8 ^ uint64(slot))
}

// tell records an event of a message that somebody wrote.
func (w *world) tell(m *message, e trace.Event) {
	if m.number == noNumber {
		return
	}
	e.At, e.Message = time.Duration(w.now), m.number
	w.rec.Event(e)
}

// unref drops a reference to a message. With the last it is forgotten.
func (w *world) unref(mi uint32) {
	m := w.messages.at(mi)
	if m.refs--; m.refs > 0 {
		return
	}
	w.forgotten(m)
	for ai := m.attempts; ai != 0; {
		a := w.attempts.at(ai)
		next := a.next
		*a = attempt{gen: a.gen + 1}
		w.attempts.release(ai)
		ai = next
	}
	*m = message{gen: m.gen + 1}
	w.messages.release(mi)
}
