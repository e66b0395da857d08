package mailbox

import (
	"context"
	"errors"
	"io"
	"sync/atomic"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"communicator/wire"
	"communicator/wire/mux"
)

// serviceName is what libp2p's resource manager counts the streams under.
const serviceName = "communicator.mailbox"

// serveFunc serves one connection's stream until it ends.
type serveFunc func(ctx context.Context, rwc io.ReadWriteCloser, remote peer.ID) error

// HandleDeliver serves a libp2p stream of [wire.ProtocolDeliver].
func (s *Service) HandleDeliver(st network.Stream) {
	s.handle(st, s.deliverLimits(), s.ServeDeliver)
}

// HandleMailbox serves a libp2p stream of [wire.ProtocolMailbox].
func (s *Service) HandleMailbox(st network.Stream) {
	s.handle(st, s.ownerLimits(), s.ServeMailbox)
}

// HandleBlob serves a libp2p stream of [wire.ProtocolBlob].
func (s *Service) HandleBlob(st network.Stream) {
	s.handle(st, s.blobLimits(), s.ServeBlob)
}

// handle reserves what the stream may cost before a byte of it is read. Deadlines
// and the bound of a read are the multiplexer's.
func (s *Service) handle(st network.Stream, l mux.Limits, serve serveFunc) {
	scope := st.Scope()
	if err := scope.SetService(serviceName); err != nil {
		st.Reset()
		return
	}
	memory := l.Memory()
	if err := scope.ReserveMemory(memory, network.ReservationPriorityAlways); err != nil {
		st.Reset()
		return
	}
	defer scope.ReleaseMemory(memory)
	// The multiplexer closes the stream, or resets it on a fault.
	if err := serve(s.ctx, st, st.Conn().RemotePeer()); err != nil {
		s.logEnd(err)
		st.Reset()
	}
}

// logEnd says why a stream was reset, in words of ours alone: a transport's error can
// hold addresses.
func (s *Service) logEnd(err error) {
	var panicked *mux.PanicError
	switch {
	case errors.As(err, &panicked):
		s.cfg.Logger.Error("a stream handler panicked", "value", panicked.Value, "stack", string(panicked.Stack))
	case errors.Is(err, errAbuse), errors.Is(err, mux.ErrProtocol), errors.Is(err, mux.ErrTooLarge):
		s.cfg.Logger.Debug("stream reset", "reason", "the peer broke the protocol")
	default:
		s.cfg.Logger.Debug("stream reset", "reason", "lost or too slow")
	}
}

// ServeDeliver serves a sending agent over any connection, whose other end has been
// authenticated as remote. It returns when the stream ends; nil if the peer ended it.
func (s *Service) ServeDeliver(ctx context.Context, rwc io.ReadWriteCloser, remote peer.ID) error {
	var unheeded atomic.Int32
	return s.serve(ctx, rwc, wire.ProtocolDeliver, s.deliverLimits(),
		mux.HandlerFunc(func(ctx context.Context, body []byte, w mux.ReplyWriter) error {
			err := w.Reply(s.deliver(ctx, remote, body))
			if err == nil && s.hostile(remote) && unheeded.Add(1) >= maxUnheeded {
				return errAbuse
			}
			return err
		}))
}

// ServeMailbox serves an owner over any connection, as [Service.ServeDeliver] does a
// sending agent.
func (s *Service) ServeMailbox(ctx context.Context, rwc io.ReadWriteCloser, remote peer.ID) error {
	session, err := s.newSession(remote)
	if err != nil {
		rwc.Close()
		return err
	}
	return s.serve(ctx, rwc, wire.ProtocolMailbox, s.ownerLimits(), (*ownerStream)(session))
}

// ServeBlob serves whoever puts or fetches blobs, over any connection.
func (s *Service) ServeBlob(ctx context.Context, rwc io.ReadWriteCloser, remote peer.ID) error {
	session, err := s.newSession(remote)
	if err != nil {
		rwc.Close()
		return err
	}
	return s.serve(ctx, rwc, wire.ProtocolBlob, s.blobLimits(), (*blobStream)(session))
}

func (s *Service) serve(ctx context.Context, rwc io.ReadWriteCloser, protocol string, l mux.Limits, h mux.Handler) error {
	if !s.enter() {
		rwc.Close()
		return ErrClosed
	}
	defer s.streams.Done()
	open := s.cfg.Metrics.streams.WithLabelValues(protocol)
	open.Inc()
	defer open.Dec()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(s.ctx, func() { cancel(ErrClosed) })()
	return mux.Serve(ctx, rwc, h, l)
}

func (s *Service) deliverLimits() mux.Limits {
	return mux.Limits{MaxInFlight: s.cfg.Limits.DeliverInFlight, MaxServing: servingDeliver}
}

func (s *Service) ownerLimits() mux.Limits {
	return mux.Limits{MaxInFlight: s.cfg.Limits.OwnerInFlight, MaxServing: servingOwner, MaxUnsent: unsentOwner}
}

func (s *Service) blobLimits() mux.Limits {
	return mux.Limits{MaxInFlight: s.cfg.Limits.BlobInFlight, MaxServing: servingOwner, MaxUnsent: unsentOwner}
}
