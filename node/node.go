package node

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"communicator/directory"
	"communicator/directory/authority"
	"communicator/eventlog"
	"communicator/mailbox"
	"communicator/mailbox/keyring"
	"communicator/node/access"
	"communicator/node/admin"
	"communicator/node/config"
	"communicator/relay"
	"communicator/relay/destination"
	"communicator/wire"
)

// Config is what a node is opened with. An operator's node has Dir alone; the rest
// are seams for tests and simulations.
type Config struct {
	// Dir is the node's directory. Empty: the node keeps nothing, takes its
	// configuration from Settings and has no administration.
	Dir string
	// Settings are used where there is no Dir.
	Settings config.Config
	// ConfigFile is read in place of Dir's config.toml.
	ConfigFile string
	// Overrides change what was read, such as from flags.
	Overrides func(*config.Config)
	// Version of the program, for status.
	Version string

	Key     ed25519.PrivateKey // without Dir; nil: a new one from Rand
	Memory  *eventlog.Memory   // without Dir: where the log keeps its rows; nil: new
	LogDir  string             // without Dir: where the log is, on disk, instead of Memory
	Keyring *keyring.Ring      // nil: that of Dir, or one in memory
	// DescriptorFile keeps the descriptors' chain where there is no Dir, for a node
	// that is opened again; empty: in memory.
	DescriptorFile string
	// Namespaces are served by the directory role, without Dir.
	Namespaces []*authority.Authority
	// LogOptions changes how the log is opened.
	LogOptions func(*eventlog.Options)
	// Warm are servers of the overlay that the node knows from the start, as one does
	// that has long been running: it does not refresh its routing table, and its
	// descriptor is due to be published again some time in the next hours.
	Warm []peer.AddrInfo
	// NewHost makes the libp2p host. Nil: TCP with TLS or Noise.
	NewHost func(HostSettings) (host.Host, error)

	Now    func() time.Time     // the machine's clock; nil: time.Now
	Mono   func() time.Duration // a clock that never jumps; nil: the runtime's
	Rand   io.Reader            // nil: crypto/rand
	Logger *slog.Logger         // nil: none
}

func (c Config) withDefaults() Config {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Mono == nil {
		start := time.Now()
		c.Mono = func() time.Duration { return time.Since(start) }
	}
	if c.Rand == nil {
		c.Rand = rand.Reader
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// Node is an agent that has been opened. [Node.Run] makes it work, [Node.Close]
// ends it.
type Node struct {
	config   Config
	settings config.Config
	logger   *slog.Logger
	started  time.Time

	key  ed25519.PrivateKey
	root ed25519.PublicKey
	id   wire.AgentID

	lock    *lock
	log     eventlog.Log
	storage *capacity  // of all roles; nil: as much as the disk has
	failed  chan error // capacity 1: why the log failed
	clock   *clockGuard
	guard   atomic.Pointer[clockGuard] // clock, for the log that is opened before it
	keyring *keyring.Ring
	access  *access.Access
	chain   *chain
	metrics *metrics
	admin   *admin.Server // nil without Dir

	policy    destination.Policy
	conduct   *conduct
	own       atomic.Pointer[[]ma.Multiaddr] // where the node is reached, for policy
	announced func([]ma.Multiaddr) []ma.Multiaddr
	host      host.Host
	publisher *publisher
	overlay   *overlay             // nil where the DHT is off
	relay     *relay.Service       // nil unless sending
	mailbox   *mailbox.Service     // nil unless receiving
	directory *directory.Directory // nil unless a directory

	draining atomic.Bool
	trusted  atomic.Bool // the clock, when it was last looked at
	renewing sync.Mutex

	ctx     context.Context // ends with Close
	stop    context.CancelFunc
	mu      sync.Mutex // guards closed, and streams' growing
	closed  bool
	streams sync.WaitGroup // descriptor streams

	handlers sync.WaitGroup // of the roles' streams
}

// Open opens a node: it locks the directory, reads keys and log, and listens. When
// it returns the node is reachable at [Node.URI].
//
// Errors that an operator can act on: [ErrLocked], [ErrNoIdentity],
// [ErrDamagedFile], [*config.Error].
func Open(ctx context.Context, c Config) (_ *Node, err error) {
	quietLibp2p()
	n := &Node{config: c.withDefaults(), failed: make(chan error, 1), publisher: newPublisher()}
	n.logger, n.started = n.config.Logger, n.config.Now()
	n.ctx, n.stop = context.WithCancel(context.WithoutCancel(ctx))
	defer func() {
		if err != nil {
			err = errors.Join(err, n.Close())
		}
	}()
	for _, step := range []func() error{
		n.openDir, n.openLog, n.openKeys, n.openHost, n.openOverlay, n.openRoles, n.listen, n.renew, n.openAdmin,
	} {
		if err := ctx.Err(); err != nil {
			return n, err
		}
		if err := step(); err != nil {
			return n, err
		}
	}
	return n, nil
}

// openDir locks the directory and reads configuration and identity.
func (n *Node) openDir() error {
	dir := n.config.Dir
	n.settings = n.config.Settings
	n.key = n.config.Key
	if dir != "" {
		var err error
		if n.settings, err = n.readConfig(); err != nil {
			return err
		}
		if n.lock, err = waitLock(n.ctx, dir); err != nil {
			return err
		}
		if n.key, err = readRootKey(filepath.Join(dir, keysName, rootKeyName)); err != nil {
			return err
		}
	} else if n.key == nil {
		var err error
		if _, n.key, err = ed25519.GenerateKey(n.config.Rand); err != nil {
			return err
		}
	}
	if n.config.Overrides != nil {
		n.config.Overrides(&n.settings)
	}
	if err := n.settings.Validate(); err != nil {
		return err
	}
	n.root = n.key.Public().(ed25519.PublicKey)
	n.id = agentOf(n.key)
	limitMemory(n.logger)
	return nil
}

func (n *Node) readConfig() (config.Config, error) {
	if n.config.ConfigFile != "" {
		return config.Read(n.config.ConfigFile)
	}
	c, err := config.Read(n.path(config.FileName))
	if errors.Is(err, fs.ErrNotExist) {
		return c, fmt.Errorf("%s: %w", n.config.Dir, ErrNoIdentity)
	}
	return c, err
}

// path names a file of the directory, or nothing without one.
func (n *Node) path(name string) string {
	if n.config.Dir == "" {
		return ""
	}
	return filepath.Join(n.config.Dir, name)
}

// openKeys opens what hangs on the clock: the guard itself, the keyring, the
// descriptor's chain, and access.
func (n *Node) openKeys() error {
	newest, err := newestRecord(n.log)
	if err != nil {
		return err
	}
	if n.clock, err = newClockGuard(n.path(clockName), n.config.Now, n.config.Mono, newest); err != nil {
		return err
	}
	n.guard.Store(n.clock)
	n.trusted.Store(n.clock.Trusted())
	if !n.clock.Trusted() {
		n.logger.Error("the clock has jumped since the node last ran: nothing expires and nothing new is admitted until \"communicator node confirm-clock\"")
	}
	n.keyring = n.config.Keyring
	switch {
	case n.keyring != nil:
	case n.config.Dir != "":
		n.keyring, err = keyring.Open(n.path(keysName), n.Now())
	default:
		n.keyring, err = keyring.Memory(n.config.Rand, n.Now())
	}
	if err != nil {
		return err
	}
	file := n.config.DescriptorFile
	if n.config.Dir != "" {
		file = n.path(descriptorName)
	}
	if n.chain, err = openChain(file, n.id); err != nil {
		return err
	}
	peers := make([]peer.ID, 0, len(n.settings.Access.Peers))
	for _, s := range n.settings.Access.Peers {
		id, err := peer.Decode(s)
		if err != nil {
			return err
		}
		peers = append(peers, id)
	}
	n.access = access.New(access.Config{
		Log: n.log, Agent: n.id, Policy: accessPolicies[n.settings.Access.Policy],
		WorkBits: n.settings.Access.WorkBits, Peers: peers, AddrsOf: n.addrsOf, Now: n.Now, Rand: n.config.Rand,
	})
	since, err := n.access.Draining()
	n.draining.Store(!since.IsZero())
	return err
}

var accessPolicies = map[config.Policy]access.Policy{
	config.PolicyOpen: access.Open, config.PolicyToken: access.Token, config.PolicyPeers: access.Peers,
}

// openHost makes the host, which does not listen yet.
func (n *Node) openHost() (err error) {
	if n.announced, err = announced(n.settings); err != nil {
		return err
	}
	key, err := crypto.UnmarshalEd25519PrivateKey(n.key)
	if err != nil {
		return err
	}
	self, err := peer.IDFromPrivateKey(key)
	if err != nil {
		return err
	}
	n.conduct = newConduct(func() time.Time { return time.Unix(0, 0).Add(n.config.Mono()) }, n.exempt,
		func(id peer.ID) { _ = n.host.Network().ClosePeer(id) })
	n.policy = destination.Policy{AllowPrivate: n.settings.AllowPrivate, Self: self, Own: n.ownAddrs}
	settings, err := hostSettings(n.settings, key, &gater{n.policy, n.conduct}, n.announced)
	if err != nil {
		return err
	}
	make := n.config.NewHost
	if make == nil {
		make = newTCPHost
	}
	if n.host, err = make(settings); err != nil {
		return errors.Join(err, settings.Limits.Close(), settings.Trim.Close())
	}
	n.metrics, err = newMetrics(n)
	return err
}

// listen makes the node reachable, once its handlers are registered.
func (n *Node) listen() error {
	skipped, err := listen(n.host, n.settings.Listen)
	if err != nil {
		return err
	}
	for _, addr := range skipped {
		n.logger.Warn("this machine has no such address: not listening there", "listen", addr)
	}
	own := append(n.addresses(), n.host.Network().ListenAddresses()...)
	n.own.Store(&own)
	if len(n.addresses()) == 0 {
		n.logger.Warn("no address that others could reach: set announce in " + config.FileName)
	}
	return nil
}

// ownAddrs is where the node is reached, as far as it knows.
func (n *Node) ownAddrs() []ma.Multiaddr {
	if own := n.own.Load(); own != nil {
		return *own
	}
	return nil
}

// Now is the node's time: the machine's while it can be trusted.
func (n *Node) Now() time.Time { return n.clock.Now() }

// URI is how clients are told of the agent: a multiaddr that ends in /p2p/…, without
// a token.
func (n *Node) URI() string {
	uri, err := n.uri()
	if err != nil {
		return "" // it listens nowhere: Open would have failed
	}
	return uri.String()
}

// Agent is the node's id.
func (n *Node) Agent() wire.AgentID { return n.id }

// Host is the node's libp2p host.
func (n *Node) Host() host.Host { return n.host }

func (n *Node) receives() bool   { return slices.Contains(n.settings.Roles, config.RoleReceiving) }
func (n *Node) knowsNames() bool { return slices.Contains(n.settings.Roles, config.RoleDirectory) }
func (n *Node) sends() bool      { return slices.Contains(n.settings.Roles, config.RoleSending) }

// enter counts a stream of the node's own in, unless the node is closed.
func (n *Node) enter() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.closed {
		n.streams.Add(1)
	}
	return !n.closed
}

// Close stops what Open started, in the opposite order, and joins it. Run must have
// returned.
func (n *Node) Close() error {
	n.mu.Lock()
	n.closed = true
	n.mu.Unlock()
	n.stop()
	var errs []error
	if n.admin != nil {
		errs = append(errs, n.admin.Close())
	}
	if n.relay != nil {
		errs = append(errs, n.relay.Close())
	}
	if n.mailbox != nil {
		errs = append(errs, n.mailbox.Close())
	}
	if n.directory != nil {
		errs = append(errs, n.directory.Close())
	}
	n.streams.Wait()
	if n.overlay != nil {
		errs = append(errs, n.overlay.close())
	}
	if n.host != nil {
		errs = append(errs, n.host.Close())
		n.handlers.Wait() // nothing begins one any more
	}
	if n.clock != nil {
		errs = append(errs, n.clock.tick())
	}
	if n.log != nil {
		errs = append(errs, n.log.Close())
	}
	return errors.Join(append(errs, n.lock.release())...)
}
