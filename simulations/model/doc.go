// Package model is the tier of a simulation that plays a script without running nodes: a
// discrete-event loop around the product's own decisions. What a sending agent forwards
// when is decided by relay/queue, what a receiving agent does with a put by mailbox/admit,
// and what a client tries next, and where its mailboxes lie, by client/route: the same step
// functions that nodes and clients run. Keys, seals and encapsulations are effects, so no
// cryptography runs; the wire, storage and the overlay of names are models, whose constants
// and their origin are in calibration.go.
//
//	user ── submit ──▶ sending agent ── put ──▶ receiving agent ── push ──▶ user
//	client.go          sending.go               receiving.go               watch.go
//	route.Next         queue.Step               admit.Admit                takeIn
//
// # Time and order
//
// Times are whole nanoseconds since the start. Three sources are merged by time: the
// script's changes, the script's messages, and a heap of events, which breaks ties by the
// order in which events were made. There is one goroutine and no map is ever iterated
// where order could matter, so that a seed gives the same calls to the recorder on every
// machine.
//
// # Memory
//
// What exists for every agent and user is a small struct; everything else is made when it
// is first needed, and given back: a sending agent has a queue only while something is
// queued, a relationship's addresses and mailboxes exist from its first message on. No
// timer runs for anybody who is idle.
//
// # What is kept from one end to the other
//
// A message holds references of everything that may still bring it: the client's outbox,
// each copy queued at a sending agent, each delivery in a mailbox. When the last goes and
// nobody has shown it, nor told its sender, it is lost; [Run] says so in
// [trace.Outcome.Broken] unless an agent that took it is hostile.
package model
