// Package measure turns what happened in a simulation into numbers, charts and rows. It
// hears a run as it goes ([Collector] is a trace.Recorder) and keeps sums, histograms and
// eight bytes a message, so that millions of messages fit.
//
// # What is kept
//
//	per message   8 bytes: when it was sent, its attempts, and how far it came
//	per user      8 bytes: when the device was last switched
//	per agent     a row of counters
//	per slice     counters and a histogram of latencies; at most [maxSlices] slices
//
// # What is hashed
//
// [Collector.Hash] is SHA-256 over every Event, Lookup and Load in the order in which they
// came: a byte that says which of the three it is, then each field in the order of its
// declaration as a signed varint (encoding/binary), booleans as 0 and 1. Two runs with the
// same hash did the same.
package measure
