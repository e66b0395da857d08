package simulations

import (
	"fmt"
	"slices"

	"communicator/simulations/leakage"
	"communicator/simulations/measure"
)

// stages are the parts of a run of tier real whose cost is told apart.
var stages = []struct{ name, what string }{
	{"setup_agents", "opening all agents"},
	{"setup_users", "making all profiles, and accounts at agents"},
	{"setup_relationships", "establishing all relationships"},
	{"setup_names", "publishing all names"},
	{"setup_devices", "switching all devices on"},
	{"run", "the run itself"},
	{"check", "closing everybody, and checking what must hold"},
}

// names explains the measures that only some runs have.
func names() []measure.Name {
	out := slices.Concat(leakage.Names, []measure.Name{
		{Name: "model_events", Unit: "events", Doc: "steps of the loop"},
		{Name: "model_automatic", Unit: "messages", Doc: "answers that clients send by themselves"},
		{Name: "model_recognised", Unit: "messages", Doc: "deliveries that clients had already, and did not show again"},
		{Name: "model_lost_to_hostile", Unit: "messages", Doc: "lost to agents that took them and forgot"},
		{Name: "model_under_way", Unit: "messages", Doc: "not over at the end"},
		{Name: "model_watch_turns", Unit: "turns", Doc: "of watches that share a client's connections"},
		{Name: "real_peak_mib", Unit: "MiB", Doc: "most memory of the process"},
		{Name: "real_undecryptable", Unit: "messages", Doc: "deliveries that a client could not open"},
		{Name: "real_alarms", Unit: "alarms", Doc: "that clients raised"},
		{Name: "real_held", Unit: "deliveries", Doc: "that agents still had at the end"},
		{Name: "real_accepted_not_shown", Unit: "messages", Doc: "accepted, and not shown to the peer by the end"},
		{Name: "real_told_false", Unit: "messages", Doc: "shown, though the sender was told that they had not arrived"},
	})
	for _, s := range stages {
		for _, m := range []struct{ suffix, unit, doc string }{
			{"wall_s", "s", "real time of"}, {"cpu_s", "s", "processor time of"},
			{"virtual_s", "s", "virtual time of"}, {"mib", "MiB", "memory of the process after"},
		} {
			out = append(out, measure.Name{Name: fmt.Sprintf("real_%s_%s", s.name, m.suffix), Unit: m.unit, Doc: m.doc + " " + s.what})
		}
	}
	return out
}
