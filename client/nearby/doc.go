// Package nearby brings two people who are in one place into contact without any service
// in between: their clients find each other on the local network, exchange key packages,
// and both people compare four words. What is exchanged is as fit for first contact as
// an invitation's package; the relationship begins by the ordinary handshake, through
// the agents that the packages name.
//
//	find      mDNS (RFC 6762) under a service name of our own; ephemeral peer ids
//	connect   the lower peer id dials; one stream /communicator/nearby/1
//	greet     hello, hello              a name, only if its person gave one
//	choose    choose, choose            each person picks the other one from a list
//	exchange  commit, reveal, open      nobody can steer the words
//	compare   four words = 44 bits      the people, aloud
//	agree     verdict, verdict          only if both said yes anything is begun
//
// # The exchange
//
// A is who has the lower peer id, r and nonce are 32 random bytes, and each package is
// the encoded key package of its side:
//
//	A → B  commit   c = H("comm/1/nearby-commit" ‖ r ‖ package A)
//	B → A  reveal   nonce ‖ package B
//	A → B  open     r ‖ package A                            B checks c
//	T     = H("comm/1/nearby-words" ‖ var8 peer id A ‖ var8 peer id B ‖ var8 name A ‖ var8 name B ‖
//	          r 32 ‖ nonce 32 ‖ var16 package A ‖ var16 package B)
//	words = the first 44 bits of T, eleven for each of four words of the BIP-39 English list
//
// Somebody between the two has to have chosen what it shows to one side before it knows
// what the other will say: A is bound by c before it sees the nonce, and r reaches B
// after B has spoken. So it is right with a probability of 2^-44 in each attempt, and
// each attempt takes a person's choice: an exchange is for one use, and ends with the
// first that fails. The peer ids bind the words to the two ends of the encrypted
// connection, so that the verdicts on it come from the same two.
//
// # Who learns what
//
// Whoever is on the local network sees that somebody runs this, under a peer id that is
// used for nothing else, and the name if one was given. Packages go only to who was
// chosen. docs/nearby.md is the protocol.
package nearby
