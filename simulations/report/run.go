package report

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"time"

	"communicator/simulations/measure"
	"communicator/simulations/scenario"
	"communicator/simulations/trace"
)

// Run is what a simulation was, and what came of it.
type Run struct {
	Name     string // of the scenario
	About    string // its question, from its first comment
	Scenario string // resolved, as YAML
	Command  string // that repeats the run
	Version  string // of the program
	Go       string // of the language; [Write] fills it in
	Tier     string // "real" or "model"
	Seed     uint64
	// TraceHash is the same where two runs of the tier model did the same.
	TraceHash  Hash
	Wall       time.Duration // of real time
	Outcome    trace.Outcome
	Results    *measure.Results
	Assertions []Assertion
	// Names explain measures that [measure.Names] does not.
	Names []measure.Name
	// Plan says what the run is one of many for; zero where it stands alone.
	Plan Plan
}

// Plan is what runs of one plan have in common.
type Plan struct {
	Keys     []string `json:"keys"`               // of the scenario, whose values the plan varies
	Against  string   `json:"against,omitempty"`  // the key along which measures are drawn
	Measures []string `json:"measures,omitempty"` // that are drawn
}

// Hash is SHA-256, written in hexadecimal.
type Hash [sha256.Size]byte

// String is the hash in hexadecimal.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// MarshalText writes the hash in hexadecimal.
func (h Hash) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (h *Hash) UnmarshalText(b []byte) error {
	if n, err := hex.Decode(h[:min(len(h), len(b)/2)], b[:min(len(b), 2*len(h))]); err != nil || n != len(h) || len(b) != 2*n {
		return fmt.Errorf("%.80q is not a hash of %d bytes in hexadecimal", b, len(h))
	}
	return nil
}

// ScenarioHash identifies the resolved scenario.
func (r *Run) ScenarioHash() Hash { return sha256.Sum256([]byte(r.Scenario)) }

// Assertion is a measure and what it had to be.
type Assertion struct {
	Measure   string
	Condition scenario.Condition
	Measured  bool    // whether the run has the measure at all; without it nothing holds
	Value     float64 // 0 where it was not measured
	Held      bool
}

// Check holds the measures against a scenario's conditions, in the order of [measure.Names].
func Check(assert map[string]scenario.Condition, scalars map[string]float64) []Assertion {
	var out []Assertion
	for _, name := range ordered(measure.Names, assert) {
		v, measured := scalars[name]
		out = append(out, Assertion{Measure: name, Condition: assert[name], Measured: measured, Value: v,
			Held: measured && assert[name].Holds(v)})
	}
	return out
}

// Held says whether every assertion and invariant held in a run that came to its end.
func (r *Run) Held() bool {
	for _, a := range r.Assertions {
		if !a.Held {
			return false
		}
	}
	return r.Outcome.Stopped == "" && len(r.Outcome.Broken) == 0
}

// number is a measure in JSON, which knows neither infinity nor what is not a number.
type number float64

func (n number) MarshalJSON() ([]byte, error) {
	switch v := float64(n); {
	case math.IsNaN(v):
		return []byte("null"), nil
	case math.IsInf(v, 1):
		return []byte(`"Infinity"`), nil
	case math.IsInf(v, -1):
		return []byte(`"-Infinity"`), nil
	default:
		return json.Marshal(v)
	}
}

func (n *number) UnmarshalJSON(b []byte) error {
	switch string(b) {
	case "null":
		*n = number(math.NaN())
	case `"Infinity"`:
		*n = number(math.Inf(1))
	case `"-Infinity"`:
		*n = number(math.Inf(-1))
	default:
		return json.Unmarshal(b, (*float64)(n))
	}
	return nil
}
