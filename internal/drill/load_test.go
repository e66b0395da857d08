package drill

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"communicator/client/transport"
	"communicator/wire"
	"communicator/wire/agenturi"
	"communicator/wire/descriptor"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	"golang.org/x/sync/errgroup"
)

const (
	// connecting is how many clients connect at a time.
	connecting = 16
	// callWithin is how long a client waits for an answer before it asks again.
	callWithin = 8 * time.Second
	// retries is how often in a second all clients together repeat what was refused or
	// not answered: sooner than they were told to, for the faults here are short, but
	// without taking the machine from the agent that starts.
	retries = 200
)

// loadOptions say who talks to whom and how much.
type loadOptions struct {
	sending, receiving *agent
	clients            int
	every              time.Duration // between two messages of one client; 0: as fast as they are accepted
	size               int           // of a ciphertext, bytes
}

// load is clients at work: each sends messages to a mailbox of its own through the
// sending agent, watches it, and acknowledges most of what it gets.
type load struct {
	t       testing.TB
	options loadOptions
	ledger  *ledger
	pool    *transport.Pool
	clients []*client

	quiet    func() // ends offering
	offering sync.WaitGroup
	leave    func() // ends watching
	watching sync.WaitGroup

	mu      sync.Mutex          // guards what follows
	refused map[wire.Status]int // answers other than a receipt
	told    time.Duration       // the longest retry-after that came with "storage full"
}

// startLoad connects the clients and lets them begin. It ends with the test.
func startLoad(t testing.TB, o loadOptions) *load {
	t.Helper()
	l := &load{t: t, options: o, ledger: newLedger(), refused: map[wire.Status]int{}}
	l.connect()
	watch, leave := context.WithCancel(context.Background())
	offer, quiet := context.WithCancel(watch)
	l.leave, l.quiet = leave, quiet
	for _, c := range l.clients {
		l.offering.Go(func() { c.send(offer) })
		l.watching.Go(func() { c.watch(watch) })
	}
	t.Cleanup(func() {
		l.end()
		if err := l.pool.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

func (l *load) connect() {
	l.t.Helper()
	o := l.options
	var err error
	if l.pool, err = transport.NewPool(transport.Options{MaxOpen: 2*o.clients + 2, Host: eagerHost()}); err != nil {
		l.t.Fatal(err)
	}
	described, err := l.describe()
	if err != nil {
		l.t.Fatalf("look the receiving agent up: %v", err)
	}
	l.clients = make([]*client, o.clients)
	g, ctx := errgroup.WithContext(l.t.Context())
	g.SetLimit(connecting)
	for i := range l.clients {
		g.Go(func() (err error) {
			l.clients[i], err = newClient(ctx, l, i, described)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		l.t.Fatalf("connect %d clients: %v", o.clients, err)
	}
}

// describe fetches the receiving agent's descriptor as clients do: by way of the
// sending agent.
func (l *load) describe() (d descriptor.Descriptor, err error) {
	send, err := targetOf(l.options.sending.URI)
	if err != nil {
		return d, err
	}
	receive, err := agenturi.Parse(l.options.receiving.URI)
	if err != nil {
		return d, err
	}
	lease, err := l.pool.Take(l.t.Context(), transport.Key{Agent: send.URI.Agent}, send)
	if err != nil {
		return d, err
	}
	defer lease.Release()
	signed, _, err := lease.FetchDescriptor(l.t.Context(), receive.String(), nil)
	if err != nil {
		return d, err
	}
	return descriptor.Parse(signed, receive.Agent)
}

// again is when a client repeats what was refused or not answered.
func (l *load) again() <-chan time.Time {
	return time.After(time.Second * time.Duration(l.options.clients) / retries)
}

// note counts an answer that was not a receipt.
func (l *load) note(err error) {
	var status *wire.StatusError
	if !errors.As(err, &status) {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.refused[status.Status]++
	if status.Status == wire.StatusStorageFull {
		l.told = max(l.told, status.RetryAfter)
	}
}

// refusals is how often a status was answered so far.
func (l *load) refusals(s wire.Status) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.refused[s]
}

// drain stops offering and waits until everything accepted has arrived; it returns
// how long that took.
func (l *load) drain(within time.Duration) time.Duration {
	l.t.Helper()
	l.quiet()
	l.offering.Wait()
	began := time.Now()
	limit := time.After(within)
	for {
		left, changed := l.ledger.left()
		if left == 0 {
			return time.Since(began)
		}
		select {
		case <-changed:
		case <-limit:
			l.t.Errorf("%d of %d accepted messages have not arrived after %v", left, l.ledger.accepted(), within)
			return within
		}
	}
}

// end stops all clients.
func (l *load) end() {
	l.quiet()
	l.leave()
	l.offering.Wait()
	l.watching.Wait()
}

// check drains, looks into every mailbox and asks the oracle.
func (l *load) check(within time.Duration) {
	l.t.Helper()
	took := l.drain(within)
	l.end()
	stored := map[number]bool{}
	for _, c := range l.clients {
		if err := c.inventory(l.t.Context(), stored); err != nil {
			l.t.Fatalf("look into a mailbox: %v", err)
		}
	}
	CheckDelivery(l.t, l.ledger, stored)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.t.Logf("drained in %v; refused: %v", took.Round(time.Millisecond), l.refused)
}

// until waits for a condition that changes in another process, and says how long.
func until(t testing.TB, within time.Duration, what string, holds func() bool) time.Duration {
	t.Helper()
	began := time.Now()
	if !holdsWithin(within, holds) {
		t.Fatalf("after %v still not: %s", within, what)
	}
	return time.Since(began)
}

// holdsWithin waits until something holds, and says whether it did in time.
func holdsWithin(within time.Duration, holds func() bool) bool {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for limit := time.After(within); !holds(); {
		select {
		case <-tick.C:
		case <-limit:
			return false
		}
	}
	return true
}

// eagerHost makes hosts of the production kind that dial again at once: libp2p waits
// for seconds after a failure, and a drill would measure that.
func eagerHost() transport.HostFunc {
	return func(id crypto.PrivKey) (host.Host, error) {
		plain, err := transport.NewHost("")
		if err != nil {
			return nil, err
		}
		h, err := plain(id)
		return eager{h}, err
	}
}

type eager struct{ host.Host }

func (h eager) Connect(ctx context.Context, to peer.AddrInfo) error {
	if n, ok := h.Network().(interface{ Backoff() *swarm.DialBackoff }); ok {
		n.Backoff().Clear(to.ID)
	}
	return h.Host.Connect(ctx, to)
}

// caughtUp waits until as many messages have arrived as were accepted at some time
// before, and says how long.
func (l *load) caughtUp(accepted int, within time.Duration) time.Duration {
	l.t.Helper()
	return until(l.t, within, "what was accepted has arrived", func() bool { return l.arrived(accepted) })
}

// catchesUp waits for the same, and says whether it came.
func (l *load) catchesUp(accepted int, within time.Duration) bool {
	return holdsWithin(within, func() bool { return l.arrived(accepted) })
}

func (l *load) arrived(accepted int) bool {
	left, _ := l.ledger.left()
	return l.ledger.accepted()-left >= accepted
}
