// Package route decides, for a message in the outbox, what to do next: submit again the
// same bytes, make a new attempt through which sending agent to which address, ask for
// an outcome, wait, or give up; and for a relationship, at which receiving agents its
// mailboxes should lie. It is a function of a view of the state, the time and injected
// randomness, without clock, network or storage.
//
// # Attempts
//
// An attempt is one put: one address, one sending agent, one seal. A retry sends its
// bytes again to the same agent, which answers with the same receipt, so it is always
// safe. A new attempt is made only if none under way is hopeful:
//
//	attempt            hopeful for                    then
//	pending            SubmitPatience, or untried     another sending agent, same address
//	submitted          OutcomePatience, and           an address at another receiving agent,
//	                   three means of the delay       if possible through another sending agent
//	                   that was asked for
//	  its sender died  the same                       the same address, another sending agent
//	closed             never                          the next address
//	refused, declined  never                          the same address, another sending agent
//	full               never                          the next address; this one again, sealed
//	                                                  afresh, after the time given
//
// Attempts that are no longer hopeful go on beside the new one until one is stored: the
// receiver recognises the ciphertext and shows it once.
//
// Addresses are tried in the order given (newest generation, older ones, lifelines),
// those at agents in trouble after the others but before lifelines. Sending agents are
// drawn at random among those not in trouble; one that is also the address's receiving
// agent, and so would see both ends, comes after the others.
package route
