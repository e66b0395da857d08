package dht

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"communicator/dht/record"

	"github.com/ipfs/go-log/v2"
	kad "github.com/libp2p/go-libp2p-kad-dht"
	kadpb "github.com/libp2p/go-libp2p-kad-dht/pb"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/peerstore"
	"github.com/libp2p/go-libp2p/core/protocol"
)

// DHT is a host's part in the overlay. All methods are safe for concurrent use.
type DHT struct {
	host   host.Host
	kad    *kad.IpfsDHT
	store  *store
	sender *sender
	cfg    Config

	ctx    context.Context // ends with Close; repairs run under it
	cancel context.CancelFunc

	mu        sync.Mutex // guards what follows
	closed    bool
	bootstrap []peer.AddrInfo
	repairs   int           // in flight
	idle      chan struct{} // closed when repairs falls to 0; nil while it is 0
}

// quiet keeps the library's loggers, which name peers and keys, from the process's
// standard error. What matters of it comes back as errors.
var quiet = sync.OnceFunc(func() {
	for _, name := range []string{"dht", "dht.pb", "dht/netsize", "dht/RtRefreshManager",
		"dht/RtDiversityFilter", "diversityFilter", "table"} {
		_ = log.SetLogLevel(name, "fatal") // fails for a name that the library does not use
	}
})

// New joins a host to the overlay. The host's owner closes it after the DHT. It has no
// peers yet: see [DHT.Bootstrap].
//
// Errors: [ErrConfig], the datastore's.
func New(h host.Host, cfg Config) (*DHT, error) {
	if err := cfg.fill(); err != nil {
		return nil, err
	}
	quiet()
	ctx, cancel := context.WithCancel(context.Background())
	s, err := openStore(ctx, cfg.Datastore, h.ID(), cfg.Attest, cfg.Agents)
	if err != nil {
		cancel()
		return nil, fmt.Errorf("dht: open the store: %w", err)
	}
	d := &DHT{host: h, store: s, cfg: cfg, ctx: ctx, cancel: cancel}
	options := append(cfg.options(h, s), kad.BootstrapPeersFunc(d.known),
		kad.WithCustomMessageSender(func(h host.Host, protocols []protocol.ID) kadpb.MessageSenderWithDisconnect {
			d.sender = newSender(h, protocols, cfg.Request)
			return d.sender
		}))
	if d.kad, err = kad.New(serverHost{Host: h, kad: cfg.protocol(), guard: newGuard()}, options...); err != nil {
		cancel()
		return nil, fmt.Errorf("dht: start: %w", err)
	}
	return d, nil
}

// Close leaves the overlay and joins what was started. Repairs that are under way are
// given up: see [DHT.Settle].
func (d *DHT) Close() error {
	d.mu.Lock()
	if d.closed {
		d.mu.Unlock()
		return nil
	}
	d.closed = true
	d.mu.Unlock()
	d.cancel()
	err := d.kad.Close()
	d.sender.close()
	return errors.Join(err, d.Settle(context.Background()))
}

// known are the peers that the library falls back to when it has lost all others.
func (d *DHT) known() []peer.AddrInfo {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.bootstrap
}

// Bootstrap connects to peers that are known from elsewhere, at most 64, and enters
// those that are servers of the overlay into the routing table; from there the table
// fills in the background, unless Config.Refresh is negative. They are remembered and
// tried again whenever the table is empty. Take them from several operators: whoever
// gives a node its first peers decides which network it sees.
//
// Errors: [ErrNoPeers] if no server could be reached within 30 seconds, [ErrTooMany],
// [ErrClosed], the context's.
func (d *DHT) Bootstrap(ctx context.Context, peers []peer.AddrInfo) error {
	if len(peers) > maxBootstrap {
		return ErrTooMany
	}
	d.mu.Lock()
	if d.closed {
		d.mu.Unlock()
		return ErrClosed
	}
	d.bootstrap = slices.Clone(peers)
	d.mu.Unlock()
	limited, cancel := context.WithTimeout(ctx, bootstrapTime)
	defer cancel()
	reached := make(chan bool, len(peers))
	for _, p := range peers {
		go func() { reached <- d.reach(limited, p) }()
	}
	found := 0
	for range peers {
		if <-reached {
			found++
		}
	}
	if found == 0 {
		return cmp.Or(ctx.Err(), ErrNoPeers)
	}
	if d.cfg.Refresh > 0 {
		d.kad.RefreshRoutingTable()
	}
	return nil
}

// reach connects to a peer and says whether it is a server.
func (d *DHT) reach(ctx context.Context, p peer.AddrInfo) bool {
	if p.ID == d.host.ID() || d.host.Connect(ctx, p) != nil { // which has identified it
		return false
	}
	if !d.serves(ctx, p.ID) {
		return false
	}
	_, err := d.kad.RoutingTable().TryAddPeer(p.ID, true, false)
	return err == nil
}

// serves says whether a peer that is connected is a server of the overlay. One that has
// just started may have told others who it is before it was one: then it is asked.
func (d *DHT) serves(ctx context.Context, p peer.ID) bool {
	spoken, err := d.host.Peerstore().SupportsProtocols(p, d.cfg.protocol())
	if err != nil || len(spoken) > 0 {
		return err == nil
	}
	s, err := d.host.NewStream(ctx, p, d.cfg.protocol())
	if err != nil {
		return false
	}
	_ = s.Reset()
	return true
}

// Warm puts servers of the overlay into the routing table without asking them, for
// simulations that start with a network that has long been running. Those that the table
// has no room for are not remembered.
func (d *DHT) Warm(peers []peer.AddrInfo) error {
	for _, p := range peers {
		if p.ID == d.host.ID() {
			continue
		}
		// A full bucket, or a group with enough peers, is no failure.
		_, _ = d.kad.RoutingTable().TryAddPeer(p.ID, true, false)
		if d.kad.RoutingTable().Find(p.ID) == "" {
			continue
		}
		d.host.Peerstore().AddAddrs(p.ID, p.Addrs, peerstore.PermanentAddrTTL)
		if err := d.host.Peerstore().AddProtocols(p.ID, d.cfg.protocol()); err != nil {
			return err
		}
	}
	return nil
}

// Stats are counters for an operator's eyes; nothing in them names anyone.
type Stats struct {
	Peers          int // in the routing table
	Network        int // estimated number of servers, 0 if unknown
	Attest, Agents Quota
}

// Stats returns the present figures.
func (d *DHT) Stats() Stats {
	return Stats{
		Peers: d.kad.RoutingTable().Size(), Network: d.networkSize(),
		Attest: d.store.use(record.Attest), Agents: d.store.use(record.Agent),
	}
}

// networkSize is the library's estimate, which needs some searches that each met as
// many peers as keep a record; 0 before that and in networks smaller than that.
func (d *DHT) networkSize() int {
	n, err := d.kad.NetworkSize()
	if err != nil || n < Replication {
		return 0
	}
	return int(n)
}

func (d *DHT) now() time.Time { return d.cfg.Now() }
