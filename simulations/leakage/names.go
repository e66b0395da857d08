package leakage

import "communicator/simulations/measure"

// Names lists what adversaries' measures are, in the order in which a report shows them.
// docs/adversaries.md has the models behind them, and what they cannot say.
var Names = []measure.Name{
	// Colluding agents.
	{Name: "leak_pairs", Unit: "pairs", Doc: "pairs that exchanged messages: all of which leak_linked_pairs is a share"},
	{Name: "leak_linked_pairs", Unit: "share", Doc: "pairs of which colluding agents carried both ends of a message: they know for certain who writes to whom"},
	{Name: "leak_linked_messages", Unit: "share", Doc: "messages of which both agents collude"},
	{Name: "leak_messages_until_linked_p50", Unit: "messages", Doc: "of pairs that were linked: the message with which they were, the median"},
	{Name: "leak_messages_until_linked_p90", Unit: "messages", Doc: "90 % of these were linked by it"},
	{Name: "leak_seen_pairs", Unit: "share", Doc: "target pairs of which a colluding agent carried at least one end of a message"},
	{Name: "leak_guessed_pairs", Unit: "share", Doc: "target pairs that are linked, or whose true peer colluding agents give a probability above one half"},
	{Name: "leak_misguessed", Unit: "share", Doc: "questions about target pairs to which colluding agents give a wrong answer a probability above one half"},
	{Name: "leak_sender_entropy_bits", Unit: "bits", Doc: "doubt about who writes to a mailbox, on average over target pairs, for colluding agents that know the clients of honest ones: a lower bound"},
	{Name: "leak_recipient_entropy_bits", Unit: "bits", Doc: "doubt about to whom somebody writes, likewise: a lower bound"},
	{Name: "leak_sender_entropy_mailbox_bits", Unit: "bits", Doc: "as leak_sender_entropy_bits, if a relationship's mailboxes could not be joined"},
	{Name: "leak_entropy_most_bits", Unit: "bits", Doc: "doubt about either, for colluding agents that know their own logs alone and how much everybody writes: an upper bound"},
	{Name: "leak_effective_set_p50", Unit: "users", Doc: "median size of the anonymity set in which all would be alike (two to the power of the entropy)"},
	{Name: "leak_effective_set_p01", Unit: "users", Doc: "the worst off hundredth have at most this"},
	{Name: "leak_degree_mean", Unit: "0 to 1", Doc: "degree of anonymity: entropy as a share of what it could be"},
	{Name: "leak_max_probability_p99", Unit: "probability", Doc: "largest probability of any candidate, for the worst off hundredth"},
	{Name: "leak_true_probability_p99", Unit: "probability", Doc: "probability of the true peer, for the worst off hundredth"},
	{Name: "leak_rank_p50", Unit: "rank", Doc: "place of the true peer among suspects, from 1, the median"},
	// A global passive observer.
	{Name: "leak_identified", Unit: "share", Doc: "target pairs of which an observer of all traffic gives the true peer a probability above one half at the end"},
	{Name: "leak_misidentified", Unit: "share", Doc: "target pairs of which it gives somebody else that much"},
	{Name: "leak_messages_until_identified_p50", Unit: "messages", Doc: "of pairs that were identified: messages after which they were and stayed so, the median"},
	{Name: "leak_messages_until_identified_p90", Unit: "messages", Doc: "90 % of these were by then"},
	{Name: "leak_observer_entropy_bits", Unit: "bits", Doc: "the observer's doubt about a target's peer at the end, on average"},
	{Name: "leak_observer_effective_set_p50", Unit: "users", Doc: "median size of the set in which all would be alike"},
	{Name: "leak_observer_degree_mean", Unit: "0 to 1", Doc: "degree of anonymity against the observer"},
	{Name: "leak_observer_max_probability_p99", Unit: "probability", Doc: "largest probability that it gives anybody, for the worst off hundredth"},
	{Name: "leak_observer_true_probability_p50", Unit: "probability", Doc: "probability that it gives the true peer, the median"},
	{Name: "leak_observer_rank_p50", Unit: "rank", Doc: "place of the true peer among its suspects, from 1, the median"},
	{Name: "leak_observer_rank_p90", Unit: "rank", Doc: "90 % of true peers are at or before it"},
	{Name: "leak_disclosure_rank_p50", Unit: "rank", Doc: "the same by statistical disclosure alone: hits above those expected by chance"},
	{Name: "leak_observer_window_s", Unit: "s", Doc: "time after a frame in which the observer looks for its counterpart"},
	// Sybils around a name.
	{Name: "leak_sybil_lookups", Unit: "lookups", Doc: "lookups of the name that Sybils gather around"},
	{Name: "leak_sybil_seen", Unit: "share", Doc: "of these, asked of at least one Sybil, which so learns who asks"},
	{Name: "leak_sybil_untrue", Unit: "share", Doc: "of these, without the newest true record at their end"},
}
