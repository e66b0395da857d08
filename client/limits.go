package client

import (
	"time"

	"communicator/wire"
)

const (
	// DefaultAckDelay is the mean of the random delay of automatic answers.
	DefaultAckDelay = 30 * time.Second
	// DefaultRecheck is how often, on average, a name that a contact is known by is looked
	// up again.
	DefaultRecheck = 24 * time.Hour
	// maxRechecks is how many of them one pass looks up.
	maxRechecks = 4
	// DefaultLife is how long a message is tried.
	DefaultLife = wire.MaxPutLife
	// InvitationLife is how long a link can be used.
	InvitationLife = 6 * 24 * time.Hour

	// poolSize is how many mailboxes are made ahead at each receiving agent.
	poolSize = 2
	// addressLife is what is asked for an ordinary address; the agent may shorten it.
	addressLife = 60 * 24 * time.Hour
	// pooledLife is what a pooled mailbox must have left to be handed out.
	pooledLife = 30 * 24 * time.Hour

	// outboxBatch is how many messages of a contact are worked on in one round, and
	// rounds how often one pass looks again.
	outboxBatch = 64
	rounds      = 16
	// gatherTries is how often mailboxes are gathered again that another call took.
	gatherTries = 4
	// parallel is how many requests of one pass run at a time.
	parallel = 16
	// outcomeWait is how long a sending agent is let wait for a fresh submission's
	// outcome while somebody waits for it here.
	outcomeWait = 10 * time.Second

	// minFullPause is the least that a full mailbox is left alone.
	minFullPause = time.Minute

	// activeFor is for how long after its last message a conversation is active, and keeps
	// its watches before others. watchFirst is when one that has lost its watch has a turn
	// again; each turn that brings nothing doubles that, up to watchMost, or watchPace for
	// each that is watched if that is more. visitLongest is how long a turn may take that
	// others wait for.
	activeFor    = 10 * time.Minute
	watchFirst   = 30 * time.Second
	watchMost    = 2 * time.Minute
	watchPace    = 2 * time.Second
	visitLongest = 10 * time.Second
	// upkeepEvery is how often Follow looks for upkeep that nothing else wakes.
	upkeepEvery = time.Minute
	// upkeepApart is how far apart passes are that changes wake.
	upkeepApart = time.Second
	// namesPatience bounds what one pass spends on names and directories.
	namesPatience = time.Minute
	// refreshAgents is how often an own agent's descriptor is fetched again.
	refreshAgents = 12 * time.Hour
	// deadAfter is how long an own receiving agent must fail before mailboxes move.
	deadAfter = 48 * time.Hour
	// descriptorLife is how long a peer agent's descriptor in the cache is taken as
	// the newest; keys that an address pins do not age.
	descriptorLife = 24 * time.Hour
	// descriptorsKept is how long the cache keeps what nothing has asked for.
	descriptorsKept = 200 * 24 * time.Hour

	// maxTryPause bounds the pause between tries of upkeep that keeps failing.
	maxTryPause = time.Hour
	// pruneEvery is how often the profile forgets what is of no use.
	pruneEvery = time.Hour
	// minPause keeps a loop that waits for others from spinning.
	minPause = 20 * time.Millisecond

	// IntroductionLife is how long the two may take to agree to an introduction.
	IntroductionLife = 7 * 24 * time.Hour
	// introductionKept is how long an introduction that has ended is still shown.
	introductionKept = 30 * 24 * time.Hour
	// maxAsked is how many introductions of one contact may wait for an answer: more are
	// dropped.
	maxAsked = 16
	// maxShared is how many contacts are made through one shared key package: more are
	// put into quarantine.
	maxShared = 64
	// maxClaims is how many claims of one contact are kept.
	maxClaims = 8

	historyPage = 256     // entries read at a time
	maxSealKeys = 4096    // remembered in memory
	maxOutbox   = 1 << 20 // "all of it"
)
