package leakage_test

import (
	"context"
	"testing"

	"communicator/simulations/leakage"
	"communicator/simulations/model"
	"communicator/simulations/scenario"
	"communicator/simulations/script"
	"communicator/simulations/trace"
)

// ear lets an observer hear a run.
type ear struct{ *leakage.Observer }

func play(t *testing.T, settings ...string) map[string]float64 {
	t.Helper()
	sc, err := scenario.Parse("test.yaml", []byte(`
tier: model
duration: 1h
nodes: {agents: 40, users: 240}
workload: {messages_per_pair: 20, contacts_per_user: 1}
adversary: {observer: global, colluding: 0.2, targets: 40}
`), settings...)
	if err != nil {
		t.Fatal(err)
	}
	s, err := script.Build(sc)
	if err != nil {
		t.Fatal(err)
	}
	o := leakage.New(s)
	if _, err := model.Run(context.Background(), s, ear{o}, trace.Limits{}); err != nil {
		t.Fatal(err)
	}
	_, scalars := o.Finish()
	return scalars
}

// TestTheModelTierIsWatched has the observer read the frames of a tier: it names nearly
// everybody, padding and delays put that off, and it is hardly ever wrong.
func TestTheModelTierIsWatched(t *testing.T) {
	const until = "leak_messages_until_identified_p90"
	bare, padded, late := play(t, "privacy.padding=none"), play(t), play(t, "privacy.jitter=20s")
	for name, got := range map[string]map[string]float64{"bare": bare, "padded": padded, "late": late} {
		if got["leak_identified"] < 0.9 || got["leak_misidentified"] > 0.05 || got["leak_observer_rank_p50"] != 1 {
			t.Errorf("%s: %v identified, %v wrongly, rank %v", name, got["leak_identified"], got["leak_misidentified"], got["leak_observer_rank_p50"])
		}
	}
	if bare[until] > padded[until] || padded[until] >= late[until] {
		t.Errorf("identified after %v messages, %v if they are padded, %v if they are late as well", bare[until], padded[until], late[until])
	}
}

// TestTheModelTierIsLinked: clients keep to agents that work, so fewer pairs are linked than
// if they used all of their combinations, but more than those of a single message.
func TestTheModelTierIsLinked(t *testing.T) {
	got := play(t)
	if pairs, messages := got["leak_linked_pairs"], got["leak_linked_messages"]; pairs < messages || pairs == 0 || pairs > 0.5 || messages > 0.2 {
		t.Errorf("%v of the pairs and %v of the messages are linked", pairs, messages)
	}
	if least, most := got["leak_sender_entropy_bits"], got["leak_entropy_most_bits"]; least <= 0 || least >= most {
		t.Errorf("between %v and %v bits", least, most)
	}
}

// TestTheModelTierHasSybils: they see who asks for their name, and too few of them hide it
// from nobody.
func TestTheModelTierHasSybils(t *testing.T) {
	got := play(t, "adversary.sybil={target: random, count: 12}", "workload.lookups_per_user_hour=6", "workload.names=20")
	if got["leak_sybil_lookups"] < 50 || got["leak_sybil_seen"] != 1 || got["leak_sybil_untrue"] != 0 {
		t.Errorf("of %v lookups %v are seen and %v find nothing true", got["leak_sybil_lookups"], got["leak_sybil_seen"], got["leak_sybil_untrue"])
	}
}
