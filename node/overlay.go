package node

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	"golang.org/x/sync/errgroup"

	"communicator/dht"
	"communicator/node/config"
	"communicator/wire"
	"communicator/wire/agenturi"
	"communicator/wire/descriptor"
)

// overlay is the node's part in the DHT: it serves others' records, publishes the
// node's own descriptor, and finds where an agent has moved to.
type overlay struct {
	dht       *dht.DHT
	host      host.Host
	bootstrap []peer.AddrInfo
	own       *dht.Republisher
	now       func() time.Time
	logger    *slog.Logger

	ctx  context.Context // ends with close
	stop context.CancelFunc
	wg   sync.WaitGroup // searches

	mu       sync.Mutex                 // guards searches
	searches map[wire.AgentID]time.Time // when each agent was last looked for
	running  int
	closed   bool
}

// openOverlay joins the DHT, on a host that does not listen yet.
func (n *Node) openOverlay() error {
	c := n.settings.DHT
	if !c.Enabled {
		return nil
	}
	known, err := bootstrapPeers(c)
	if err != nil {
		return err
	}
	warm := len(n.config.Warm) > 0
	refresh := time.Duration(0)
	if warm {
		refresh = -1 // the first one would ask for everybody at once
	}
	d, err := dht.New(n.host, dht.Config{
		Refresh: refresh,
		Server:  c.Server, Network: c.Network, WorkBits: c.WorkBits,
		// Machines of one private network share their address group.
		Private: n.settings.AllowPrivate, AnyGroup: n.settings.AllowPrivate,
		Attest: dht.Quota{Records: c.Records, Bytes: int64(c.Bytes)},
		Now:    n.Now,
	})
	if err != nil {
		return err
	}
	own, err := dht.NewRepublisher(d, dht.RepublishConfig{Now: n.Now, Settled: warm})
	if err == nil && warm {
		err = d.Warm(n.config.Warm)
	}
	if err != nil {
		return errors.Join(err, d.Close())
	}
	o := &overlay{dht: d, host: n.host, bootstrap: known, own: own, now: n.Now, logger: n.logger,
		searches: map[wire.AgentID]time.Time{}}
	o.ctx, o.stop = context.WithCancel(n.ctx)
	n.overlay = o
	return nil
}

// OverlayPeers is how many servers of the overlay the node knows; 0 as long as it has not
// joined.
func (n *Node) OverlayPeers() int {
	if n.overlay == nil {
		return 0
	}
	return n.overlay.dht.Stats().Peers
}

// bootstrapPeers parses the peers that the node starts from.
func bootstrapPeers(c config.DHT) ([]peer.AddrInfo, error) {
	known := make([]peer.AddrInfo, 0, len(c.Bootstrap))
	for _, s := range c.Bootstrap {
		uri, err := agenturi.Parse(s)
		if err != nil {
			return nil, err
		}
		known = append(known, peer.AddrInfo{ID: uri.Peer, Addrs: []ma.Multiaddr{uri.Addr}})
	}
	return known, nil
}

// run joins the overlay, publishes the descriptor, and stays connected until ctx ends.
func (o *overlay) run(ctx context.Context) error {
	wait := o.join(ctx, firstBootstrap)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return o.own.Run(ctx) }) // once there is somebody to tell
	group.Go(func() error {
		for {
			timer := time.NewTimer(wait)
			select {
			case <-timer.C:
			case <-ctx.Done():
				timer.Stop()
				return nil
			}
			wait = o.join(ctx, wait)
		}
	})
	return group.Wait()
}

// join connects to the bootstrap peers if the node knows no others, and returns how
// long until that should be looked at again, given how long it was this time.
func (o *overlay) join(ctx context.Context, wait time.Duration) time.Duration {
	if len(o.bootstrap) == 0 || o.dht.Stats().Peers > 0 {
		return bootstrapInterval
	}
	if err := o.dht.Bootstrap(ctx, o.bootstrap); err != nil {
		if ctx.Err() == nil {
			o.logger.Warn("none of dht.bootstrap could be reached: trying again", "after", wait)
		}
		return min(2*wait, bootstrapInterval)
	}
	o.logger.Info("joined the DHT", "peers", o.dht.Stats().Peers)
	return bootstrapInterval
}

// publish has the descriptor found by the agent's id.
func (o *overlay) publish(id wire.AgentID, signed []byte) error {
	return o.own.Set(dht.Descriptor(id, signed))
}

// find looks, in the background, for where an agent is reached now, and leaves what
// its signed descriptor says in the host's peerstore for the next attempt. An agent
// is looked for once in searchEvery, and a few at a time: senders name the agents.
func (o *overlay) find(to agenturi.URI) {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := o.now()
	if last, ok := o.searches[to.Agent]; o.closed || o.running >= maxSearches || ok && now.Sub(last).Abs() < searchEvery {
		return
	}
	if len(o.searches) >= maxSearched {
		for id, at := range o.searches {
			if now.Sub(at).Abs() >= searchEvery {
				delete(o.searches, id)
			}
		}
		if len(o.searches) >= maxSearched {
			return
		}
	}
	o.searches[to.Agent] = now
	o.running++
	o.wg.Go(func() {
		o.search(to)
		o.mu.Lock()
		defer o.mu.Unlock()
		o.running--
	})
}

func (o *overlay) search(to agenturi.URI) {
	ctx, cancel := context.WithTimeout(o.ctx, searchTimeout)
	defer cancel()
	found, err := o.dht.Lookup(ctx, dht.DescriptorEntry(to.Agent, nil).Key)
	if err != nil {
		return // not in the overlay, or the overlay cannot be reached: the queue tries the known address again
	}
	d, err := descriptor.Parse(found.Record, to.Agent)
	if err != nil {
		return
	}
	for _, s := range d.Addrs {
		// The gater judges each address when it is dialled, names resolved.
		if addr, err := ma.NewMultiaddr(s); err == nil {
			o.host.Peerstore().AddAddr(to.Peer, addr, foundTTL)
		}
	}
}

func (o *overlay) close() error {
	o.mu.Lock()
	o.closed = true
	o.mu.Unlock()
	o.stop()
	o.wg.Wait()
	return o.dht.Close()
}
