package report

import (
	"crypto/sha256"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"time"

	"communicator/simulations/measure"
	"communicator/simulations/scenario"
	"communicator/simulations/trace"
)

// sample is a run such as a partition of an hour gives, with more of everything where
// scale is larger.
func sample(seed uint64, scale float64) Run {
	r := rand.New(rand.NewPCG(seed, 1))
	scalars := map[string]float64{
		"sent": 119_873, "delivered": 119_861, "delivery_ratio": 0.9998999, "lost": 0, "duplicated": 0, "expired": 12,
		"failed": 0, "pending": 0, "latency_p50_ms": 212.4 * scale, "latency_p90_ms": 611.2 * scale,
		"latency_p99_ms": 48_201 * scale, "latency_max_ms": 611_313, "accept_p50_ms": 61.2, "accept_p99_ms": 402.5,
		"stored_p50_ms": 141.1, "stored_p99_ms": 47_122, "attempts_per_message": 1.31, "refused_share": 0.047,
		"lookup_success": 0.9983, "lookup_true": 0.9979, "lookup_p50_ms": 402, "lookup_hops_p50": 3,
		"bytes_per_message": 8_211.4 / scale, "bytes_total": 984_211_733, "storage_bytes_agent_p50": 1_204_224,
		"storage_bytes_agent_p99": 4_194_304, "storage_bytes_agent_max": 6_201_344, "load_share_max": 0.0041,
		"load_gini": 0.27, "queued_max": 8_221, "drained_s": 94.2, "agents_up_mean": 1_874.3, "rotations": 3_022,
		"leak_pair_linked_share": 0.012 * scale, "leak_effective_set": 412.7 / scale,
	}
	res := &measure.Results{Scalars: scalars, Figures: sampleFigures(r, scale)}
	for i := range 40 {
		res.Agents = append(res.Agents, measure.AgentRow{Agent: int32(i), Region: "eu", Operator: int32(i / 2), Stable: i%7 == 0,
			Accepted: r.Int64N(9000), Puts: r.Int64N(20_000), Share: r.Float64() / 40, UpS: 3600 * r.Float64(), Bytes: r.Int64N(1 << 22)})
	}
	for i := range 70 {
		res.Minutes = append(res.Minutes, measure.MinuteRow{FromS: float64(60 * i), ToS: float64(60*i + 60), Sent: r.Int64N(3000),
			LatencyP50MS: 200 + 20*r.Float64(), AgentsUp: 1874.25})
	}
	return Run{Name: "regional-partition", Version: "v1.4.0", Tier: "model", Seed: seed, Wall: 31*time.Second + 410*time.Millisecond,
		About: "What happens to messages while Europe and North America's east cannot reach the others for ten minutes, and how long does it take to catch up?",
		Scenario: fmt.Sprintf("version: 1\ntier: model\nseed: %d\nduration: 1h\ndrain: 10m\nnodes:\n  agents: 2000\n  users: 20000\n  start: warm\n"+
			"churn:\n  model: weibull\n  k: 0.61\n  scale: %gh\nprivacy:\n  padding: buckets\n  jitter: %gs\nevents:\n- at: 20m\n  for: 10m\n  partition: [eu, na-east]\nassert:\n  delivery_ratio: '>= 0.999'\n  lost: 0\n", seed, 3.7*scale, 2*scale),
		Command:   "communicator simulate run --seed " + strconv.FormatUint(seed, 10) + " --set nodes.agents=2000 simulations/scenarios/regional-partition.yaml",
		TraceHash: sha256.Sum256([]byte{byte(seed)}), Outcome: trace.Outcome{Virtual: 70 * time.Minute},
		Results: res,
		Assertions: Check(map[string]scenario.Condition{"delivery_ratio": {Op: ">=", Value: 0.999}, "lost": {Op: "==", Value: 0},
			"latency_p99_ms": {Op: "<=", Value: 30_000}, "undrained": {Op: "==", Value: 0}}, scalars)}
}

func sampleFigures(r *rand.Rand, scale float64) []measure.Figure {
	marks := []measure.Mark{{X: 20, Text: "partition begins: eu, na-east"}, {X: 30, Text: "partition ends"}}
	over := func(n int, f func(t float64) float64) (x, y []float64) {
		for i := range n {
			t := 70 * float64(i) / float64(n)
			x, y = append(x, t), append(y, f(t))
		}
		return x, y
	}
	hit := func(t float64) float64 { return math.Exp(-(t-29)*(t-29)/30) * scale }
	line := func(name string, n int, f func(t float64) float64) measure.Line {
		x, y := over(n, f)
		return measure.Line{Name: name, X: x, Y: y}
	}
	noise := func() float64 { return 1 + 0.08*r.NormFloat64() }
	figures := []measure.Figure{
		{ID: "delivery", Title: "Messages over time", Kind: measure.Lines, X: "virtual time (min)", Y: "messages per minute", Marks: marks,
			Caption: "Does what is sent arrive, and when? Where the lines part, messages wait; where the second is above the first, they catch up.",
			Lines: []measure.Line{line("sent", 70, func(t float64) float64 { return 1900 * noise() }),
				line("received", 70, func(t float64) float64 { return 1900 * noise() * (1 - 0.6*hit(t+4) + 2*hit(t-3)) })}},
		{ID: "latency", Title: "Latency over time", Kind: measure.Lines, LogY: true, X: "virtual time (min)", Y: "from sent to shown (ms)", Marks: marks,
			Caption: "How long do people wait? Half of the messages sent in a minute arrived within the lowest line, 99 of 100 within the highest.",
			Lines: []measure.Line{line("p50", 70, func(t float64) float64 { return 212 * noise() * (1 + 3*hit(t)) }),
				line("p90", 70, func(t float64) float64 { return 611 * noise() * (1 + 300*hit(t)) }),
				line("p99", 70, func(t float64) float64 { return 2200 * noise() * (1 + 250*hit(t)) })}},
		{ID: "latency-cdf", Title: "Latency", Kind: measure.Lines, LogX: true, X: "from sent to shown (ms)", Y: "share of messages",
			Caption: "Which share of messages arrived within a time? Read up from the time.",
			Lines:   []measure.Line{cdf("both devices on", 250*scale), cdf("all messages", 420*scale)}},
		{ID: "agents", Title: "Agents that are up", Kind: measure.Steps, X: "virtual time (min)", Y: "agents", Marks: marks,
			Caption: "How many agents serve? Each step is an agent that stops or starts.",
			Lines:   []measure.Line{line("up", 20_000, func(t float64) float64 { return math.Round(1874 + 40*math.Sin(t/7) + 6*r.NormFloat64()) })}},
		{ID: "bytes", Title: "Bytes by protocol", Kind: measure.Bars, X: "protocol", Y: "bytes",
			Caption: "What do bytes go into? Dials include their handshakes.",
			Lines: []measure.Line{{Labels: []string{"/communicator/relay/submit/1", "/communicator/mailbox/put/1", "/communicator/mailbox/collect/1", "/ipfs/kad/1.0.0", "dial", "/ipfs/id/1.0.0"},
				Y: []float64{412_331_231, 301_233_111, 155_312_123, 80_212_311, 31_221_132, 3_882_112}}}},
		{ID: "storage", Title: "Storage of each agent", Kind: measure.Bars, X: "stored (MB)", Y: "agents",
			Caption: "Does storage spread evenly? Each bar counts agents that stored so much at the end.",
			Lines:   []measure.Line{{X: []float64{0.5, 1, 1.5, 2, 2.5, 3, 3.5, 4, 4.5, 5, 5.5, 6}, Y: []float64{120, 690, 540, 301, 160, 80, 51, 28, 15, 9, 4, 2}}}},
		{ID: "hops", Title: "Lookups by hops", Kind: measure.Bars, X: "hops", Y: "share of lookups",
			Caption: "How far does a lookup go? Peers asked one after another on the longest way.",
			Lines: []measure.Line{{Name: "found", X: []float64{1, 2, 3, 4, 5}, Y: []float64{0.08, 0.27, 0.41, 0.18, 0.05}},
				{Name: "not found", X: []float64{1, 2, 3, 4, 5}, Y: []float64{0, 0, 0.001, 0.004, 0.012}}}},
		{ID: "attempts", Title: "Attempts for each message", Kind: measure.Bars, X: "attempts", Y: "share of messages",
			Caption: "How often must an agent try? The share of accepted messages by how many attempts were made.",
			Lines: []measure.Line{{Name: "share of messages", X: []float64{0, 1, 2, 3, 4, 5}, Labels: []string{"0", "1", "2", "3", "4", "5–6"},
				Y: []float64{0, 0.83, 0.11, 0.03, 0.02, 0.01}}}},
		{ID: "lookups", Title: "Time of lookups", Kind: measure.Lines, X: "virtual time (min)", Y: "ms",
			Caption: "How long does it take to find a name?"},
	}
	return figures
}

func cdf(name string, median float64) (l measure.Line) {
	l.Name = name
	for i := range 200 {
		q := (float64(i) + 0.5) / 200
		l.X = append(l.X, median*math.Exp(0.9*math.Log(q/(1-q))))
		l.Y = append(l.Y, q)
	}
	return l
}
