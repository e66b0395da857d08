// Package bench is what `communicator bench` runs. Each benchmark measures the
// program that people run: [Deliver] a sending agent, a receiving agent and clients
// as three processes, [Start], [Collect] and [Store] an agent that holds deliveries,
// [Lookup] whole hosts of the overlay in virtual time, [Directory] a namespace's log
// and what is vended under its names, and [Log] the event log against bare synced
// writes on the same disk, alternating, since only ratios within one run mean
// anything on a shared machine.
package bench
