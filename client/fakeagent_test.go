package client

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"time"

	"communicator/mailbox/address"
	"communicator/simulations/memnet"
	"communicator/wire"
	"communicator/wire/agenturi"
	"communicator/wire/descriptor"
	"communicator/wire/mux"
	"communicator/wire/pb"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multiaddr"
)

// fakeNet is a network in memory of fake agents, with a clock of its own.
type fakeNet struct {
	t      *testing.T
	net    *memnet.Network
	mu     sync.Mutex // guards what follows
	at     time.Time
	since  time.Time // when the clock began to run; zero: it stands
	agents map[wire.AgentID]*fakeAgent
	next   byte
}

// newFakeNet makes one, and lets the test run beside others.
func newFakeNet(t *testing.T) *fakeNet {
	t.Parallel()
	n := &fakeNet{t: t, net: memnet.New(memnet.Options{}), agents: map[wire.AgentID]*fakeAgent{},
		at: time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)}
	t.Cleanup(func() { n.net.Close() })
	return n
}

func (n *fakeNet) now() time.Time {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.since.IsZero() {
		return n.at.Add(time.Since(n.since))
	}
	return n.at
}

// live lets the clock run.
func (n *fakeNet) live() { n.since = time.Now() }

func (n *fakeNet) pass(d time.Duration) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.at = n.at.Add(d)
}

func (n *fakeNet) ip() netip.Addr {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.next++
	return netip.AddrFrom4([4]byte{192, 0, 2, n.next})
}

// clientHost is a client's host constructor.
func (n *fakeNet) clientHost(id crypto.PrivKey) (host.Host, error) {
	addr, err := multiaddr.NewMultiaddr("/ip4/198.51.100.1/tcp/0")
	if err != nil {
		return nil, err
	}
	return n.net.Host(id, addr)
}

// fakeAgent is a sending and receiving agent in memory, with the real formats and
// without durability. Its fields below mu let a test break it.
type fakeAgent struct {
	net    *fakeNet
	key    ed25519.PrivateKey
	id     wire.AgentID
	uri    agenturi.URI
	host   host.Host
	secret address.Secret
	seal   *address.SealPrivate

	mu       sync.Mutex
	changed  chan struct{}
	boxes    map[wire.MailboxID]*fakeBox
	outcomes map[wire.Handle]*fakeOutcome
	blobs    map[[32]byte]*pb.PutBlob
	accounts map[string]int // credential → hellos that showed it
	peers    map[peer.ID]map[wire.MailboxID]bool
	seq      uint64

	down     bool // resets every stream
	deaf     bool // as a receiving agent it answers no other agent
	full     bool // every put finds its mailbox full
	draining bool
	mute     int // so many submissions are taken without an answer
	puts     int // taken, each one once

	declines  wire.Status // answers every submission with this, unless it is 0
	refuses   wire.Status // takes submissions, which every receiving agent refuses with this
	submitted int         // submissions that were offered
}

type fakeBox struct {
	mode       pb.Revoke_Mode
	deliveries []*pb.Delivery
}

type fakeOutcome struct {
	submission *pb.Submission
	outcome    []byte
	refused    wire.Status // by the receiving agent, for good
}

func (n *fakeNet) agent() *fakeAgent {
	n.t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	check(n.t, err)
	a := &fakeAgent{net: n, key: key, id: wire.AgentIDOf(key.Public().(ed25519.PublicKey)),
		changed: make(chan struct{}), boxes: map[wire.MailboxID]*fakeBox{}, outcomes: map[wire.Handle]*fakeOutcome{},
		blobs: map[[32]byte]*pb.PutBlob{}, accounts: map[string]int{}, peers: map[peer.ID]map[wire.MailboxID]bool{}}
	secret := make([]byte, 32)
	rand.Read(secret)
	a.secret, err = address.ParseSecret(secret)
	check(n.t, err)
	a.seal, err = address.GenerateSealKey()
	check(n.t, err)
	lkey, err := crypto.UnmarshalEd25519PrivateKey(key)
	check(n.t, err)
	addr, err := multiaddr.NewMultiaddr(fmt.Sprintf("/ip4/%v/tcp/4001", n.ip()))
	check(n.t, err)
	a.host, err = n.net.Host(lkey, addr)
	check(n.t, err)
	a.uri, err = agenturi.Of(addr, a.host.ID())
	check(n.t, err)
	a.handle(wire.ProtocolSubmit, a.submit)
	a.handle(wire.ProtocolMailbox, a.mailbox)
	a.handle(wire.ProtocolBlob, a.blob)
	a.handle(wire.ProtocolDescriptor, func(_ context.Context, _ peer.ID, _ []byte, w mux.ReplyWriter) error {
		return w.Reply(a.describe())
	})
	n.mu.Lock()
	n.agents[a.id] = a
	n.mu.Unlock()
	return a
}

// set changes the agent's behaviour.
func (a *fakeAgent) set(change func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	change()
	a.wake()
}

func (a *fakeAgent) wake() {
	close(a.changed)
	a.changed = make(chan struct{})
}

// kill makes the agent unreachable, and ends what is under way.
func (a *fakeAgent) kill() {
	a.set(func() { a.down = true })
	for _, c := range a.host.Network().Conns() {
		c.Close()
	}
}

type fakeHandler func(ctx context.Context, from peer.ID, body []byte, w mux.ReplyWriter) error

func (a *fakeAgent) handle(protocol string, h fakeHandler) {
	a.host.SetStreamHandler(protocolID(protocol), func(s network.Stream) {
		a.mu.Lock()
		down := a.down
		a.mu.Unlock()
		if down {
			s.Reset()
			return
		}
		mux.Serve(context.Background(), s, mux.HandlerFunc(func(ctx context.Context, body []byte, w mux.ReplyWriter) error {
			return h(ctx, s.Conn().RemotePeer(), body, w)
		}), mux.Limits{})
	})
}

func (a *fakeAgent) describe() *pb.DescriptorReply {
	epoch := wire.EpochAt(a.net.now())
	a.mu.Lock()
	defer a.mu.Unlock()
	d, err := descriptor.Sign(descriptor.Descriptor{
		Root: a.key.Public().(ed25519.PublicKey), Roles: descriptor.Sending | descriptor.Receiving,
		Epochs: []descriptor.Epoch{{Number: epoch, Key: a.seal.Public().Marshal(), NotBefore: time.Unix(0, 0)}},
		Policy: descriptor.PolicyToken, Sequence: 1, Draining: a.draining, Issued: time.Unix(0, 0),
	}, a.key)
	if err != nil {
		panic(err)
	}
	return &pb.DescriptorReply{Status: uint32(wire.StatusOK), Descriptor_: d}
}

const ok = uint32(wire.StatusOK)

// fakeNonce is every stream's nonce: replays are not what these tests are about.
var fakeNonce = [32]byte{1}

func (a *fakeAgent) hello(h *pb.Hello) *pb.HelloReply {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(h.GetCredential()) > 0 {
		a.accounts[string(h.GetCredential())]++
	}
	return &pb.HelloReply{Nonce: fakeNonce[:], Draining: a.draining}
}

func delivery(position uint64, payload []byte) *pb.Delivery {
	return &pb.Delivery{Position: position, Payload: payload}
}

// stored is how many deliveries lie in the agent's mailboxes.
func (a *fakeAgent) stored() (n int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, b := range a.boxes {
		n += len(b.deliveries)
	}
	return n
}
