package drill

import (
	"crypto/rand"
	"testing"
	"time"

	"communicator/wire"
	"communicator/wire/agenturi"
	"communicator/wire/mux"
	"communicator/wire/pb"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
)

// putter delivers a client's messages to its receiving agent as a sending agent does.
type putter struct {
	*client
	t      testing.TB
	stream *mux.Client
	next   int
}

// ownNumbers are those of messages that no load has offered.
const ownNumbers = 1 << 30

func newPutter(t testing.TB, c *client) *putter {
	t.Helper()
	id, _, err := crypto.GenerateEd25519Key(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	h, err := eagerHost()(id)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	to, err := agenturi.Parse(c.to.URI)
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Connect(t.Context(), peer.AddrInfo{ID: to.Peer, Addrs: []ma.Multiaddr{to.Addr}}); err != nil {
		t.Fatal(err)
	}
	s, err := h.NewStream(t.Context(), to.Peer, wire.ProtocolDeliver)
	if err != nil {
		t.Fatal(err)
	}
	p := &putter{client: c, t: t, stream: mux.NewClient(s, mux.Limits{}), next: ownNumbers}
	t.Cleanup(func() { _ = p.stream.Close() })
	return p
}

// put delivers one message and returns what the agent answered.
func (p *putter) put() (status wire.Status, retry time.Duration) {
	p.t.Helper()
	n := numberOf(p.index, p.next)
	sub, err := p.seal(n, p.next)
	if err != nil {
		p.t.Fatal(err)
	}
	p.next++
	p.load.ledger.offer(n)
	var resp pb.DeliverResponse
	if err := p.stream.Call(p.t.Context(), &pb.DeliverRequest{KeyId: sub.KeyID[:], Sealed: sub.Sealed,
		Payload: sub.Payload, NotAfter: uint64(sub.NotAfter.Unix())}, &resp); err != nil {
		p.t.Fatalf("deliver: %v", err)
	}
	if wire.Status(resp.GetStatus()) == wire.StatusOK {
		p.load.ledger.accept(n)
	}
	return wire.Status(resp.GetStatus()), time.Duration(resp.GetRetryAfterSeconds()) * time.Second
}
