// Package mailbox is the receiving agent: the third station of a message. It takes
// puts from sending agents (docs/deliver.md), keeps them until the mailbox's owner
// has collected them (docs/mailbox.md), and holds the small blobs that invitations
// point at (docs/blob.md). It never learns who sent, and it cannot read anything.
//
//	sending agent ── put ──▶ checks in the clear: shape, expiry, budgets, storage
//	                         workers: open the seal, recompute the address key, tag
//	                         log's writer: repeat? closed? full? ([admit.Admit])
//	                         commit ──▶ wake the owner's watchers
//	              ◀── outcome ── sealed to the sender
//	owner ── collect, watch ──▶ rows and bodies
//	owner ── ack ──▶ Collected: the body is erased with the commit
//
// # What it owns
//
// Facts of the kinds 0x0201 to 0x020a in the event log, laid out in [admit], and the
// two projections that follow from them. Keys, beginning with the letter (big-endian
// numbers, so that rows lie in the order of their numbers):
//
//	mailboxes  'm' ‖ mailbox 16             → row of [admit.Mailbox]
//	           'd' ‖ mailbox 16 ‖ u64 seq   → u32 size ‖ u32 received (hour)
//	           'r' ‖ u32 week ‖ replay 16   → u64 seq
//	           's' ‖ slot 16                → nothing
//	blobs      'b' ‖ blob id 32             → row of [admit.Blob]
//	           'n'                          → u64 blobs
//
// A delivery costs one small row in 'd' and one in 'r', and rewrites its mailbox's.
// Its position in the protocol is its sequence in the log. Nothing indexes deliveries
// by time: a sweep looks at each mailbox's first row, its oldest. A filter in memory
// answers for most replay ids that they were never stored. A closed mailbox
// that holds nothing has no row, so that no loss of rows can open it again. Secrets
// lie in [keyring], never in the log.
//
// # What an answer tells
//
// A put is answered in the clear with "taken" and an outcome of constant size, or with
// a refusal that depends on nothing but the request, the asking peer and the agent's
// load. Whether the seal opened, the mailbox exists, is closed, silent or full shows
// only inside the outcome, and every such put waits for the log's next commit.
package mailbox
