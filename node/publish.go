package node

import (
	"context"
	"crypto/sha256"
	"errors"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"google.golang.org/protobuf/proto"

	"communicator/dht"
	"communicator/dht/record"
	"communicator/wire"
	"communicator/wire/mux"
	"communicator/wire/pb"
)

// publisher puts records of names into the overlay for people, so that those who store
// them see this node and not the person. A record carries a proof of work and a
// namespace's signature; what bounds this node's own work is below.
type publisher struct {
	busy chan struct{} // capacity maxPublishing

	mu   sync.Mutex // guards seen
	seen map[[32]byte]time.Time
}

func newPublisher() *publisher {
	return &publisher{busy: make(chan struct{}, maxPublishing), seen: map[[32]byte]time.Time{}}
}

// take reserves one publication of a record, or says when to come again.
func (p *publisher) take(record []byte, now time.Time) (wait time.Duration) {
	key := sha256.Sum256(record)
	p.mu.Lock()
	defer p.mu.Unlock()
	if at, ok := p.seen[key]; ok && now.Sub(at).Abs() < publishAgain {
		return publishAgain - now.Sub(at).Abs()
	}
	if len(p.seen) >= maxPublished {
		for k, at := range p.seen {
			if now.Sub(at).Abs() >= publishAgain {
				delete(p.seen, k)
			}
		}
		if len(p.seen) >= maxPublished {
			return publishBusy
		}
	}
	p.seen[key] = now
	return 0
}

func (p *publisher) giveBack(records ...[]byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, r := range records {
		delete(p.seen, sha256.Sum256(r))
	}
}

// servePublish answers /communicator/publish/1: docs/dht.md.
func (n *Node) servePublish(s network.Stream) {
	if !n.enter() {
		_ = s.Reset()
		return
	}
	defer n.streams.Done()
	limits := mux.Limits{MaxFrame: wire.MaxFrame, MaxInFlight: 1, MaxServing: wire.MaxFrame, MaxUnsent: wire.MaxFrame}
	if err := s.Scope().ReserveMemory(limits.Memory(), network.ReservationPriorityLow); err != nil {
		_ = s.ResetWithError(network.StreamResourceLimitExceeded)
		return
	}
	ctx, cancel := context.WithTimeout(n.ctx, publishTimeout)
	defer cancel()
	n.metrics.stream("publish", mux.Serve(ctx, s, mux.HandlerFunc(n.answerPublish), limits))
}

func (n *Node) answerPublish(ctx context.Context, body []byte, w mux.ReplyWriter) error {
	var request pb.PublishRequest
	if err := proto.Unmarshal(body, &request); err != nil || len(request.Records) == 0 || len(request.Records) > maxRecords {
		return w.Reply(&pb.PublishReply{Status: uint32(wire.StatusMalformed)})
	}
	return w.Reply(n.publish(ctx, request.Records))
}

func (n *Node) publish(ctx context.Context, records [][]byte) *pb.PublishReply {
	later := func(wait time.Duration) *pb.PublishReply {
		return &pb.PublishReply{Status: uint32(wire.StatusTryAgain), RetryAfterSeconds: uint32(wait / time.Second)}
	}
	select {
	case n.publisher.busy <- struct{}{}:
		defer func() { <-n.publisher.busy }()
	default:
		return later(publishBusy)
	}
	entries, err := n.entriesOf(records)
	if err != nil {
		return &pb.PublishReply{Status: uint32(wire.StatusMalformed)}
	}
	for i, r := range records {
		if wait := n.publisher.take(r, n.Now()); wait > 0 {
			n.publisher.giveBack(records[:i]...)
			return later(wait)
		}
	}
	report, err := n.overlay.dht.Publish(ctx, entries...)
	if err == nil {
		return &pb.PublishReply{Status: uint32(wire.StatusOK), Stored: uint32(report.Least())}
	}
	n.publisher.giveBack(records...)
	if errors.Is(err, dht.ErrNotStored) || errors.Is(err, dht.ErrNoPeers) || ctx.Err() != nil {
		return &pb.PublishReply{Status: uint32(wire.StatusUnreachable)}
	}
	return &pb.PublishReply{Status: uint32(wire.StatusMalformed)} // validation, before anything was sent
}

// entriesOf returns where records go, once all of them are known to be good: only what
// took its maker some work may take room in the list of what was published.
func (n *Node) entriesOf(records [][]byte) (entries []dht.Entry, err error) {
	bits := n.settings.DHT.WorkBits
	if bits == 0 {
		bits = record.WorkBits // as in dht.Config
	}
	for _, r := range records {
		of, err := dht.Entries(r)
		if err != nil {
			return nil, err
		}
		for _, e := range of {
			if err := record.Validate(e.Key, e.Value, n.Now(), bits); err != nil {
				return nil, err
			}
		}
		entries = append(entries, of...)
	}
	return entries, nil
}
