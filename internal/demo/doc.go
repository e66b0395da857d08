// Package demo is what `communicator demo` runs: two people and five agents on
// loopback, in temporary directories, with the real network stack. The agents are
// processes of their own, started from the same binary, so that one can be killed
// half-way; the people are two client libraries in this process.
//
// It proves what it prints: messages are compared one by one, and every agent's files
// are searched for texts and for what that agent must not know.
package demo
