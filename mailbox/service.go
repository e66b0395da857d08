package mailbox

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"log/slog"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"communicator/eventlog"
	"communicator/internal/budget"
	"communicator/mailbox/keyring"
	"communicator/wire"
	"communicator/wire/pb"
)

// Access says who may create mailboxes and store blobs. The node has it.
type Access interface {
	// Admit opens or finds the account that a hello names, or fails with a
	// [*wire.StatusError]: [wire.StatusPermission], or [wire.StatusTryAgain].
	Admit(ctx context.Context, remote peer.ID, hello *pb.Hello) (wire.AccountID, error)
	// WorkBits is the proof of work that an open agent asks for, 0 for none.
	WorkBits() uint32
}

// Storage is the budget of bytes that a node's roles share.
type Storage interface {
	// Take reserves room for n bytes, or says that there is none.
	Take(n int) bool
	// Give ends a reservation. Stored says that the log now counts the bytes.
	Give(n int, stored bool)
}

// Config is what a service is made of. Agent, Log, Keyring and Access are required.
type Config struct {
	Agent   wire.AgentID
	Log     eventlog.Log // opened with [Projections]
	Keyring *keyring.Ring
	Access  Access
	// Limits; zero means [DefaultLimits].
	Limits Limits
	// Storage bounds what is stored. Nil: only the disk does.
	Storage Storage

	// Receipt encodes the agent's receipt of a stored put for its sender, at most
	// [wire.MaxReceipt] bytes. Nil: outcomes carry none.
	Receipt func(*eventlog.Proof) []byte
	// DescriptorChain is the chain hash of the agent's newest descriptor, which a
	// lifeline address is pinned to. Nil: lifeline mailboxes are refused.
	DescriptorChain func() [32]byte
	// AddrsOf returns the IP addresses that a peer is connected from, without those
	// that no limit counts. Nil: limits count peers alone.
	AddrsOf func(peer.ID) []netip.Addr
	// ClockTrusted says whether the clock is to be believed; while it is not, nothing
	// is admitted, expired or rotated. Nil: always.
	ClockTrusted func() bool

	Now     func() time.Time // nil: time.Now
	Rand    io.Reader        // safe for concurrent use; nil: crypto/rand.Reader
	Logger  *slog.Logger     // nil: none
	Metrics *Metrics         // nil: counted, and not shown
}

// ErrClosed: the service has been closed.
var ErrClosed = errors.New("mailbox: service closed")

// Service is a receiving agent. Its streams are served by the HandleX methods, or
// over any connection by the ServeX methods.
type Service struct {
	cfg Config

	ctx      context.Context // ends with Close
	stop     context.CancelFunc
	workers  sync.WaitGroup
	openings *openings
	known    *known
	seen     seen
	hub      *hub
	draining atomic.Bool

	creates  *budget.Table[wire.AccountID]
	blobPuts *budget.Table[wire.AccountID]
	failures *budget.Table[peer.ID]

	mu      sync.Mutex // guards closed, and streams' growing
	closed  bool
	streams sync.WaitGroup
}

// New makes a service and starts the workers that open seals. The caller calls Run,
// and Close at the end.
func New(c Config) *Service {
	s := newService(c)
	s.startWorkers()
	return s
}

func newService(c Config) *Service {
	if c.Limits == (Limits{}) {
		c.Limits = DefaultLimits()
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
	if c.Storage == nil {
		c.Storage = endless{}
	}
	if c.ClockTrusted == nil {
		c.ClockTrusted = func() bool { return true }
	}
	l := c.Limits
	s := &Service{
		cfg:      c,
		hub:      newHub(l),
		known:    newKnown(l.Tracked),
		openings: newOpenings(l.OpenQueue, l.SuspectQueue),
		creates:  budget.New[wire.AccountID](l.Creates, l.Tracked),
		blobPuts: budget.New[wire.AccountID](l.BlobPuts, l.Tracked),
		failures: budget.New[peer.ID](l.FailedOpenings, l.Tracked),
	}
	s.ctx, s.stop = context.WithCancel(context.Background())
	return s
}

// SetDraining says that the agent is leaving: no mailbox is created any more, and
// owners are told to move, those who watch at once.
func (s *Service) SetDraining(on bool) {
	if s.draining.Swap(on) != on {
		s.hub.wakeAll()
	}
}

// Close ends every stream, and joins their handlers and the workers. It does not
// close the log.
func (s *Service) Close() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.stop()
	s.streams.Wait()
	s.workers.Wait()
	return nil
}

// enter counts a stream in, unless the service is closed.
func (s *Service) enter() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.streams.Add(1)
	}
	return !s.closed
}

// record is each request's one line in the log and one count. What failed inside is
// named; a refusal says no more than its status.
func (s *Service) record(ctx context.Context, op string, status wire.Status, err error) {
	s.cfg.Metrics.request(op, status)
	level := slog.LevelDebug
	if status == wire.StatusInternal {
		level = slog.LevelError
	}
	if !s.cfg.Logger.Enabled(ctx, level) {
		return
	}
	attrs := []slog.Attr{slog.String("op", op), slog.String("status", status.String())}
	if status == wire.StatusInternal {
		attrs = append(attrs, slog.Any("err", err))
	}
	s.cfg.Logger.LogAttrs(ctx, level, "request", attrs...)
}
