// Package leakage says what adversaries learn in a simulation about who writes to whom, in
// the measures of the field: entropy and effective size of anonymity sets (Serjantov &
// Danezis 2002), degree of anonymity (Díaz et al. 2002) and, because averages hide victims,
// the largest probability, the rank of the true peer, the number of messages until somebody
// is known, and the share of pairs that are.
//
//	collusion   sending and receiving agents that pool their logs
//	watcher     a global passive observer of frames: intersection and statistical disclosure
//	sybils      agents around a name in the DHT
//
// Each hears a run through [Observer], a trace.Recorder, and answers at its end. What they
// are given, what they conclude and what that cannot say is in docs/adversaries.md.
//
// # Memory
//
// Sums over all pairs are exact, with a few bytes for each pair, user and agent. What needs
// more is measured on a sample of pairs that follows from the seed.
package leakage
