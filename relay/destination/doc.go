// Package destination says which network addresses a sending agent may dial on
// behalf of a stranger.
//
// Whoever submits a message names the receiving agent by a URI, so a submitter
// could point the agent's own network at itself: at its cloud's metadata service,
// at a printer on the operator's LAN, at another service on localhost. A name is
// looked at twice: as it was submitted, before anything is stored ([Policy.Check]),
// and after name resolution, for every address that the host is about to dial
// ([Policy.InterceptAddrDial], in the shape of libp2p's connmgr.ConnectionGater).
// Only the second look is a defence against names: the first one spares honest
// mistakes a place in the queue.
//
// Only globally reachable unicast addresses pass, as the IANA special-purpose
// registries define them (RFC 6890 and its registries of 2025). Everything that
// embeds an IPv4 address in an IPv6 one is refused, whatever it embeds: nobody
// announces such an address, and translators differ in what they make of it.
package destination
