package measure

// Results are what a run measured.
type Results struct {
	// Scalars are measures by name; [Names] and the tier say what they mean. One that has
	// nothing to be measured on (the success of lookups where nothing is looked up) is
	// absent. None is infinite or not a number.
	Scalars map[string]float64 `json:"scalars"`
	Figures []Figure           `json:"figures"`
	Agents  []AgentRow         `json:"-"` // one for each agent, in their order
	Minutes []MinuteRow        `json:"-"` // one for each slice of virtual time, in their order
}

// Figure is a chart.
type Figure struct {
	ID      string `json:"id"` // unique in a run: letters, digits and "-"
	Title   string `json:"title"`
	Caption string `json:"caption"` // what question the chart answers, and how to read it
	X       string `json:"x"`       // axis labels with unit
	Y       string `json:"y"`
	LogX    bool   `json:"log_x"`
	LogY    bool   `json:"log_y"`
	Kind    string `json:"kind"` // "line", "steps" or "bars"
	Lines   []Line `json:"lines"`
	Marks   []Mark `json:"marks,omitempty"` // events of the scenario
}

// Kinds of figures.
const (
	Lines = "line"  // points joined
	Steps = "steps" // each value holds until the next
	Bars  = "bars"  // one bar for each label
)

// Line is a curve, or a series of bars.
type Line struct {
	Name   string    `json:"name"`
	X      []float64 `json:"x"`
	Y      []float64 `json:"y"`
	Labels []string  `json:"labels,omitempty"` // of bars, one for each of Y
}

// Mark is a vertical mark.
type Mark struct {
	X    float64 `json:"x"`
	Text string  `json:"text"` // such as "partition begins"
}

// AgentRow is what one agent did and had. Sizes are in bytes.
type AgentRow struct {
	Agent          int32   `json:"agent"`
	Region         string  `json:"region"`
	Operator       int32   `json:"operator"`
	Stable         bool    `json:"stable"`
	Colludes       bool    `json:"colludes"`
	Hostile        bool    `json:"hostile"`
	Accepted       int64   `json:"accepted"`        // submissions taken, as sending agent
	Puts           int64   `json:"puts"`            // attempts made, as sending agent
	Refused        int64   `json:"refused"`         // of these, not answered or not well
	Offered        int64   `json:"offered"`         // attempts of others, as receiving agent
	Stored         int64   `json:"stored"`          // of these, stored
	Collected      int64   `json:"collected"`       // messages that clients got from it first
	CollectedBytes int64   `json:"collected_bytes"` // handed out to clients
	Share          float64 `json:"share"`           // of all attempts, as sender and as receiver
	UpS            float64 `json:"up_s"`            // seconds that it was up
	Downs          int64   `json:"downs"`           // times that it went down
	QueuedMax      int64   `json:"queued_max"`      // most submissions that waited
	HeldMax        int64   `json:"held_max"`        // most deliveries that nobody had collected
	Bytes          int64   `json:"bytes"`           // stored, last heard
	BytesMax       int64   `json:"bytes_max"`       // stored, at most
	Events         int64   `json:"events"`          // in its log, last heard
	ConnsMax       int64   `json:"conns_max"`       // most connections
}

// MinuteRow is a slice of virtual time (often a minute). Latencies are those of messages
// that were sent in the slice, whenever they arrived; 0 where there are none.
type MinuteRow struct {
	FromS        float64 `json:"from_s"` // seconds since the start
	ToS          float64 `json:"to_s"`
	Sent         int64   `json:"sent"`
	Accepted     int64   `json:"accepted"` // messages, at their first agent
	Puts         int64   `json:"puts"`
	Refused      int64   `json:"refused"`
	Stored       int64   `json:"stored"`
	Received     int64   `json:"received"`
	Repeated     int64   `json:"repeated"`
	Expired      int64   `json:"expired"`
	Failed       int64   `json:"failed"`
	Rotated      int64   `json:"rotated"`
	Arrived      int64   `json:"arrived"` // of those sent in the slice, whenever that was
	Lookups      int64   `json:"lookups"`
	LookupsFound int64   `json:"lookups_found"`
	Queued       int64   `json:"queued"`       // submissions that wait at all agents, at most
	Held         int64   `json:"held"`         // deliveries that wait for clients, at most
	StoredBytes  int64   `json:"stored_bytes"` // at all agents, at most
	LatencyP50MS float64 `json:"latency_p50_ms"`
	LatencyP99MS float64 `json:"latency_p99_ms"`
	AgentsUp     float64 `json:"agents_up"` // on average
}
