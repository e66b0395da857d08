package real

import (
	"time"

	"communicator/client/store"
)

// Where machines are: each agent in a group of addresses (/16) of its own, as agents of
// different operators are, and each user at an address of their own.
const (
	firstAgentNet, agentsPerNet = 20, 250
	firstUserNet, usersPerNet   = 150, 250
	agentPort                   = 4001
)

// Starting.
const (
	fullTables    = 500 // up to so many agents have full routing tables
	opening       = 64  // agents, or users, that are opened at a time
	bootstrappers = 8   // agents whose addresses everybody has
	joinEvery     = time.Second
	joinPatience  = 10 * time.Minute // of a cold start, for all to have joined
	acceptTries   = 5                // of a relationship that a lost connection interrupts
	meetPatience  = 30 * time.Minute // for both sides of every relationship to have a session
	meetEvery     = time.Second
	onEvery       = 5 * time.Millisecond // between two devices that are switched on
	publishing    = 16                   // names that are published at a time
	readers       = 16                   // clients of the overlay, which look names up for all users
	warmUp        = 10 * time.Second     // for the last one to watch
	// Work of records in the overlay, and of accounts, in bits: next to none.
	stampBits, accountBits = 1, 1
)

// Running.
const (
	beatEvery = 100 * time.Millisecond // of virtual time: limits are looked at
	// beatReal is how often, of real time, the same happens from outside.
	beatReal      = 250 * time.Millisecond
	sampleEvery   = time.Minute // of virtual time: agents' loads
	sampledAgents = 300         // up to so many are sampled
	// settle is how long a run goes on after everything has arrived, for repetitions.
	settle        = time.Minute
	settleEvery   = time.Second
	defaultStuck  = time.Minute // of real time without progress
	stuckGrace    = 5 * time.Second
	reportedFalse = 20 // broken invariants that are told one by one
)

// maxRequest is the largest request to the overlay that a hostile agent reads, in bytes.
const maxRequest = 64 << 10

// What lies beside what the garbage collector sees, in bytes: of each profile, which is
// SQLite's, and of the program.
const (
	profileMemory = 440 << 10
	reserved      = 64 << 20
)

// Of clients.
const (
	// spareConns are connections beyond those that watch, for sending and for upkeep:
	// what is used least is closed.
	spareConns = 1
	// watchedAgents is at how many agents a relationship's mailboxes are: two and a
	// lifeline, as clients have it.
	watchedAgents = 3
	passphrase    = "simulated"
)

// cheapKDF is the least that a profile's passphrase costs.
var cheapKDF = store.KDF{Time: 1, Memory: 8, Threads: 1}

// diskSize is what an agent's disk has, for the log's rule about free space.
const diskSize = 1 << 40
