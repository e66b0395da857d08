// Package client is a person's side of Communicator: it keeps the relationships and the
// history in an encrypted profile, sends through the person's sending agents, collects
// from the receiving agents, and repairs what breaks. It prints nothing.
//
//	c, err := client.Open(ctx, path, passphrase, client.Options{})
//	defer c.Close()
//	err = c.AddAgent(ctx, "/dnsaddr/relay.example.org/p2p/12D3KooW…?token=…")
//	inv, err := c.Invite(ctx, "Blair")          // hand inv.Link to Blair
//	…
//	contact, err := c.Accept(ctx, link, "Alex") // on Blair's side
//	sent, err := c.Send(ctx, "Alex", "hello", client.SendOptions{Wait: client.UntilStored})
//	err = c.Follow(ctx, func(e client.Event) { … })
//
// # In a message's journey
//
// It stands at both ends, and the commit rules of communicator/particle are its first
// duty. To send, one transaction of the profile (client/store) holds the next state of
// the relationship and the exact ciphertext; only then anything leaves, and whatever is
// repeated is repeated byte for byte. To receive, one transaction holds the next state,
// the text and the id of the delivery; only then the delivery is acknowledged. So a
// crash at any point neither loses a message nor shows it twice.
//
//	Send ──▶ {state, ciphertext} ──▶ plan ──▶ attempt {wrap, seal, handle} ──▶ submit
//	                                  ▲                                          │
//	                                  └──── outcome: stored, closed, full ◀── fetch
//	collect, watch ──▶ {state, text, delivery id} ──▶ acknowledge ──▶ event
//
// # Who sees what
//
// A client speaks only with the person's own agents, each relationship over connections
// of its own (client/transport). What it must know of a peer's receiving agent, it asks
// its own sending agent for and checks against the address (descriptor pin, chain). The
// one exception is the host of an invitation that is being accepted: its package is
// fetched directly, under an identity used for nothing else, and through the proxy if
// there is one. An account at an agent is one for all relationships: whoever does not
// want one agent to count them together adds more agents.
//
// # Addresses
//
// The peer of each relationship holds addresses at two of our receiving agents and a
// lifeline at a third; with fewer agents it works and is shown as degraded. Addresses
// are replaced inside messages, from a small pool made ahead; replaced ones are closed
// a week after the peer has their successors. An agent that drains or stays dead is
// left. client/route decides all that, and which attempt to make next, without I/O.
//
// # Meeting people
//
// A relationship begins with an invitation (Invite, Accept), with an introduction by a
// contact and the consent of all three (Introduce, Requests, Approve, Decline), or with a
// direct exchange on a local network (OfferDirect, ConfirmDirect, FinishDirect, around
// client/nearby). What is known of who somebody is, [Contact.TrustWords] says: comparing
// safety numbers or codes (CompareSafety) and a claim of a name (Claim, CheckClaim) add
// to it, and a new session, a difference or a contradiction takes it away until a person
// has looked. What two identities have signed of each other (Relate) passes it on, as theirs
// and not as one's own: [Kin]. Names of contacts are looked up again day by day. It never
// decides who may write.
//
// # Concurrency
//
// A Client may be used from many goroutines, and a profile by several processes: each
// transaction is one of SQLite's, and what two of them submit twice is the same bytes.
package client
