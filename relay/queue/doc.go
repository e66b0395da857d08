// Package queue decides which submission a sending agent forwards when. It is a
// step function over a state: inputs are submissions, answers and timers, effects
// are sends, abandonments and the next timer. It has no goroutine, clock, network,
// storage or randomness of its own, so that the same code runs in a node, in a
// network of nodes in virtual time and in a model of a million users.
//
// # Rules
//
// Destinations. Submissions are grouped by the receiving agent's URI, not by its
// peer id alone: someone who submits a wrong address for an honest agent must not
// slow down those who have the right one.
//
//	          Add                      Settled, Refused
//	┌───────┐ ───▶ ┌─────────┐ one send ┌────────┐ up to PerDestination sends
//	│ empty │      │ unproven│ ───────▶ │ proven │ ──▶ in flight
//	└───────┘ ◀─── └─────────┘          └────────┘
//	      no items   ▲     │ Failed, Deferred   │
//	                 │     ▼                    │
//	               ┌─────────┐                  │
//	               │ paused  │ ◀────────────────┘
//	               └─────────┘  until the backoff ends, then one probe
//
// A destination to which a stream is open, on which it answered, begins as proven: it
// was empty for a moment only.
//
// A failure while the destination keeps answering others delays that submission
// alone; a failure with nothing answered since it was sent pauses the destination.
// Pauses double from [Config.BackoffMin] to [Config.BackoffMax], each shortened by
// up to a half at random, and last at least as long as the receiving agent asked
// for (within BackoffMax). A submission that the agent did not take, without refusing
// it for good, comes back by itself at that pace until it expires.
//
// Caps. Sends in flight to proven destinations are capped per destination, per account
// and in total, so that no account's agents that answer once and then let everything
// hang take all places; destinations that are due take turns, [Config.Burst] sends each.
//
// Probes. Sends to unproven destinations, one at a time to each, have a cap of their
// own, so that any number of unreachable destinations leaves the proven ones alone.
// Within it each account has a cap, and accounts take turns, so that one account's
// leave another's alone; a destination for which several accounts have submissions is
// in line for each of them. Half of both caps is kept for destinations that have not
// failed, so that old failures do not delay first contacts. A probe has little time at
// first, and more after each failure.
//
//	account ─┬─ fresh  ── lane, lane, …    lane: its submissions to one destination
//	         └─ failed ── lane, …
//
// Time. A sender may ask for an exponentially distributed delay before the first
// attempt. It is memoryless, so a node that restarts draws it again and the
// distribution stays what was asked for. Whatever is still waiting at its notAfter
// is abandoned; what is in flight then is given its answer first.
//
// A step costs O(log n), and when an unproven destination is probed, answers or fails
// O(log n) for each account that has something for it. The outcome depends on nothing but the inputs:
// ties break by order of arrival, never by a map's order.
package queue
