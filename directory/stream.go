package directory

import (
	"context"
	"errors"
	"io"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"communicator/wire/mux"
)

// serviceName is what libp2p's resource manager counts the streams under.
const serviceName = "communicator.directory"

// HandleDirectory serves a libp2p stream of [wire.ProtocolDirectory]. It reserves what
// the stream may cost before a byte of it is read; deadlines and the bound of a read are
// the multiplexer's.
func (d *Directory) HandleDirectory(st network.Stream) {
	scope := st.Scope()
	if err := scope.SetService(serviceName); err != nil {
		st.Reset()
		return
	}
	memory := d.muxLimits().Memory()
	if err := scope.ReserveMemory(memory, network.ReservationPriorityAlways); err != nil {
		st.Reset()
		return
	}
	defer scope.ReleaseMemory(memory)
	// The multiplexer closes the stream, or resets it on a fault.
	if err := d.ServeDirectory(d.ctx, st, st.Conn().RemotePeer()); err != nil {
		d.logEnd(err)
		st.Reset()
	}
}

// ServeDirectory serves over any connection, whose other end has been authenticated as
// remote. It returns when the stream ends; nil if the peer ended it.
func (d *Directory) ServeDirectory(ctx context.Context, rwc io.ReadWriteCloser, remote peer.ID) error {
	if !d.enter() {
		rwc.Close()
		return ErrClosed
	}
	defer d.streams.Done()
	session, err := d.newSession(remote)
	if err != nil {
		rwc.Close()
		return err
	}
	d.cfg.Metrics.streams.Inc()
	defer d.cfg.Metrics.streams.Dec()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(d.ctx, func() { cancel(ErrClosed) })()
	return mux.Serve(ctx, rwc, session, d.muxLimits())
}

func (d *Directory) muxLimits() mux.Limits {
	return mux.Limits{MaxInFlight: d.cfg.Limits.InFlight, MaxServing: serving, MaxUnsent: unsent}
}

// logEnd says why a stream was reset, in words of ours alone: a transport's error can
// hold addresses.
func (d *Directory) logEnd(err error) {
	var panicked *mux.PanicError
	switch {
	case errors.As(err, &panicked):
		d.cfg.Logger.Error("a stream handler panicked", "value", panicked.Value, "stack", string(panicked.Stack))
	case errors.Is(err, errAbuse), errors.Is(err, mux.ErrProtocol), errors.Is(err, mux.ErrTooLarge):
		d.cfg.Logger.Debug("stream reset", "reason", "the peer broke the protocol")
	default:
		d.cfg.Logger.Debug("stream reset", "reason", "lost or too slow")
	}
}
