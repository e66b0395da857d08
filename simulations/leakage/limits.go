package leakage

// Bounds of memory and time.
const (
	defaultTargets = 300     // pairs, where the scenario does not say
	maxDeliveries  = 2000    // kept of each target pair; later ones add nothing to what it knows
	maxLessons     = 1 << 14 // messages under way from which the watcher may learn
	watchedCells   = 2e7     // the watcher has fewer targets where they times the users are more
)

// Shares of colluding agents for which one run answers.
const (
	shareStep = 0.01
	shareMost = 0.20
)

// What the watcher knows and does; see docs/adversaries.md.
const (
	calibration = 33      // own messages from which it learns sizes
	sizeClass   = 16      // bytes: sizes in one class, or classes beside each other, match
	maxClass    = 1 << 13 // everything from 128 KiB on is one class
	rare        = 1e-4    // a size that is a smaller share of what is sent is no message's
	unsized     = 1 << 10 // bytes that a frame of a message has at least, where sizes tell nothing
	putSlack    = 256     // bytes by which a put may be longer than its submission
	jitterMeans = 2       // of the clients' random delay that the window is longer by
	certain     = 0.5     // probability above which it names somebody
)

// contactShares are how much of a target's traffic might go to one peer: the watcher does
// not know, and takes each as likely.
var contactShares = [...]float64{0.05, 0.15, 0.4, 0.8}
