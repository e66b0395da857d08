package relay

import (
	"context"
	"errors"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"communicator/wire"
	"communicator/wire/agenturi"
	"communicator/wire/descriptor"
	"communicator/wire/pb"
)

// descriptors fetches receiving agents' descriptors for clients, who must not be
// seen by those agents. Clients that ask for the same thing at about the same time
// share one fetch.
type descriptors struct {
	s       *Service
	fetches chan struct{} // one for each fetch under way

	mu     sync.Mutex
	cached map[descriptorKey]*fetched // guarded by mu
	order  []descriptorKey            // guarded by mu: oldest first
}

type descriptorKey struct{ uri, known string }

// fetched is one fetch, under way or done.
type fetched struct {
	done  chan struct{} // closed once what follows is set
	at    time.Time
	reply *pb.DescriptorReply
	err   error
}

func newDescriptors(s *Service) *descriptors {
	return &descriptors{
		s: s, fetches: make(chan struct{}, s.limits.DescriptorFetches),
		cached: make(map[descriptorKey]*fetched),
	}
}

func (d *descriptors) fetch(ctx context.Context, in *pb.FetchDescriptor) (*pb.DescriptorReply, error) {
	if n := len(in.KnownChain); n != 0 && n != len(descriptor.ChainHash{}) {
		return nil, refuse(wire.StatusMalformed, 0)
	}
	if len(in.Uri) > wire.MaxURI {
		return nil, refuse(wire.StatusTooLarge, 0)
	}
	uri, err := d.s.destination(in.Uri)
	if err != nil {
		return nil, err
	}
	f, err := d.join(uri, in.KnownChain)
	if err != nil {
		return nil, err
	}
	select {
	case <-f.done:
		return f.reply, f.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// join returns a fetch that is recent or under way, or starts one.
func (d *descriptors) join(uri agenturi.URI, known []byte) (*fetched, error) {
	key := descriptorKey{uri.String(), string(known)}
	d.mu.Lock()
	defer d.mu.Unlock()
	if f := d.cached[key]; f != nil && !f.stale(d.s.now(), d.s.limits.DescriptorAge) {
		return f, nil
	}
	select {
	case d.fetches <- struct{}{}:
	default:
		return nil, refuse(wire.StatusTryAgain, retryPeer)
	}
	if !d.s.begin() {
		<-d.fetches
		return nil, ErrClosed
	}
	f := &fetched{done: make(chan struct{})}
	d.keep(key, f)
	go func() {
		defer d.s.working.Done()
		defer func() { <-d.fetches }()
		f.reply, f.err = d.get(uri, known)
		f.at = d.s.now()
		close(f.done)
	}()
	return f, nil
}

// stale is false while the fetch is under way. What failed is stale at once.
func (f *fetched) stale(now time.Time, age time.Duration) bool {
	select {
	case <-f.done:
		return f.err != nil || now.Sub(f.at) > age || now.Before(f.at)
	default:
		return false
	}
}

// keep caches a fetch in place of the oldest. The caller holds mu.
func (d *descriptors) keep(key descriptorKey, f *fetched) {
	if _, known := d.cached[key]; !known {
		d.order = append(d.order, key)
	}
	d.cached[key] = f
	if len(d.order) > d.s.limits.DescriptorCache {
		delete(d.cached, d.order[0])
		d.order = d.order[1:]
	}
}

// get asks the agent, and passes on only what its root has signed. Whatever goes
// wrong, the client hears that the agent could not be asked.
func (d *descriptors) get(uri agenturi.URI, known []byte) (*pb.DescriptorReply, error) {
	ctx, cancel := context.WithTimeout(d.s.ctx, d.s.limits.OpenTimeout+d.s.limits.RequestTimeout)
	defer cancel()
	unreachable := refuse(wire.StatusUnreachable, retryPeer)
	client, err := d.s.dial(ctx, uri, wire.ProtocolDescriptor)
	if err != nil {
		return nil, unreachable
	}
	defer client.Close()
	var reply pb.DescriptorReply
	if err := client.Call(ctx, &pb.DescriptorRequest{KnownChain: known}, &reply); err != nil {
		return nil, unreachable
	}
	if status := wire.Status(reply.Status); status != wire.StatusOK {
		if !status.Retryable() && status != wire.StatusNotFound {
			status = wire.StatusUnreachable
		}
		return nil, refuse(status, retryPeer)
	}
	if err := checkDescriptor(&reply, uri.Agent); err != nil {
		return nil, unreachable
	}
	return &reply, nil
}

var errDescriptor = errors.New("relay: malformed descriptor reply")

// checkDescriptor bounds a reply, which is passed on inside a frame of our own, and
// checks its signature. Whether the links lead from the known chain is the
// client's to check: it does not trust this agent.
func checkDescriptor(reply *pb.DescriptorReply, agent wire.AgentID) error {
	if len(reply.Links) > maxLinks || proto.Size(reply) > wire.MaxFrame-frameRoom {
		return errDescriptor
	}
	for _, link := range reply.Links {
		if len(link) != len(descriptor.ChainHash{}) {
			return errDescriptor
		}
	}
	_, err := descriptor.Parse(reply.Descriptor_, agent)
	return err
}
