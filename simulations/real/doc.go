// Package real plays a script with whole nodes and clients of this repository: node.Open
// and client.Create, their libp2p hosts over an in-memory network, kad-dht, stream
// handlers, event logs and profiles, in virtual time. What is written here is who they
// are, when they stop and start, and how far apart they are; no protocol.
//
//	script ──▶ world ──▶ agent ── node.Open, Run, Close ──┐
//	              └────▶ user  ── client.Create, Follow ──┴─▶ memnet
//	                      │                                     │ delay, loss, cuts
//	                      └──────────▶ tape ──▶ trace.Recorder ◀┘ frames
//
// # Starts
//
// Before a run begins everybody is there and every relationship is established, in
// virtual time before zero; what that costs is told apart ([trace.Outcome.Extra]). In a
// warm start agents know whom they would know after weeks (dht.Warm). In a cold one they
// begin with a few addresses, and join through those after zero.
//
// # Faults
//
//	stop     the node is closed as on SIGTERM; its log, keys and descriptors stay
//	kill     its connections are reset and what its log commits from then on is gone
//	         (a log on disk is closed as any other: its commits are synced one by one)
//	cut off  frames wait; connections break after [memnet.BreakAfter]
//	freeze   as cut off, alone
//	full     the log is told that its disk is full
//	off      a user's client follows nothing and sends nothing
//
// Hostile agents are production nodes behind a host that loses, holds, or spoils what
// passes (seam.go).
//
// # What is told
//
// What clients and operators see: a message is Accepted and Stored when its sender's
// client learns of it, with the agent that the receipt names. Attempts of sending agents
// (Put, Refused) and the mailbox that a message was collected from are sealed from
// everybody who could tell, and are not told. A run ends a minute after everything has
// arrived, however much time the scenario leaves for that.
//
// # Ends
//
// A run that is interrupted, takes too long or too much memory says how far it came, and
// keeps what was told until then. What hangs in virtual time can only be seen from
// outside: [Watch].
//
// Goroutines and timers due at one instant run in any order, and keys of sessions are
// random: one seed gives one topology, one churn and one workload, but no trace that is
// equal bit by bit.
package real
