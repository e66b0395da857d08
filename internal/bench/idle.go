package bench

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"golang.org/x/sync/errgroup"

	"communicator/client/transport"
	"communicator/internal/agentproc"
	"communicator/node/config"
)

// IdleOptions of a run.
type IdleOptions struct {
	Connections int           // of each kind
	Settle      time.Duration // before memory is read, [DefaultSettle] if 0
	Binary      string        // that runs an agent; empty: this program
}

// IdleResult is what connections that carry nothing take of a receiving agent's
// anonymous memory, in KiB each: the difference that they make to the process, with what
// the garbage collector keeps in reserve for them.
type IdleResult struct {
	Connections int `json:"connections"`
	// Bare connections have no stream of ours.
	Bare float64 `json:"bare_kib"`
	// Watching are those of clients that wait for messages in one mailbox each, as people
	// who are online do.
	Watching float64 `json:"watching_kib"`
	// Process is the agent without any of them, in MiB.
	Process float64 `json:"process_mib"`
}

// DefaultSettle is by when Go has looked for garbage even in an idle process, which it
// does every two minutes, and given the rest back.
const DefaultSettle = 150 * time.Second

const (
	// idleDials is how many connections are opened at a time. An agent has room for few
	// handshakes at once.
	idleDials = 8
	// warmConnections come before what is measured, so that what an agent makes once for
	// all connections is not counted as theirs.
	warmConnections = 16
)

// Idle measures what idle connections take of an agent's memory.
func Idle(ctx context.Context, o IdleOptions, progress io.Writer) (r IdleResult, err error) {
	root, err := os.MkdirTemp("", "communicator-bench-")
	if err != nil {
		return r, err
	}
	b := &idleBench{progress: progress, settle: cmp.Or(o.Settle, DefaultSettle)}
	defer func() { err = errors.Join(err, b.close(), os.RemoveAll(root)) }()
	if err := b.start(ctx, o, root); err != nil {
		return r, err
	}
	r.Connections = o.Connections
	if err := errors.Join(b.connect(ctx, warmConnections), b.watch(ctx, warmConnections)); err != nil {
		return r, err
	}
	without, err := b.settled(ctx, "nobody else")
	if err != nil {
		return r, err
	}
	r.Process = float64(without) / (1 << 20)
	if err := b.connect(ctx, o.Connections); err != nil {
		return r, err
	}
	bare, err := b.settled(ctx, fmt.Sprintf("%d bare connections", o.Connections))
	if err != nil {
		return r, err
	}
	if err := b.watch(ctx, o.Connections); err != nil {
		return r, err
	}
	watching, err := b.settled(ctx, fmt.Sprintf("%d clients besides", o.Connections))
	each := func(with, without int64) float64 { return float64(with-without) / 1024 / float64(o.Connections) }
	r.Bare, r.Watching = each(bare, without), each(watching, bare)
	return r, err
}

// idleBench is an agent and those who are connected to it.
type idleBench struct {
	progress io.Writer
	settle   time.Duration
	agent    *agentproc.Agent
	newHost  transport.HostFunc
	hosts    []host.Host
	pool     *transport.Pool
	watching sync.WaitGroup
	stop     context.CancelFunc // of the watches
	watches  context.Context
}

func (b *idleBench) start(ctx context.Context, o IdleOptions, root string) (err error) {
	b.watches, b.stop = context.WithCancel(ctx)
	if b.newHost, err = transport.NewHost(""); err != nil {
		return err
	}
	all := 2 * (o.Connections + warmConnections)
	if b.pool, err = transport.NewPool(transport.Options{MaxOpen: all}); err != nil {
		return err
	}
	b.agent, err = agentproc.New(ctx, agentproc.Options{Binary: o.Binary, Root: root, Name: "receiving", Uses: o.Connections + warmConnections,
		Change: func(c *config.Config) {
			c.Roles = []string{config.RoleReceiving}
			c.Log.Level = "error"
			c.Limits.ConnectionsIn = 2 * all // nobody is let go for being idle
			c.Limits.ConnectionsPerAddress = 2 * all
		}})
	if err != nil {
		return err
	}
	return b.agent.Start(ctx)
}

// connect opens connections that nothing is done with.
func (b *idleBench) connect(ctx context.Context, n int) error {
	target, err := newTarget(b.agent.URI)
	if err != nil {
		return err
	}
	for range n {
		identity, _, err := crypto.GenerateEd25519Key(rand.Reader)
		if err != nil {
			return err
		}
		h, err := b.newHost(identity)
		if err != nil {
			return err
		}
		b.hosts = append(b.hosts, h)
		if err := h.Connect(ctx, target.URI.AddrInfo()); err != nil {
			return err
		}
	}
	return nil
}

// watch opens connections of clients, each with an account and a mailbox that it watches.
func (b *idleBench) watch(ctx context.Context, n int) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(idleDials)
	for range n {
		g.Go(func() error { return b.watchOne(ctx) })
	}
	return g.Wait()
}

func (b *idleBench) watchOne(ctx context.Context) error {
	target, err := newTarget(b.agent.URI)
	if err != nil {
		return err
	}
	key := transport.Key{Agent: target.URI.Agent}
	if _, err := rand.Read(key.Relationship[:]); err != nil {
		return err
	}
	lease, err := b.pool.Take(ctx, key, target)
	if err != nil {
		return err
	}
	_, owner, err := ed25519.GenerateKey(nil)
	if err != nil {
		return err
	}
	if _, err := lease.Create(ctx, owner, 0, time.Now().Add(stockLife)); err != nil {
		return fmt.Errorf("making a mailbox: %w", err)
	}
	serves := make(chan struct{})
	ended := make(chan error, 1)
	caughtUp := sync.OnceFunc(func() { close(serves) }) // a watch that was opened anew says it again
	b.watching.Go(func() {
		ended <- lease.Watch(b.watches, owner, 0, func(transport.Delivery) error { return nil }, caughtUp, func() {})
	})
	select {
	case <-serves:
		return nil
	case err := <-ended:
		return fmt.Errorf("watching: %w", err)
	}
}

// settled is the agent's anonymous memory once the garbage of what went before is gone.
func (b *idleBench) settled(ctx context.Context, who string) (least int64, err error) {
	began := time.Now()
	for every := time.NewTicker(time.Second); time.Since(began) < b.settle; {
		now, err := anonymous(b.agent.PID())
		if err != nil {
			return 0, err
		}
		if least == 0 || now < least {
			least = now
			fmt.Fprintf(b.progress, "%s: %d KiB after %.0f s\n", who, least>>10, time.Since(began).Seconds())
		}
		select {
		case <-every.C:
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
	fmt.Fprintf(b.progress, "with %s: %d KiB\n", who, least>>10)
	return least, nil
}

func (b *idleBench) close() error {
	var errs []error
	if b.stop != nil {
		b.stop()
	}
	b.watching.Wait()
	if b.pool != nil {
		errs = append(errs, b.pool.Close())
	}
	for _, h := range b.hosts {
		errs = append(errs, h.Close())
	}
	if b.agent != nil {
		errs = append(errs, b.agent.Stop())
	}
	return errors.Join(errs...)
}
