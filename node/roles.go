package node

import (
	"math"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/protocol"

	"communicator/eventlog"
	"communicator/mailbox"
	"communicator/relay"
	"communicator/relay/receipt"
	"communicator/wire"
)

// openRoles makes the services and registers their handlers, on a host that does
// not listen yet.
func (n *Node) openRoles() error {
	n.storage = newCapacity(uint64(n.settings.Storage.Max), n.log, n.config.Mono)
	handlers := map[string]network.StreamHandler{wire.ProtocolDescriptor: n.serveDescriptor}
	if n.overlay != nil {
		handlers[wire.ProtocolPublish] = n.servePublish
	}
	if n.sends() {
		n.relay = relay.New(n.relayConfig())
		handlers[wire.ProtocolSubmit] = n.relay.HandleSubmit
	}
	if n.receives() {
		c, err := n.mailboxConfig()
		if err != nil {
			return err
		}
		n.mailbox = mailbox.New(c)
		n.mailbox.SetDraining(n.draining.Load())
		handlers[wire.ProtocolDeliver] = n.mailbox.HandleDeliver
		handlers[wire.ProtocolMailbox] = n.mailbox.HandleMailbox
		handlers[wire.ProtocolBlob] = n.mailbox.HandleBlob
	}
	if n.knowsNames() {
		if err := n.openDirectory(); err != nil {
			return err
		}
		handlers[wire.ProtocolDirectory] = n.directory.HandleDirectory
	}
	for name, h := range handlers {
		n.host.SetStreamHandler(protocol.ID(name), n.guarded(h))
	}
	return nil
}

// guarded ends the stream, and not the process, when a handler panics, and watches how
// the peer uses it. A stream lives for days: it goes on with a new goroutine, since the
// stack of the one that settled its protocol stays as large as that took.
func (n *Node) guarded(h network.StreamHandler) network.StreamHandler {
	h = n.recovering(h)
	return func(s network.Stream) { n.handlers.Go(func() { n.conduct.watch(s, h) }) }
}

func (n *Node) recovering(h network.StreamHandler) network.StreamHandler {
	return func(s network.Stream) {
		defer func() {
			if v := recover(); v != nil {
				n.metrics.panics.Inc()
				n.logger.Error("a stream handler panicked", "protocol", s.Protocol())
				_ = s.Reset()
			}
		}()
		h(s)
	}
}

func (n *Node) relayConfig() relay.Config {
	return relay.Config{
		Agent: n.id, Root: n.root, Log: budgetedLog{n.log, n.storage}, Access: n.access, Open: n.open,
		AllowPrivate: n.settings.AllowPrivate, Own: n.ownAddrs,
		// Bytes are bounded for all roles together, by the log it is given.
		Limits: relay.Limits{
			QueuedPerAccount:      n.settings.Limits.SubmissionsPerAccount,
			QueuedBytesPerAccount: int64(n.settings.Limits.SubmissionBytesPerAccount),
			StorageMax:            math.MaxInt64,
		},
		Now: n.Now, Rand: n.config.Rand, Logger: n.logger,
		ClockOK: n.clock.Trusted, Observe: n.metrics.relayed,
	}
}

func (n *Node) mailboxConfig() (mailbox.Config, error) {
	l := mailbox.DefaultLimits()
	l.Quotas.Deliveries = uint32(n.settings.Limits.DeliveriesPerMailbox)
	l.Quotas.Bytes = uint64(n.settings.Limits.BytesPerMailbox)
	l.Quotas.LifelineDeliveries = min(l.Quotas.LifelineDeliveries, l.Quotas.Deliveries)
	l.MailboxesPerAccount = uint32(n.settings.Limits.MailboxesPerAccount)
	l.Retention = time.Duration(n.settings.Storage.Retention)
	l.Watches.All = max(l.Watches.All, watchesPerConn*n.settings.Limits.ConnectionsIn)
	metrics, err := mailbox.NewMetrics(n.metrics.registry)
	return mailbox.Config{
		Agent: n.id, Log: n.log, Keyring: n.keyring, Access: n.access, Limits: l, Storage: n.storage, AddrsOf: n.addrsOf,
		Receipt: n.storedReceipt, DescriptorChain: n.chainHash, ClockTrusted: n.clock.Trusted,
		Now: n.Now, Rand: n.config.Rand, Logger: n.logger, Metrics: metrics,
	}, err
}

// storedReceipt encodes the receipt that travels inside an outcome; nil if it does
// not fit.
func (n *Node) storedReceipt(p *eventlog.Proof) []byte {
	if p == nil {
		return nil
	}
	b, err := receipt.Receipt{Kind: receipt.Stored, Root: n.root, Proof: p}.Marshal()
	if err != nil {
		n.logger.Warn("no receipt for a delivery", "err", err)
		return nil
	}
	return b
}
