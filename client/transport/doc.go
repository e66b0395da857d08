// Package transport is the libp2p side of a client: it opens connections to the
// person's own agents and offers each stream protocol as typed calls. It knows nothing
// of contacts, messages or storage.
//
// # What an agent sees of a client
//
// Each [Key], a relationship at an agent, has a connection of its own, from a libp2p
// host of its own, with an Ed25519 identity that was drawn for it and is never stored:
// so an agent cannot tell by the connection which relationships belong to one person.
// At most [Options.MaxOpen] connections are open at once, and [Options.MaxPerAgent] at one
// agent; fewer, for a while, where an agent does not take so many. A [Lease] keeps one open.
// When all are leased, holders of those that only wait for deliveries are asked to yield
// ([Lease.Yield]): the relationships that were active last keep theirs, and the others have
// turns. turns.go has the rules.
//
// A client listens nowhere and takes no streams. With a SOCKS5 proxy nothing leaves
// beside it: TCP only, and host names are resolved by the proxy ([NewHost]).
//
// # Streams
//
// Each protocol has one long-lived stream per connection, framed by
// communicator/wire/mux, on which the first request is a Hello where the protocol asks
// for permission. A call on a stream that broke is repeated once on a new one: every
// request here may be repeated. A connection that an agent breaks off before the Hello
// was answered, as it does while it has too many handshakes under way, is tried a few
// times at random moments. What an agent refuses is a [*wire.StatusError]; what
// never reached it is a [*UnreachableError]. Neither says an address.
//
// docs/streams.md, docs/submit.md, docs/mailbox.md, docs/blob.md and
// docs/descriptor.md describe what is on the wire.
package transport
