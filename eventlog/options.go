package eventlog

import (
	"bufio"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"io"
	"log/slog"
	"sync"
	"time"
)

// Options configure a log. Only Signer is required.
type Options struct {
	// Signer is the node's root key. It signs heads and checkpoints, and the keys
	// under which idempotency rows are filed are derived from it.
	Signer ed25519.PrivateKey

	Now    func() time.Time // time.Now if nil
	Rand   io.Reader        // of salts and log ids; crypto/rand if nil. Need not be safe for concurrent use.
	Logger *slog.Logger     // discards if nil

	// Projections are the log's tables. Opening with others than before rebuilds
	// all of them.
	Projections []Projection

	// Growing says which kinds are refused while the disk is low. Nil: none.
	Growing func(Kind) bool

	// Knows says whether this program knows a version of a kind. A log that ever held
	// another is not opened, and an event of another is not appended: both fail with an
	// [*UnknownKindsError]. Nil: every one.
	Knows func(kind Kind, version uint8) bool

	// OnFail is called once when a commit failed. The process must end: what was
	// being written may or may not be on disk, and nothing is rolled back. It must
	// not call the log.
	OnFail func(error)

	// Hook is called at the named points of the commit path: "queued",
	// "before-commit", "after-commit", "after-head", "before-ack". For tests that
	// kill the process there.
	Hook func(point string)

	// MinFree and MinFreePercent are what must stay free on the disk, whichever is
	// more; negative: nothing. 0: 512 MiB and 10 %.
	MinFree        int64
	MinFreePercent int
	// Ballast is the size of a file that keeps space in reserve for a start on a
	// full disk. 0: 64 MiB; negative: none.
	Ballast int64
	// Statfs returns the free and the total bytes of the disk that holds dir. Nil:
	// the system's statfs.
	Statfs func(dir string) (free, total uint64, err error)

	// Intervals of background work. 0: a second each; negative: never.
	DiskEvery  time.Duration // free space is looked at
	HeadEvery  time.Duration // the head file is synced
	ScrubEvery time.Duration // the next 256 records and their bodies are verified

	// Memory, for OpenMemory alone, is what the log keeps its rows in, so that a
	// simulated node can stop and start. Nil: a new one.
	Memory *Memory
}

// withDefaults fills in what the caller left out.
func (o Options) withDefaults() (Options, error) {
	if len(o.Signer) != ed25519.PrivateKeySize {
		return o, errors.New("eventlog: options without a signer")
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Rand == nil {
		o.Rand = rand.Reader
	}
	o.Rand = &sharedRand{r: bufio.NewReaderSize(o.Rand, 1024)}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Growing == nil {
		o.Growing = func(Kind) bool { return false }
	}
	if o.Knows == nil {
		o.Knows = func(Kind, uint8) bool { return true }
	}
	if o.OnFail == nil {
		o.OnFail = func(error) {}
	}
	if o.Hook == nil {
		o.Hook = func(string) {}
	}
	if o.Statfs == nil {
		o.Statfs = statfs
	}
	fill(&o.MinFree, defaultMinFree)
	fill(&o.MinFreePercent, defaultMinFreePercent)
	fill(&o.Ballast, defaultBallast)
	fill(&o.DiskEvery, defaultDiskEvery)
	fill(&o.HeadEvery, defaultHeadEvery)
	fill(&o.ScrubEvery, defaultScrubEvery)
	return o, checkProjections(o.Projections)
}

// fill replaces 0 by the default and a negative value by 0.
func fill[T ~int | ~int64](v *T, def T) {
	if *v == 0 {
		*v = def
	} else if *v < 0 {
		*v = 0
	}
}

func checkProjections(all []Projection) error {
	var seen [128]bool
	for _, p := range all {
		id := p.ID()
		if id == 0 || id > 127 || seen[id] {
			return errors.New("eventlog: projection " + p.Name() + " has an id that is taken or out of range")
		}
		seen[id] = true
	}
	return nil
}

// sharedRand lets the goroutines of callers, which make the salts, share a reader.
type sharedRand struct {
	mu sync.Mutex // guards r
	r  *bufio.Reader
}

func (s *sharedRand) Read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return io.ReadFull(s.r, p)
}
