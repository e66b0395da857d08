package dht

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"

	"communicator/dht/record"

	kadpb "github.com/libp2p/go-libp2p-kad-dht/pb"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
)

// search watches the library look for the peers nearest to a key. It travels in the
// context, and the sender shows it every request and reply.
//
// When it reads, it has GET_VALUE sent in place of FIND_NODE: the reply names the same
// peers and brings the value. So one pass reads every peer that the search meets, and
// the library's care for unreachable peers and IP groups is kept.
type search struct {
	key  string
	read bool

	mu      sync.Mutex // guards what follows
	depth   map[peer.ID]int
	longest int
	answers map[peer.ID]answer
}

// answer is what one peer said about a key.
type answer struct {
	from  peer.ID
	value []byte // nil: it has none
	err   error
}

type searchKey struct{}

// searchOf returns the context's search; nil works and watches nothing.
func searchOf(ctx context.Context) *search {
	s, _ := ctx.Value(searchKey{}).(*search)
	return s
}

func (s *search) watches(m *kadpb.Message) bool { return s != nil && string(m.GetKey()) == s.key }

func (s *search) request(m *kadpb.Message) *kadpb.Message {
	if s.watches(m) && s.read && m.GetType() == kadpb.Message_FIND_NODE {
		return kadpb.NewMessage(kadpb.Message_GET_VALUE, m.GetKey(), 0)
	}
	return m
}

func (s *search) reply(p peer.ID, m, reply *kadpb.Message, err error) {
	if !s.watches(m) {
		return
	}
	a := answer{from: p, err: err}
	if r := reply.GetRecord(); r != nil {
		if a.value = r.GetValue(); string(r.GetKey()) != s.key || len(a.value) > record.MaxValue {
			a.value = []byte{} // invalid, and small
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if first, asked := s.answers[p]; !asked || first.err != nil {
		s.answers[p] = a // the library asks some peers twice
	}
	if err != nil {
		return
	}
	if s.depth[p] == 0 {
		s.depth[p] = 1 // from the routing table
	}
	s.longest = max(s.longest, s.depth[p])
	closer := reply.GetCloserPeers()
	for _, named := range closer[:min(len(closer), maxNamed)] {
		if id := peer.ID(named.GetId()); s.depth[id] == 0 {
			s.depth[id] = s.depth[p] + 1
		}
	}
}

// path is what a search has found.
type path struct {
	nearest  []peer.ID // nearest first, at most Replication, dead ones left out
	answers  []answer
	hops     int  // peers one after the other, each named by the one before
	complete bool // it ended by itself
}

// walk finds the peers nearest to a key, and reads if told to.
//
// Errors: [ErrNoPeers]; the context's, beside what was found until then.
func (d *DHT) walk(ctx context.Context, key string, read bool) (path, error) {
	limited, cancel := context.WithTimeout(network.WithDialPeerTimeout(ctx, dialPatience), d.cfg.Search)
	defer cancel()
	s := &search{key: key, read: read, depth: map[peer.ID]int{}, answers: map[peer.ID]answer{}}
	nearest, err := d.kad.GetClosestPeers(context.WithValue(limited, searchKey{}, s), key)
	s.mu.Lock()
	defer s.mu.Unlock()
	p := path{nearest: nearest, answers: slices.Collect(maps.Values(s.answers)), hops: s.longest, complete: err == nil}
	switch {
	case ctx.Err() != nil:
		return p, ctx.Err()
	case len(nearest) == 0:
		return p, ErrNoPeers
	case err != nil && !errors.Is(err, context.DeadlineExceeded):
		return p, err
	}
	return p, nil
}
