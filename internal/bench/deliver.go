package bench

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"communicator/client/transport"
	"communicator/internal/agentproc"
	"communicator/node/config"
	"communicator/wire"
	"communicator/wire/agenturi"
	"communicator/wire/descriptor"
)

// DeliverOptions of a run.
type DeliverOptions struct {
	Clients  int           // each with one message under way
	Size     int           // of the ciphertext, bytes
	Duration time.Duration // that deliveries are counted for, after a warm-up
	InMemory bool          // the agents store nothing: what the path can do without a disk
	Binary   string        // that runs an agent; empty: this program
}

// DeliverResult is what the whole path did. A delivery is counted once its sender has
// opened the outcome that says it is stored: by then it is synced at both agents.
type DeliverResult struct {
	Clients         int                `json:"clients"`
	Size            int                `json:"size"`
	DeliveriesPerS  float64            `json:"deliveries_per_s"`
	P50             float64            `json:"p50_ms"`
	P99             float64            `json:"p99_ms"`
	Deliveries      int                `json:"deliveries"`
	Lost            int                `json:"lost"` // stored, but not in the mailbox afterwards
	CPUPerMessage   map[string]float64 `json:"cpu_us_per_message"`
	AnonymousMemory map[string]float64 `json:"rss_anon_mb"`
}

const (
	// warmUp precedes what is counted.
	warmUp = 2 * time.Second
	// deliverLife is how long the messages of a benchmark may be tried.
	deliverLife = 24 * time.Hour
	// benchQuota replaces the limits that would otherwise end a run.
	benchQuota = 1 << 22
)

// Deliver measures deliveries through a sending agent, a receiving agent and clients,
// three processes on loopback.
func Deliver(ctx context.Context, o DeliverOptions, progress io.Writer) (r DeliverResult, err error) {
	root, err := os.MkdirTemp("", "communicator-bench-")
	if err != nil {
		return r, err
	}
	p := &path{options: o}
	defer func() { err = errors.Join(err, p.close(), os.RemoveAll(root)) }()
	fmt.Fprintf(progress, "starting a sending and a receiving agent\n")
	if err := p.start(ctx, root); err != nil {
		return r, err
	}
	fmt.Fprintf(progress, "%d clients connect\n", o.Clients)
	if err := p.connect(ctx); err != nil {
		return r, err
	}
	fmt.Fprintf(progress, "delivering for %v\n", o.Duration)
	if r, err = p.measure(ctx); err != nil {
		return r, err
	}
	fmt.Fprintf(progress, "collecting %d deliveries\n", p.stored())
	r.Lost, err = p.lost(ctx)
	return r, err
}

// path is a sending agent, a receiving agent and clients.
type path struct {
	options            DeliverOptions
	sending, receiving *agentproc.Agent
	pool               *transport.Pool
	clients            []*sender
}

func (p *path) start(ctx context.Context, root string) (err error) {
	agent := func(name, role string) (*agentproc.Agent, error) {
		a, err := agentproc.New(ctx, agentproc.Options{Binary: p.options.Binary, InMemory: p.options.InMemory,
			Root: root, Name: name, Uses: p.options.Clients + 1,
			Change: func(c *config.Config) {
				c.Roles = []string{role}
				c.Log.Level = "error"
				c.Limits.MailboxesPerAccount = benchQuota
				c.Limits.DeliveriesPerMailbox = benchQuota
				c.Limits.BytesPerMailbox = 1 << 40
				c.Limits.ConnectionsIn = 4096
				c.Limits.ConnectionsPerAddress = 4096
			}})
		if err != nil {
			return nil, err
		}
		return a, a.Start(ctx)
	}
	if p.sending, err = agent("sending", config.RoleSending); err != nil {
		return err
	}
	p.receiving, err = agent("receiving", config.RoleReceiving)
	return err
}

// connect makes the clients, each with a connection to the sending agent, a mailbox at
// the receiving agent and the key that its address pins.
func (p *path) connect(ctx context.Context) (err error) {
	if p.pool, err = transport.NewPool(transport.Options{MaxOpen: 2*p.options.Clients + 2}); err != nil {
		return err
	}
	send, err := newTarget(p.sending.URI)
	if err != nil {
		return err
	}
	receive, err := newTarget(p.receiving.URI)
	if err != nil {
		return err
	}
	signed, err := p.describe(ctx, send, receive)
	if err != nil {
		return err
	}
	for range p.options.Clients {
		// An account of its own for each, as for so many people: an agent limits how
		// fast one account makes mailboxes.
		if send, err = newTarget(p.sending.URI); err != nil {
			return err
		}
		if receive, err = newTarget(p.receiving.URI); err != nil {
			return err
		}
		c, err := newSender(ctx, p.pool, send, receive, signed, p.options.Size)
		if err != nil {
			return err
		}
		p.clients = append(p.clients, c)
	}
	return nil
}

// newTarget reads an agent's URI and draws a credential for a new account.
func newTarget(uri string) (transport.Target, error) {
	u, err := agenturi.Parse(uri)
	if err != nil {
		return transport.Target{}, err
	}
	var credential wire.Credential
	if _, err := rand.Read(credential[:]); err != nil {
		return transport.Target{}, err
	}
	return transport.Target{URI: u, Credential: &credential, Token: u.Token}, nil
}

// describe fetches the receiving agent's descriptor through the sending agent.
func (p *path) describe(ctx context.Context, send, receive transport.Target) (descriptor.Descriptor, error) {
	var d descriptor.Descriptor
	lease, err := p.pool.Take(ctx, transport.Key{Agent: send.URI.Agent}, send)
	if err != nil {
		return d, err
	}
	defer lease.Release()
	signed, _, err := lease.FetchDescriptor(ctx, receive.URI.String(), nil)
	if err != nil {
		return d, err
	}
	return descriptor.Parse(signed, receive.URI.Agent)
}

// measure runs all clients for the warm-up and the duration.
func (p *path) measure(ctx context.Context) (DeliverResult, error) {
	o := p.options
	var before usage
	var mu sync.Mutex // guards latencies
	var latencies []time.Duration
	started := time.Now()
	counting, end := started.Add(warmUp), started.Add(warmUp+o.Duration)
	g, ctx := errgroup.WithContext(ctx)
	for _, c := range p.clients {
		g.Go(func() error {
			mine, err := c.run(ctx, counting, end)
			mu.Lock()
			defer mu.Unlock()
			latencies = append(latencies, mine...)
			return err
		})
	}
	g.Go(func() (err error) {
		select {
		case <-time.After(warmUp):
		case <-ctx.Done():
			return ctx.Err()
		}
		before, err = p.usage()
		return err
	})
	if err := g.Wait(); err != nil {
		return DeliverResult{}, err
	}
	after, err := p.usage()
	if err != nil {
		return DeliverResult{}, err
	}
	n := len(latencies)
	if n == 0 {
		return DeliverResult{}, errors.New("nothing was delivered: give more --duration")
	}
	r := DeliverResult{Clients: o.Clients, Size: o.Size, Deliveries: n, DeliveriesPerS: float64(n) / o.Duration.Seconds(),
		CPUPerMessage: map[string]float64{}, AnonymousMemory: map[string]float64{}}
	r.P50, r.P99 = quantiles(latencies)
	for _, who := range processes {
		r.CPUPerMessage[who] = float64((after[who].cpu - before[who].cpu).Microseconds()) / float64(n)
		r.AnonymousMemory[who] = float64(after[who].anon) / (1 << 20)
	}
	return r, nil
}

func (p *path) stored() (n int) {
	for _, c := range p.clients {
		n += c.stored
	}
	return n
}

// lost collects every mailbox and counts what is missing.
func (p *path) lost(ctx context.Context) (lost int, err error) {
	for _, c := range p.clients {
		n, err := c.collect(ctx)
		if err != nil {
			return 0, err
		}
		lost += max(0, c.stored-n)
	}
	return lost, nil
}

func (p *path) close() error {
	var errs []error
	if p.pool != nil {
		errs = append(errs, p.pool.Close())
	}
	for _, a := range []*agentproc.Agent{p.sending, p.receiving} {
		if a != nil {
			errs = append(errs, a.Stop())
		}
	}
	return errors.Join(errs...)
}
