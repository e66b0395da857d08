package node

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"google.golang.org/protobuf/proto"

	"communicator/node/config"
	"communicator/wire"
	"communicator/wire/descriptor"
	"communicator/wire/mux"
	"communicator/wire/pb"
)

// describe composes what the descriptor should say now, without its place in the
// chain.
func (n *Node) describe(now time.Time) (descriptor.Descriptor, error) {
	l := n.settings.Limits
	d := descriptor.Descriptor{
		Root: n.root, Policy: policies[n.settings.Access.Policy], Draining: n.draining.Load(),
		Limits: descriptor.Limits{
			MaxPayload:    wire.MaxPayload,
			MailboxQuota:  uint32(l.MailboxesPerAccount),
			DeliveryQuota: uint32(l.DeliveriesPerMailbox),
			ByteQuota:     uint64(l.BytesPerMailbox),
			Retention:     time.Duration(n.settings.Storage.Retention).Truncate(time.Second),
		},
	}
	if d.Policy == descriptor.PolicyOpen {
		d.PoWBits = uint8(n.settings.Access.WorkBits)
	}
	if slices.Contains(n.settings.Roles, config.RoleSending) {
		d.Roles |= descriptor.Sending
	}
	if n.knowsNames() {
		d.Roles |= descriptor.Directory
	}
	if n.receives() {
		d.Roles |= descriptor.Receiving
		for _, k := range n.keyring.SealingKeys(now) {
			d.Epochs = append(d.Epochs, descriptor.Epoch{Number: k.Epoch, Key: k.Public, NotBefore: k.NotBefore})
		}
	}
	for _, a := range n.addresses() {
		text := a.String()
		if len(d.Addrs) < descriptor.MaxAddrs && len(text) <= wire.MaxURI && !slices.Contains(d.Addrs, text) {
			d.Addrs = append(d.Addrs, text)
		}
	}
	return d, nil
}

var policies = map[config.Policy]descriptor.Policy{
	config.PolicyOpen: descriptor.PolicyOpen, config.PolicyToken: descriptor.PolicyToken, config.PolicyPeers: descriptor.PolicyPeers,
}

// renew signs and publishes a new descriptor if what it says has changed.
func (n *Node) renew() error {
	n.renewing.Lock() // one renewal at a time; nothing else waits for it
	defer n.renewing.Unlock()
	now := n.Now().Truncate(time.Second)
	d, err := n.describe(now)
	if err != nil {
		return err
	}
	last, _, ok := n.chain.current()
	d.Sequence, d.Issued = 1, now
	if ok {
		d.Sequence, d.Prev, d.Issued = last.Sequence, last.Prev, last.Issued
		if d.Link() == last.Link() {
			return n.announceDescriptor()
		}
		d.Sequence, d.Prev, d.Issued = last.Sequence+1, last.Chain(), now
	}
	signed, err := descriptor.Sign(d, n.key)
	if err != nil {
		return fmt.Errorf("sign the descriptor: %w", err)
	}
	if err := n.chain.append(d, signed); err != nil {
		return fmt.Errorf("store the descriptor: %w", err)
	}
	if err := n.announceDescriptor(); err != nil {
		return err
	}
	n.logger.Info("descriptor signed", "sequence", d.Sequence, "addresses", len(d.Addrs))
	return nil
}

// announceDescriptor has the newest descriptor published, if the node takes part in
// the DHT.
func (n *Node) announceDescriptor() error {
	_, signed, ok := n.chain.current()
	if !ok || n.overlay == nil {
		return nil
	}
	return n.overlay.publish(n.id, signed)
}

// chainHash names the newest descriptor: what lifeline addresses pin.
func (n *Node) chainHash() [32]byte {
	d, _, ok := n.chain.current()
	if !ok {
		return [32]byte{}
	}
	return d.Chain()
}

// serveDescriptor answers /communicator/descriptor/1: docs/descriptor.md.
func (n *Node) serveDescriptor(s network.Stream) {
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
	ctx, cancel := context.WithTimeout(n.ctx, descriptorTimeout)
	defer cancel()
	err := mux.Serve(ctx, s, mux.HandlerFunc(n.answerDescriptor), limits)
	n.metrics.stream("descriptor", err)
}

func (n *Node) answerDescriptor(_ context.Context, body []byte, w mux.ReplyWriter) error {
	var request pb.DescriptorRequest
	if err := proto.Unmarshal(body, &request); err != nil {
		return w.Reply(&pb.DescriptorReply{Status: uint32(wire.StatusMalformed)})
	}
	return w.Reply(n.descriptorReply(request.GetKnownChain()))
}

func (n *Node) descriptorReply(known []byte) *pb.DescriptorReply {
	status := func(s wire.Status) *pb.DescriptorReply { return &pb.DescriptorReply{Status: uint32(s)} }
	if len(known) != 0 && len(known) != len(descriptor.ChainHash{}) {
		return status(wire.StatusMalformed)
	}
	_, signed, ok := n.chain.current()
	if !ok {
		return status(wire.StatusTryAgain)
	}
	reply := &pb.DescriptorReply{Status: uint32(wire.StatusOK), Descriptor_: signed}
	if len(known) == 0 {
		return reply
	}
	links, ok := n.chain.linksFrom(descriptor.ChainHash(known))
	if !ok {
		return status(wire.StatusNotFound)
	}
	reply.Links = links
	return reply
}
