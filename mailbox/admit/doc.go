// Package admit holds the decisions of a receiving agent: what happens to a put,
// to an owner's operation, to a blob. Each is a plain function of what is stored
// and what is asked, without clock, randomness, network or storage, so that the
// agent, a test and a model of a million mailboxes decide alike.
//
// A decision answers with facts: [MailboxCreated], [Delivered], [Collected] and so
// on. They are what the agent's event log keeps; the layouts of their headers are
// drawn beside each type, are versioned by [Version] and decode for ever. The rows
// that follow from them are [Mailbox] and [Blob].
//
// # What a fact says, and what not
//
// Delivered names the mailbox, the hour after which the put is void, and a keyed
// digest that recognises the same put again. It says nothing of who sent: neither
// the sending agent nor the address that was used. A mailbox that was revoked
// silently gets the same fact with the same body as a live one; that its body is
// dropped follows from the row, so that neither the header nor a receipt over it
// can tell. MailboxCreated names no account: it holds a [Slot], one of the account's
// numbered places under a key that the log does not contain, so that the log alone
// does not say which mailboxes belong together.
package admit
