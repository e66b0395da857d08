// Package dht is the overlay in which signed records are found by people who have
// nothing but a name, or an agent's id: statements about names, sealed and under
// blinded keys, and service descriptors. It wraps go-libp2p-kad-dht under a protocol
// prefix of its own; dht/record has the formats, docs/dht.md the specification.
//
//	subject or node ── Publish ──▶ 20 peers nearest to each key      counted acknowledgements
//	anyone ── LookupAll ─▶ 3 keys ─▶ every peer that the search meets ─▶ best record
//	                                  └─ holders that were behind are repaired
//
// # What it is trusted for
//
// Nothing. A storing node can withhold, and serve what is old; it cannot forge, since
// every record is checked before it counts. Whoever looks up decides by the proofs in
// the record and remembers the highest version seen.
//
// # What is the library's, what is ours
//
// The library keeps the routing table, finds the nearest peers and serves requests. Its
// PutValue returns nil when nobody stored anything; its SearchValue hides all values
// but one and calls its own PutValue message in the background, where a reply without a
// record, from any peer, is a nil dereference. So this package sends the requests
// itself (sender), counts what was acknowledged, and has every peer that a search meets
// asked for its value (search). Before the library's handler stand bounds on streams,
// sizes and rates (guard) and a view of the peerstore that has no clients in it
// (serverHost); under it lies a store with a quota (store).
package dht
