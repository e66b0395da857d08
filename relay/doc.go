// Package relay is the sending agent: it takes submissions from clients, makes them
// durable, forwards each to the receiving agent that it names, however long that
// takes within notAfter, and keeps the sealed outcome for whoever holds the
// submission's handle.
//
//	client ── submit ──▶ Service ── Submitted ──▶ event log
//	       ◀─ receipt ──    │
//	                        ▼
//	                  relay/queue: what next, when
//	                        │ deliver: the same bytes at every attempt
//	                        ▼
//	                  receiving agent
//	                        │ sealed outcome
//	       ◀── fetch ───────┴─────── Forwarded ──▶ event log, body erased
//	       ─── ack ────────────────▶ OutcomeAcknowledged, outcome erased
//
// It never sees an address in the clear, and of the sender it keeps one thing, the
// account whose quota a submission counts against, for as long as it is queued.
// docs/submit.md describes the stream protocol; docs/deliver.md the other side.
//
// # Events
//
// Stream is the handle's hash in all of them; numbers are big-endian. All are
// version 1.
//
//	Submitted           header empty
//	                    body   receipt.SubmissionBody
//	                    key    "submit" ‖ handle hash
//	Forwarded           header u64 seq of Submitted ‖ u32 hour of notAfter
//	                    body   the sealed outcome; erases the submission's body
//	Abandoned           header u64 seq of Submitted ‖ u32 hour of notAfter
//	                    erases the submission's body
//	Refused             header u64 seq of Submitted ‖ u32 hour of notAfter ‖ u16 status
//	                    erases the submission's body
//	OutcomeAcknowledged header u64 seq of Forwarded, Abandoned or Refused; erases its body
//	OutcomeExpired      the same, [wire.OutcomeGrace] after notAfter
//
// Hours are counted from 1970. The account is in the submission's body alone, so it
// is gone from the log when the body is.
//
// # Rows
//
// One for each submission that is queued or whose outcome is kept:
//
//	handle hash 32 → 1 ‖ u64 seq ‖ u32 hour ‖ u32 jitter ms ‖ account 16 ‖ u32 size ‖ URI   queued
//	               → 2 ‖ u64 seq ‖ u32 hour                                                forwarded
//	               → 3 ‖ u64 seq ‖ u32 hour                                                abandoned
//	               → 4 ‖ u64 seq ‖ u32 hour ‖ u16 status                                   refused for good
//
// At start the queue is made from the rows; bodies and history are not read.
//
// # Memory
//
// Most submissions are delivered, fetched and acknowledged within moments. Those are not
// read back from the log: bodies keeps a submission until its first attempt, states what
// became of it until that is acknowledged, both within a number of bytes, beyond which
// the log is asked. Both are filled after the commit of what they hold, so nobody is told
// what is not stored. What comes in while a request to the log is being synced goes to it
// as one request (group).
package relay
