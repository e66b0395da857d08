package relay

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multiaddr"
	"golang.org/x/sync/errgroup"

	"communicator/eventlog"
	"communicator/relay/destination"
	"communicator/wire"
	"communicator/wire/agenturi"
)

// OpenFunc opens a stream to the agent that a URI names and returns who answered.
// The node dials with its host. It must honour ctx.
type OpenFunc func(ctx context.Context, to agenturi.URI, protocol string) (stream io.ReadWriteCloser, remote peer.ID, err error)

// Config is what a sending agent needs. Log, Access, Open and Root are required.
type Config struct {
	Agent wire.AgentID
	Root  ed25519.PublicKey // the agent's, for receipts and to know itself

	Log    eventlog.Log // opened with [Projections] among its tables, and [Growing]
	Access Access
	Open   OpenFunc

	// AllowPrivate lifts the refusal of private destinations: [destination.Policy].
	AllowPrivate bool
	// Own returns the node's own addresses, never a destination; may be nil.
	Own func() []multiaddr.Multiaddr

	Limits Limits
	Now    func() time.Time // time.Now if nil
	Rand   io.Reader        // crypto/rand if nil
	Logger *slog.Logger     // discards if nil

	// ClockOK says whether the clock is to be believed; nil: always. While it is
	// not, nothing is admitted, given up or forgotten.
	ClockOK func() bool
	// Observe, if not nil, is called once for each request and attempt. It must
	// be fast and safe for concurrent use.
	Observe func(Result)
}

// ErrClosed: the service was closed.
var ErrClosed = errors.New("relay: closed")

// Service is one sending agent. Its methods are safe for concurrent use.
type Service struct {
	cfg    Config
	limits Limits
	policy destination.Policy

	ctx    context.Context // ends when the service is closed or its log failed
	cancel context.CancelCauseFunc
	loaded chan struct{} // closed once the queue and the quotas have been read from the log

	quota       *quota
	states      *states
	bodies      *bodies
	forwarder   *forwarder
	links       *links
	keeper      *housekeeper
	descriptors *descriptors
	requests    *requestLimit
	settlements *group[*settling]
	submissions *group[*submitting]
	uris        uris

	mu      sync.Mutex
	closed  bool           // guarded by mu: nothing may be added to working
	working sync.WaitGroup // streams being served, and Run
}

// New makes a service. [Service.Run] starts it; until it has read the queue,
// submissions wait.
func New(cfg Config) *Service {
	cfg = cfg.withDefaults()
	s := &Service{cfg: cfg, limits: cfg.Limits, loaded: make(chan struct{})}
	s.policy = destination.Policy{AllowPrivate: cfg.AllowPrivate, Own: cfg.Own}
	if self, err := agenturi.PeerOf(cfg.Root); err == nil {
		s.policy.Self = self
	}
	s.ctx, s.cancel = context.WithCancelCause(context.Background())
	s.quota = newQuota(s.limits)
	s.states = newStates(s.limits.StatesInMemory)
	s.bodies = newBodies(s.limits.BodiesInMemory)
	s.links = newLinks(s)
	s.keeper = newHousekeeper(s)
	s.forwarder = newForwarder(s)
	s.descriptors = newDescriptors(s)
	s.requests = newRequestLimit(s.limits)
	s.settlements = &group[*settling]{run: s.settleAll}
	s.submissions = &group[*submitting]{run: s.submitAll}
	s.uris.parsed = make(map[string]agenturi.URI)
	return s
}

// begin reports whether work may start, and if so has Close wait for it.
func (s *Service) begin() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.working.Add(1)
	return true
}

// Run reads the queue from the log, then forwards and keeps house until ctx ends,
// the service is closed or the log fails. It returns nil after the first two,
// having joined everything it started. It is called once.
func (s *Service) Run(ctx context.Context) error {
	if !s.begin() {
		return ErrClosed
	}
	defer s.working.Done()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stop := context.AfterFunc(s.ctx, func() { cancel(context.Cause(s.ctx)) })
	defer stop()

	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return s.forwarder.run(ctx) })
	group.Go(func() error { return s.keeper.run(ctx) })
	err := group.Wait()
	s.links.close()
	if cause := context.Cause(s.ctx); cause != nil && !errors.Is(cause, ErrClosed) {
		return cause // the log failed
	}
	if err != nil && ctx.Err() == nil {
		return fmt.Errorf("relay: %w", err)
	}
	return stopped(err)
}

// stopped turns the end that was asked for into success.
func stopped(err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, ErrClosed) {
		return nil
	}
	return err
}

// Close ends Run and every stream, and waits for them. What is queued stays in the
// log.
func (s *Service) Close() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.cancel(ErrClosed)
	s.working.Wait()
	return nil
}

// fail ends the service if err says that the log cannot go on, which the log's
// owner turns into the process's end.
func (s *Service) fail(err error) {
	if errors.Is(err, eventlog.ErrFailed) {
		s.cancel(err)
	}
}

// Stat is what a status page shows. It names nobody.
type Stat struct {
	Queued       int   // submissions not yet taken by a receiving agent
	Accounts     int   // that have something queued
	Stored       int64 // bytes counted against [Limits.StorageMax]
	InFlight     int   // deliveries under way
	Destinations int   // receiving agents with something queued
	Paused       int   // of them, those that did not answer or asked to wait
	Streams      int   // open to receiving agents
	Outcomes     int   // kept until fetched and acknowledged, or forgotten
}

// Stat counts, cheaply.
func (s *Service) Stat() Stat {
	q := s.forwarder.stat()
	st := s.quota.stat()
	st.InFlight, st.Destinations, st.Paused = q.InFlight, q.Destinations, q.Paused
	st.Streams = s.links.count()
	return st
}

func (s *Service) now() time.Time { return s.cfg.Now() }

func (s *Service) clockOK() bool { return s.cfg.ClockOK == nil || s.cfg.ClockOK() }
