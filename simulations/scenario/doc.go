// Package scenario reads what a simulation is asked to do: a YAML file with a question in
// its first comment, read strictly, and overridden key by key from the command line.
//
// # One table
//
// The tags of [Scenario]'s fields are the only place where a key, its bounds, its default
// and its meaning are written: reading, the checks, the JSON Schema ([Schema]) and the
// reference in the documents follow from them. A key that is not there, a value of another
// type or out of its bounds is a [*Problem], which names the line, the key and what was
// expected.
//
//	tag    meaning
//	yaml   the key
//	doc    what it means, with its unit
//	enum   the words that are allowed, separated by spaces
//	min    the least, max the most: a number, or a duration
//
// # Values
//
// A duration is written as 90s, 10m, 3.7h or 2d. A share is 0 to 1. What a run must fulfil
// ("assert") is a measure and a condition such as ">= 0.999".
package scenario
