package real

import (
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"communicator/simulations/memnet"
	"communicator/simulations/script"
	"communicator/simulations/trace"
)

// machine is where a host runs. Agents are numbered from 0, a user's machine is
// trace.UserMachine of the user.
type machine struct {
	number int32
	region uint8
}

// fabric is the script's network: it knows which host runs where, and cuts, slows and
// loses what passes between machines.
type fabric struct {
	*memnet.Network
	s    *script.Script
	tape *tape

	machines sync.Map // peer.ID → machine
	loss     atomic.Uint64
	slow     atomic.Uint64
	dials    atomic.Int64    // bytes of handshakes
	sides    []atomic.Uint64 // of each agent and then of each user: who has the same hears each other

	mu   sync.Mutex // guards what follows
	rand *rand.Rand
	cuts []*cut
}

// cut is one that is in force.
type cut struct {
	bit    uint64
	change script.Change
}

// frozen marks the side of a machine that nobody else is on.
const frozen = 1 << 63

func newFabric(s *script.Script, t *tape) *fabric {
	n := &fabric{s: s, tape: t, rand: s.Rand("network", 0),
		sides: make([]atomic.Uint64, len(s.Agents)+len(s.Users))}
	n.setLoss(s.Network.Loss())
	n.setSlow(1)
	o := memnet.Options{Delay: n.delay, Observe: n.observe}
	if s.Network.Loss() > 0 || slices.ContainsFunc(s.Changes, func(c script.Change) bool { return c.Act == script.Loss }) {
		o.Lose = n.lose
	}
	n.Network = memnet.New(o)
	return n
}

func (n *fabric) setLoss(share float64)  { n.loss.Store(math.Float64bits(share)) }
func (n *fabric) setSlow(factor float64) { n.slow.Store(math.Float64bits(factor)) }

func (n *fabric) find(id peer.ID) (machine, bool) {
	m, ok := n.machines.Load(id)
	if !ok {
		return machine{}, false
	}
	return m.(machine), true
}

// delay is how long a frame travels.
func (n *fabric) delay(from, to peer.ID, _ int) time.Duration {
	a, _ := n.find(from)
	b, ok := n.find(to)
	if !ok { // nobody listens there: as far as a neighbour
		b = a
	}
	d := time.Duration(float64(n.s.Network.OneWay(a.region, b.region)) * math.Float64frombits(n.slow.Load()))
	n.mu.Lock()
	defer n.mu.Unlock()
	return d + n.s.Network.Jitter(n.rand, d)
}

func (n *fabric) lose(_, _ peer.ID) bool {
	p := math.Float64frombits(n.loss.Load())
	if p == 0 {
		return false
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.rand.Float64() < p
}

func (n *fabric) observe(e memnet.Event) {
	if e.Kind == memnet.Dialled {
		n.dials.Add(int64(e.Size))
	}
	if !n.tape.frames {
		return
	}
	a, ok := n.find(e.From)
	b, there := n.find(e.To)
	if !ok || !there {
		return
	}
	n.tape.tell(func(now time.Duration, to trace.Recorder) {
		to.Frame(trace.Frame{At: now, From: a.number, To: b.number, Size: int32(e.Size)})
	})
}

// side is the index of a machine in sides.
func (n *fabric) side(number int32) int {
	if number >= 0 {
		return int(number)
	}
	return len(n.s.Agents) + int(-1-number)
}

// group is the partition in force.
func (n *fabric) group(id peer.ID) int {
	m, ok := n.find(id)
	if !ok {
		return 0
	}
	return int(n.sides[n.side(m.number)].Load())
}

// change cuts machines off, joins them again, freezes or thaws them.
func (n *fabric) change(c script.Change) {
	n.mu.Lock()
	switch c.Act {
	case script.CutOff:
		used := uint64(0)
		for _, other := range n.cuts {
			used |= other.bit
		}
		free := ^used & (frozen - 1)
		one := &cut{bit: free & -free, change: c}
		n.cuts = append(n.cuts, one)
		n.each(c, func(_ int32, side *atomic.Uint64) { side.Or(one.bit) })
	case script.Heal:
		i := slices.IndexFunc(n.cuts, func(o *cut) bool {
			return slices.Equal(o.change.Agents, c.Agents) && slices.Equal(o.change.Users, c.Users)
		})
		if i >= 0 {
			bit := n.cuts[i].bit
			n.cuts = slices.Delete(n.cuts, i, i+1)
			n.each(c, func(_ int32, side *atomic.Uint64) { side.And(^bit) })
		}
	case script.Freeze:
		n.each(c, func(number int32, side *atomic.Uint64) { side.Store(frozen | uint64(number)) })
	case script.Thaw:
		n.each(c, func(_ int32, side *atomic.Uint64) { side.Store(0) })
	}
	whole := true
	for i := range n.sides {
		whole = whole && n.sides[i].Load() == 0
	}
	n.mu.Unlock()
	if whole {
		n.Heal()
	} else {
		n.PartitionBy(n.group)
	}
}

func (n *fabric) each(c script.Change, do func(number int32, side *atomic.Uint64)) {
	for _, a := range c.Agents {
		do(a, &n.sides[n.side(a)])
	}
	for _, u := range c.Users {
		do(trace.UserMachine(u), &n.sides[n.side(trace.UserMachine(u))])
	}
}

func agentAddr(i int32) string {
	return fmt.Sprintf("/ip4/%d.%d.1.1/tcp/%d", firstAgentNet+i/agentsPerNet, 1+i%agentsPerNet, agentPort)
}

func userAddr(i int32) netip.Addr {
	return netip.AddrFrom4([4]byte{byte(firstUserNet + i/usersPerNet/usersPerNet),
		byte(1 + i/usersPerNet%usersPerNet), byte(1 + i%usersPerNet), 1})
}

// userHost makes one of the hosts of a user's client.
func (n *fabric) userHost(user int32) func(crypto.PrivKey) (host.Host, error) {
	m := machine{number: trace.UserMachine(user), region: n.s.Users[user].Region}
	return func(key crypto.PrivKey) (host.Host, error) {
		h, err := n.Dialer(key, userAddr(user))
		if err != nil {
			return nil, err
		}
		n.machines.Store(h.ID(), m)
		return &leaving{Host: h, left: func() { n.machines.Delete(h.ID()) }}, nil
	}
}

// readerHost makes the host of a client of the overlay, on the machine of a user.
func (n *fabric) readerHost(user int32, key crypto.PrivKey) (host.Host, error) {
	h, err := n.Host(key, ma.StringCast(fmt.Sprintf("/ip4/%v/tcp/0", userAddr(int32(len(n.s.Users))+user))))
	if err != nil {
		return nil, err
	}
	n.machines.Store(h.ID(), machine{number: trace.UserMachine(user), region: n.s.Users[user].Region})
	return h, nil
}

// leaving is a host that says when it has been closed.
type leaving struct {
	host.Host
	left func()
}

// Close closes the host.
func (l *leaving) Close() error {
	defer l.left()
	return l.Host.Close()
}
