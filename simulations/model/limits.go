package model

import (
	"time"

	"communicator/client/route"
	"communicator/mailbox/admit"
	"communicator/particle"
	"communicator/relay/queue"
	"communicator/wire"
)

// The product's own limits. Those that its packages do not export, or whose packages bring
// libp2p along, are written again here, and a test compares what can be compared.
var (
	policy   = route.Policy{}.WithDefaults()
	quotas   = admit.Quotas{Deliveries: 1024, Bytes: 16 << 20, LifelineDeliveries: 128, FullRetry: time.Hour}
	queueing = queue.Config{}
)

const (
	messageLife = wire.MaxPutLife     // client.DefaultLife
	closeAfter  = particle.CloseAfter // of a replaced generation
	rotateAge   = particle.RotateAge
	rotatePuts  = particle.RotatePuts
	answerAfter = particle.AnswerAfter
	maxSets     = 4 // of a peer's that are kept for sending
	maxOpenSets = 8 // of one's own
	addressLife = 60 * 24 * time.Hour

	answerDelay   = 30 * time.Second // client.DefaultAckDelay
	dialTimeout   = 10 * time.Second
	callTimeout   = 20 * time.Second
	outcomeWait   = 10 * time.Second // client
	minFullPause  = time.Minute      // client
	activeFor     = 10 * time.Minute // client
	visit         = time.Second      // of a mailbox in which nothing lies
	watchFirst    = 30 * time.Second // client
	watchMost     = 2 * time.Minute  // client
	watchPace     = 2 * time.Second  // client
	perAgent      = 6                // client: connections at one agent
	deadAfter     = 48 * time.Hour   // client
	refreshAgents = 12 * time.Hour   // client

	openTimeout    = 20 * time.Second // relay.Limits
	requestTimeout = 30 * time.Second
	idleClose      = 60 * time.Second
	trimGrace      = time.Minute // node
	trimHigh       = 400         // node: of 512 connections in
	trimLow        = 300

	retryStorage  = 10 * time.Second // relay and mailbox, of a full disk
	retryOverload = 2 * time.Second  // mailbox

	tableAfter = time.Minute // dht: an agent that starts finds its place in the overlay

	firstRetransmit = 200 * time.Millisecond // memnet
	maxRetransmits  = 8
	breakAfter      = 40 * time.Second // memnet: how long a connection survives silence

)

// Of the simulation itself.
const (
	progressEvery = 500 * time.Millisecond // of real time
	sampleEvery   = time.Minute            // of virtual time
	sampledAgents = 2000                   // up to so many are sampled while a run goes on
	maxLoads      = 5_000_000              // loads told in a run, about
	checkEvery    = 1 << 14                // events between looks at limits
	maxBroken     = 20                     // broken invariants that are told one by one
	outboxBatch   = 64                     // client: messages of a contact that one pass works on
	decideRounds  = 16                     // client: how often one pass looks again
	maxLinks      = 1 << 20                // remembered connections before old ones are swept out
)

// epoch is when a run begins, for decisions that count hours and weeks: the start of a week.
var epoch = time.Unix(2900*int64(wire.EpochLength/time.Second), 0).UTC()
