package real

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"communicator/eventlog"
	"communicator/mailbox/keyring"
	"communicator/node"
	"communicator/node/config"
	"communicator/simulations/memnet"
	"communicator/simulations/script"
	"communicator/simulations/trace"
)

// agent is a node, and what is left of it while it does not run.
type agent struct {
	w       *world
	number  int32
	key     ed25519.PrivateKey
	id      peer.ID
	addrs   []ma.Multiaddr
	hostile script.Hostile
	full    atomic.Bool // its disk

	turn chan struct{} // holds a token; its taker starts or stops the node and owns what follows
	// What survives a stop.
	memory  *eventlog.Memory
	keyring *keyring.Ring
	// While it runs.
	node  *node.Node
	stop  context.CancelFunc
	ended chan error // of Run

	up atomic.Pointer[node.Node] // for those who only look; nil while it is down
}

func newAgent(w *world, number int32) (*agent, error) {
	seed := make([]byte, 0, ed25519.SeedSize)
	for r := w.s.Rand("key", int(number)); len(seed) < ed25519.SeedSize; {
		seed = binary.BigEndian.AppendUint64(seed, r.Uint64())
	}
	a := &agent{w: w, number: number, key: ed25519.NewKeyFromSeed(seed), hostile: w.s.Agents[number].Hostile,
		addrs: []ma.Multiaddr{ma.StringCast(agentAddr(number))}, memory: new(eventlog.Memory), turn: make(chan struct{}, 1)}
	a.turn <- struct{}{}
	key, err := crypto.UnmarshalEd25519PrivateKey(a.key)
	if err != nil {
		return nil, err
	}
	if a.id, err = peer.IDFromPrivateKey(key); err != nil {
		return nil, err
	}
	w.net.machines.Store(a.id, machine{number: number, region: w.s.Agents[number].Region})
	a.keyring, err = keyring.Memory(rand.Reader, time.Now())
	return a, err
}

// info is how others reach the agent.
func (a *agent) info() peer.AddrInfo {
	return peer.AddrInfo{ID: a.id, Addrs: a.addrs}
}

func (a *agent) public() ed25519.PublicKey { return a.key.Public().(ed25519.PublicKey) }

func (a *agent) uri() string { return agentAddr(a.number) + "/p2p/" + a.id.String() }

// hostility is what the agent does instead of its work: nothing before the run begins.
func (a *agent) hostility() script.Hostile {
	if !a.w.live.Load() {
		return script.Honest
	}
	return a.hostile
}

// settings are an operator's, with nothing that concerns machines of other people.
func (a *agent) settings() config.Config {
	c := config.Default()
	c.Listen = []string{agentAddr(a.number)}
	c.Access.Policy, c.Access.WorkBits = config.PolicyOpen, accountBits
	c.Admin.Listen = ""
	c.DHT.WorkBits = stampBits
	c.DHT.Bootstrap = a.w.bootstrap(a.number)
	// A routing table that has been filled has no connections by which the rule about
	// groups of addresses could judge its peers.
	c.AllowPrivate = true
	return c
}

func (a *agent) config(warm []peer.AddrInfo) node.Config {
	c := node.Config{
		Settings: a.settings(), Key: a.key, Memory: a.memory, Keyring: a.keyring, Warm: warm,
		DescriptorFile: filepath.Join(a.w.dir, fmt.Sprintf("descriptor-%d", a.number)),
		LogOptions:     a.logOptions,
		NewHost: func(s node.HostSettings) (host.Host, error) {
			h, err := a.w.net.Host(s.Key, dialOnly(a.number), s.Options...)
			if err != nil {
				return nil, err
			}
			return &seam{Host: h, agent: a}, nil
		},
	}
	if a.w.s.Scenario.Nodes.Storage == "badger" {
		c.LogDir = filepath.Join(a.w.dir, fmt.Sprintf("log-%d", a.number))
	}
	return c
}

// dialOnly is an agent's address before it listens.
func dialOnly(i int32) ma.Multiaddr {
	return ma.StringCast(fmt.Sprintf("/ip4/%d.%d.1.1/tcp/0", firstAgentNet+i/agentsPerNet, 1+i%agentsPerNet))
}

// logOptions makes the log see the scenario's disk, and a hostile agent forgetful.
func (a *agent) logOptions(o *eventlog.Options) {
	if a.w.fills {
		o.Statfs = func(string) (free, total uint64, err error) {
			if a.full.Load() {
				return 0, diskSize, nil
			}
			return diskSize, diskSize, nil
		}
	} else {
		o.MinFree, o.MinFreePercent = -1, -1
	}
	o.Ballast = -1
	if a.hostile != script.Drop {
		return
	}
	for i, p := range o.Projections {
		o.Projections[i] = forgetful{p, a}
	}
}

// take waits for the agent's turn.
func (a *agent) take(ctx context.Context) bool {
	select {
	case <-a.turn:
		return true
	case <-ctx.Done():
		return false
	}
}

func (a *agent) give() { a.turn <- struct{}{} }

// start opens the node unless it runs.
func (a *agent) start(ctx context.Context, warm []peer.AddrInfo) error {
	if !a.take(ctx) {
		return context.Cause(ctx)
	}
	defer a.give()
	if a.node != nil {
		return nil
	}
	began := time.Now()
	n, err := node.Open(ctx, a.config(warm))
	if err != nil {
		return fmt.Errorf("agent %d: %w", a.number, err)
	}
	run, stop := context.WithCancel(context.Background())
	a.node, a.stop, a.ended = n, stop, make(chan error, 1)
	go func() { a.ended <- n.Run(run) }()
	a.up.Store(n)
	e := blank(trace.Up)
	e.Agent, e.Took = a.number, time.Since(began)
	a.w.tape.event(e)
	return nil
}

// shut closes the node if it runs.
func (a *agent) shut(ctx context.Context, killed bool) error {
	if !a.take(ctx) {
		return context.Cause(ctx)
	}
	defer a.give()
	if a.node == nil {
		return nil
	}
	a.up.Store(nil)
	e := blank(trace.Down)
	e.Agent = a.number
	a.w.tape.event(e)
	if killed {
		// What the old process still does nobody hears of, and what it commits goes to
		// a store that is thrown away.
		memnet.Sever(a.node.Host().(*seam).Host)
		a.memory = a.memory.Clone()
	}
	a.stop()
	err := <-a.ended
	if closed := a.node.Close(); err == nil {
		err = closed
	}
	a.node = nil
	if err != nil && !killed {
		return fmt.Errorf("agent %d: %w", a.number, err)
	}
	return nil
}
