// Package memnet is a network in memory on which ordinary libp2p hosts run: a
// transport that claims TCP, so that ordinary addresses such as
// /ip4/192.0.2.1/tcp/4001 pass every filter, without sockets, handshakes or
// encryption. Simulations run whole nodes on it, and tests use it for networks
// that are slow, lossy or cut in two.
//
// # Model
//
// A dial costs two round trips, as TCP followed by TLS 1.3 does. A connection has
// two directions; each delivers its frames in the order in which they were sent,
// every frame [Options.Delay] after it was sent or right after the one before it,
// whichever is later, by [time.AfterFunc]: no goroutine runs for a connection.
// Loss behaves as under TCP: a lost frame arrives later, by the retransmission
// timeout, and holds up those behind it.
//
// Streams have a window of [StreamWindow] bytes, as yamux has at first: a writer
// whose reader does not read blocks, also when the reader's half of the network is
// far away. A connection across a partition carries nothing; frames wait for it to
// heal, and after [BreakAfter] both ends see the connection reset, as yamux's
// keep-alive has it.
//
// # Virtual time
//
// Everything waits in ways that [testing/synctest] understands, and a [Network]
// that has been closed leaves neither goroutine nor timer. A Network and its hosts
// belong to the bubble in which they were made.
package memnet
