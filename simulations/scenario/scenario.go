package scenario

// Version of the format.
const Version = 1

// Tiers.
const (
	Auto  = "auto"
	Real  = "real"
	Model = "model"
)

// Scenario is one simulation. See the package comment for the tags.
type Scenario struct {
	// Name is the file's, without its ending; About its first comment.
	Name  string `yaml:"-"`
	About string `yaml:"-"`

	Version  int      `yaml:"version" min:"1" max:"1" doc:"version of the format"`
	Tier     string   `yaml:"tier" enum:"auto real model" doc:"what runs: whole nodes and clients (real), their decisions alone (model), or whichever fits the size (auto)"`
	Seed     uint64   `yaml:"seed" doc:"of everything that is drawn"`
	Duration Duration `yaml:"duration" min:"1s" max:"90d" doc:"virtual time in which messages are sent"`
	Drain    Duration `yaml:"drain" min:"0s" max:"30d" doc:"virtual time after that, for what is under way to arrive"`

	Nodes     Nodes                `yaml:"nodes" doc:"who takes part"`
	Latency   Latency              `yaml:"latency" doc:"how long bytes travel"`
	Churn     Churn                `yaml:"churn" doc:"agents that stop and start"`
	Workload  Workload             `yaml:"workload" doc:"what people do"`
	Privacy   Privacy              `yaml:"privacy" doc:"what clients do against being watched"`
	Events    []Event              `yaml:"events" doc:"what happens at a time"`
	Adversary Adversary            `yaml:"adversary" doc:"who is not honest, and what is watched"`
	Assert    map[string]Condition `yaml:"assert" doc:"measures and what they must be: the run fails otherwise"`
}

// Nodes says who takes part.
type Nodes struct {
	Agents    int    `yaml:"agents" min:"2" max:"1000000" doc:"nodes that are sending and receiving agents"`
	Users     int    `yaml:"users" min:"2" max:"10000000" doc:"people with a client"`
	Operators int    `yaml:"operators" min:"0" max:"1000000" doc:"who run the agents; 0: each agent has its own"`
	Start     string `yaml:"start" enum:"warm cold" doc:"warm: everybody knows whom they would know after weeks; cold: agents join through a few others"`
	Storage   string `yaml:"storage" enum:"memory badger" doc:"where agents of tier real keep their log; badger: on disk, for up to 200 agents"`
}

// Latency says how long bytes travel.
type Latency struct {
	Model  string   `yaml:"model" enum:"regions fixed matrix" doc:"regions: six regions with measured round trips; fixed: the same everywhere; matrix: from a file"`
	Fixed  Duration `yaml:"fixed" min:"0s" max:"10s" doc:"one way, for the model fixed"`
	Matrix string   `yaml:"matrix" doc:"CSV file of round trips in ms between regions: a first row and column of names; relative to the scenario"`
	Jitter float64  `yaml:"jitter" min:"0" max:"1" doc:"share of the latency that is added at random, on average"`
	Loss   float64  `yaml:"loss" min:"0" max:"0.9" doc:"share of packets that are lost and sent again"`
}

// Churn says how agents come and go.
type Churn struct {
	Model   string   `yaml:"model" enum:"none exponential weibull" doc:"distribution of the time that an agent stays up"`
	K       float64  `yaml:"k" min:"0.1" max:"10" doc:"shape of the Weibull distribution"`
	Scale   Duration `yaml:"scale" min:"1s" max:"365d" doc:"scale of the distribution; of the exponential one the mean"`
	Stable  float64  `yaml:"stable" min:"0" max:"1" doc:"share of agents that never stop"`
	Down    Duration `yaml:"down" min:"1s" max:"30d" doc:"mean of the exponentially distributed time that an agent stays down"`
	Forever float64  `yaml:"forever" min:"0" max:"1" doc:"share of stops from which an agent does not come back"`
}

// Workload says what people do.
type Workload struct {
	MessagesPerUserHour float64  `yaml:"messages_per_user_hour" min:"0" max:"100000" doc:"messages that each user sends, on average"`
	MessagesPerPair     int      `yaml:"messages_per_pair" min:"0" max:"100000" doc:"instead: messages of each pair of contacts during the run, in either direction"`
	Contacts            string   `yaml:"contacts" enum:"zipf uniform" doc:"how a user's messages spread over their contacts"`
	ContactsPerUser     float64  `yaml:"contacts_per_user" min:"1" max:"1000" doc:"contacts of each user, on average"`
	Size                Size     `yaml:"size" doc:"length of messages before padding"`
	Online              float64  `yaml:"online" min:"0" max:"1" doc:"share of the time that a user's device is on"`
	Session             Duration `yaml:"session" min:"1s" max:"30d" doc:"mean time that a device stays on, where online is below 1"`
	LookupsPerUserHour  float64  `yaml:"lookups_per_user_hour" min:"0" max:"100000" doc:"names that each user looks up, on average"`
	Names               int      `yaml:"names" min:"0" max:"10000000" doc:"names that are published; needed for lookups"`
}

// Size is a log-normal distribution.
type Size struct {
	Median int     `yaml:"median" min:"1" max:"65536" doc:"bytes"`
	Sigma  float64 `yaml:"sigma" min:"0" max:"4" doc:"standard deviation of the logarithm; 0: all alike"`
}

// Privacy says what clients do against being watched.
type Privacy struct {
	Padding         string   `yaml:"padding" enum:"buckets none" doc:"buckets: as clients do; none: to measure what padding buys (tier model)"`
	Jitter          Duration `yaml:"jitter" min:"0s" max:"15m" doc:"mean of the random delay that a sender asks its agent for"`
	SendingAgents   int      `yaml:"sending_agents" min:"1" max:"4" doc:"agents that a user sends through"`
	ReceivingAgents int      `yaml:"receiving_agents" min:"1" max:"3" doc:"agents at which a user receives"`
	Diversity       bool     `yaml:"diversity" doc:"a user's agents are those of different operators"`
	Connections     int      `yaml:"connections" min:"0" max:"1000" doc:"connections that a client has open at once, at most six of them at one agent (24 is the default of clients), on which the mailboxes of quiet conversations take turns; 0: one for each, and none waits"`
	RotateEvery     int      `yaml:"rotate_every" min:"0" max:"100000" doc:"messages after which addresses are replaced; 0: as clients do"`
}

// Event is something that happens at a time. Exactly one of its actions is set.
type Event struct {
	At  Duration `yaml:"at" min:"0s" max:"120d" doc:"when, since the start"`
	For Duration `yaml:"for" min:"0s" max:"120d" doc:"for how long; 0: for good, or until the end"`

	Partition []string `yaml:"partition" doc:"regions that are cut off from the others"`
	CutOff    float64  `yaml:"cut_off" min:"0" max:"1" doc:"share of agents that are cut off from everybody else"`
	Kill      float64  `yaml:"kill" min:"0" max:"1" doc:"share of agents that are killed (kill -9), and start again after the time given in for"`
	Freeze    float64  `yaml:"freeze" min:"0" max:"1" doc:"share of agents that hang with their connections open"`
	Drain     float64  `yaml:"drain" min:"0" max:"1" doc:"share of agents that are drained: they take nothing new, and their users move"`
	Leave     int      `yaml:"leave" min:"0" max:"1000000" doc:"operators whose agents are all drained"`
	Loss      float64  `yaml:"loss" min:"0" max:"0.9" doc:"share of packets that are lost"`
	Slow      float64  `yaml:"slow" min:"0" max:"1000" doc:"factor by which every latency grows"`
	Offline   float64  `yaml:"offline" min:"0" max:"1" doc:"share of users whose devices are off"`
	Full      float64  `yaml:"full" min:"0" max:"1" doc:"share of agents whose disks are full"`
	Crowd     Crowd    `yaml:"crowd" doc:"a flash crowd"`
}

// Crowd is many messages at once.
type Crowd struct {
	Factor float64 `yaml:"factor" min:"0" max:"10000" doc:"how many times as many messages are sent"`
	To     int     `yaml:"to" min:"0" max:"10000000" doc:"to this many users only; 0: to anybody"`
}

// Adversary says who is not honest, and what is watched.
type Adversary struct {
	Colluding float64  `yaml:"colluding" min:"0" max:"1" doc:"share of agents that pool what they see, as sending and as receiving agents"`
	By        string   `yaml:"by" enum:"agents operators" doc:"whether the colluding ones are drawn one by one, or operator by operator"`
	Hostile   Hostile  `yaml:"hostile" doc:"agents that do not do their work"`
	Sybil     Sybil    `yaml:"sybil" doc:"agents that gather around a name in the DHT"`
	Observer  string   `yaml:"observer" enum:"none global" doc:"global: somebody sees when how many bytes pass between any two machines"`
	Targets   int      `yaml:"targets" min:"0" max:"100000" doc:"pairs whose anonymity is measured; 0: as many as is cheap"`
	Window    Duration `yaml:"window" min:"1ms" max:"1h" doc:"how long after a message the observer looks for its arrival; 0 is not possible"`
}

// Hostile says what agents do instead of their work.
type Hostile struct {
	Share float64  `yaml:"share" min:"0" max:"1" doc:"of the agents"`
	Do    string   `yaml:"do" enum:"drop delay stale forge mixed" doc:"drop: take and forget; delay: answer late; stale: serve old records; forge: serve wrong ones; mixed: each something else"`
	Delay Duration `yaml:"delay" min:"0s" max:"1h" doc:"for delay: how long"`
}

// Sybil says who gathers around a name.
type Sybil struct {
	Target string `yaml:"target" enum:"none random" doc:"random: one of the names"`
	Count  int    `yaml:"count" min:"0" max:"10000" doc:"how many agents with keys made for the place"`
}

// Default is the scenario that an empty file describes.
func Default() Scenario {
	return Scenario{
		Version: Version, Tier: Auto, Seed: 1, Duration: hour, Drain: 10 * minute,
		Nodes:   Nodes{Agents: 100, Users: 1000, Start: "warm", Storage: "memory"},
		Latency: Latency{Model: "regions", Fixed: 25 * millisecond, Jitter: 0.1},
		Churn:   Churn{Model: "none", K: 0.61, Scale: 222 * minute, Stable: 0.1, Down: 20 * minute},
		Workload: Workload{MessagesPerUserHour: 6, Contacts: "zipf", ContactsPerUser: 4,
			Size: Size{Median: 120, Sigma: 1}, Online: 1, Session: 2 * hour},
		Privacy:   Privacy{Padding: "buckets", SendingAgents: 2, ReceivingAgents: 3, Diversity: true},
		Adversary: Adversary{By: "agents", Hostile: Hostile{Do: "drop", Delay: minute}, Sybil: Sybil{Target: "none"}, Observer: "none", Window: 5 * second},
	}
}

// RealAgents and RealUsers are the most agents and users that the tier auto runs as whole
// nodes and clients: a user costs about half a second of a processor.
const RealAgents, RealUsers = 100, 50

// Runs says which tier runs: real or model.
func (s *Scenario) Runs() string {
	switch {
	case s.Tier != Auto:
		return s.Tier
	case s.Nodes.Agents <= RealAgents && s.Nodes.Users <= RealUsers && s.Privacy.Padding != "none" && s.Adversary.Sybil.Target == "none":
		return Real
	default:
		return Model
	}
}
