package directory

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"io"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"communicator/dht/record"
	"communicator/directory/proof"
	"communicator/directory/vend"
	"communicator/eventlog"
	"communicator/internal/budget"
	"communicator/wire"
)

// Keys are the online keys of namespaces, which the operator keeps in files.
type Keys interface {
	// Log signs a namespace's checkpoints; false: not served here.
	Log(ns proof.NSID) (ed25519.PrivateKey, bool)
	// Attesting, where the authority lets the directory register names by itself, is one
	// of the attesting keys of the namespace's manifest.
	Attesting(ns proof.NSID) (ed25519.PrivateKey, bool)
}

// CheckpointStore keeps the newest checkpoint of each namespace outside of the log, so
// that a log that went back in time is noticed. Save returns once it is durable.
type CheckpointStore interface {
	Load(ns proof.NSID) ([]byte, error) // nil: none yet
	Save(ns proof.NSID, note []byte) error
}

// Config is what a directory is made of. Agent, Log and Keys are required.
type Config struct {
	Agent wire.AgentID
	Log   eventlog.Log // opened with [Projections]
	Keys  Keys
	// Checkpoints; nil: they are kept in memory, which does not notice a restored log.
	Checkpoints CheckpointStore
	// Secret derives a name's secret, which costs memory and time, to check what a
	// registration brings. Nil: it is believed; a wrong one makes the name unusable.
	Secret func(ctx context.Context, ns proof.NSID, name proof.Name) (proof.NameSecret, error)
	// Zone is a namespace's zone key, where this directory makes the records under which
	// its names are found in the overlay; nil: it makes none. WorkBits is the proof of work
	// of their stamps; 0 stands for record.WorkBits.
	Zone     func(ns proof.NSID) (ed25519.PrivateKey, bool)
	WorkBits int
	// Limits; zero means [DefaultLimits].
	Limits Limits
	// ClockTrusted says whether the clock is to be believed; while it is not, nothing is
	// logged, vended or forgotten. Nil: always.
	ClockTrusted func() bool

	Now     func() time.Time // nil: time.Now
	Rand    io.Reader        // safe for concurrent use; nil: crypto/rand.Reader
	Logger  *slog.Logger     // nil: none
	Metrics *Metrics         // nil: counted, and not shown
}

// Errors of a directory's own methods.
var (
	// ErrClosed: the directory has been closed.
	ErrClosed = errors.New("directory: closed")
	// ErrNoKey: the log key of the namespace's manifest is not among the [Keys].
	ErrNoKey = errors.New("directory: no log key for this namespace")
	// ErrFrozen: the log does not continue what this directory has signed before.
	ErrFrozen = errors.New("directory: the log does not continue its last checkpoint")
)

// Directory is a node's directory role. Its streams are served by HandleDirectory, or
// over any connection by ServeDirectory.
type Directory struct {
	cfg Config

	ctx      context.Context // ends with Close
	stop     context.CancelFunc
	draining atomic.Bool
	secrets  chan struct{} // holds a value for each secret being derived

	contacts      *budget.Table[peer.ID]
	members       *budget.Table[vend.Digest]
	registrations *budget.Table[peer.ID]

	maker *recordMaker

	mu      sync.Mutex // guards spaces, closed, and streams' growing
	spaces  map[proof.NSID]*space
	closed  bool
	streams sync.WaitGroup
}

// New makes a directory of the namespaces that its log holds. The caller calls Run, and
// Close at the end.
func New(c Config) (*Directory, error) {
	c = c.withDefaults()
	l := c.Limits
	d := &Directory{
		cfg: c, maker: newRecordMaker(), spaces: map[proof.NSID]*space{}, secrets: make(chan struct{}, max(l.Secrets, 1)),
		contacts:      budget.New[peer.ID](l.Contacts, l.Tracked),
		members:       budget.New[vend.Digest](l.MemberContacts, l.Tracked),
		registrations: budget.New[peer.ID](l.Registrations, l.Tracked),
	}
	d.ctx, d.stop = context.WithCancel(context.Background())
	if err := errors.Join(d.load(), d.beginEra()); err != nil {
		d.stop()
		return nil, err
	}
	return d, nil
}

// beginEra voids every stock if the log goes on from a backup: what was vended after it
// is not known. A log that takes nothing vends nothing either.
func (d *Directory) beginEra() error {
	stat, err := d.cfg.Log.Stat()
	if err != nil || len(stat.Eras) <= 1 {
		return err
	}
	err = d.step(d.ctx, vend.BeginEra{Era: uint32(len(stat.Eras) - 1)})
	if errors.Is(err, eventlog.ErrReadOnly) {
		return nil
	}
	return err
}

func (c Config) withDefaults() Config {
	if c.Limits == (Limits{}) {
		c.Limits = DefaultLimits()
	}
	if c.Limits.Workers <= 0 {
		c.Limits.Workers = runtime.GOMAXPROCS(0)
	}
	if c.WorkBits == 0 {
		c.WorkBits = record.WorkBits
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Rand == nil {
		c.Rand = rand.Reader
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Metrics == nil {
		c.Metrics, _ = NewMetrics(nil) // only registering fails
	}
	if c.ClockTrusted == nil {
		c.ClockTrusted = func() bool { return true }
	}
	if c.Checkpoints == nil {
		c.Checkpoints = new(memoryCheckpoints)
	}
	return c
}

// SetDraining says that the node is leaving: names are registered elsewhere.
func (d *Directory) SetDraining(on bool) { d.draining.Store(on) }

// Close ends every stream and joins their handlers. It does not close the log.
func (d *Directory) Close() error {
	d.mu.Lock()
	d.closed = true
	d.mu.Unlock()
	d.stop()
	d.streams.Wait()
	return nil
}

// enter counts a stream in, unless the directory is closed.
func (d *Directory) enter() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.closed {
		d.streams.Add(1)
	}
	return !d.closed
}

// record is each request's one line in the log and one count. What failed inside is
// named; a refusal says no more than its status.
func (d *Directory) record(ctx context.Context, op string, status wire.Status, err error) {
	d.cfg.Metrics.request(op, status)
	attrs := []slog.Attr{slog.String("op", op), slog.String("status", status.String())}
	level := slog.LevelDebug
	if status == wire.StatusInternal {
		level, attrs = slog.LevelError, append(attrs, slog.Any("err", err))
	}
	d.cfg.Logger.LogAttrs(ctx, level, "request", attrs...)
}

// seconds is the time as statements have it.
func (d *Directory) seconds() time.Time { return d.cfg.Now().UTC().Truncate(time.Second) }
