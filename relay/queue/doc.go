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
//	          Add                      Taken, Refused
//	┌───────┐ ───▶ ┌─────────┐ one send ┌────────┐ up to PerDestination sends
//	│ empty │      │ unproven│ ───────▶ │ proven │ ──▶ in flight
//	└───────┘ ◀─── └─────────┘          └────────┘
//	      no items   ▲     │ Failed, Deferred   │
//	                 │     ▼                    │
//	               ┌─────────┐                  │
//	               │ paused  │ ◀────────────────┘
//	               └─────────┘  until the backoff ends, then one probe
//
// A failure while the destination keeps answering others delays that submission
// alone; a failure with nothing answered since it was sent pauses the destination.
// Pauses double from [Config.BackoffMin] to [Config.BackoffMax], each shortened by
// up to a half at random, and last at least as long as the receiving agent asked
// for (within BackoffMax). Submissions that the agent refused outright come back
// by themselves at that pace until they expire: its policy may change.
//
// Caps. Sends in flight are capped per destination and in total; probes of
// destinations that have not answered yet have a cap of their own, so that any
// number of unreachable destinations leaves the others alone. Destinations that
// are due take turns, [Config.Burst] sends each.
//
// Time. A sender may ask for an exponentially distributed delay before the first
// attempt. It is memoryless, so a node that restarts draws it again and the
// distribution stays what was asked for. Whatever is still waiting at its notAfter
// is abandoned; what is in flight then is given its answer first.
//
// Every step costs O(log n) and the outcome depends on nothing but the inputs:
// ties break by order of arrival, never by a map's order.
package queue
