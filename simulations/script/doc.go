// Package script makes, from a scenario and its seed, what happens in a run: who takes
// part, who knows whom, who writes when, which agent stops when, and how far apart they
// are. It is data, made before anything runs, so that both tiers play the same piece.
//
// # Randomness
//
// Each matter draws from a stream of its own, named after it and, where it concerns one
// agent or user, after that one ([Script.rand]): more churn does not change who knows
// whom, and the colluding agents at a share of 0.1 are among those at 0.2.
package script
