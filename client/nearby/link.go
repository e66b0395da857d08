package nearby

import (
	"context"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
)

// link is the stream to one peer that is near, greeted. Its reader goroutine is the only
// one that reads the stream.
type link struct {
	id     string // as the list shows it
	peer   side   // what we know of them: peer id and name
	stream network.Stream

	in   chan frame    // what the reader has read, at most [queued]
	gone chan struct{} // closed when the reader has ended; fault says why
	stop chan struct{} // closed to end the reader
	once sync.Once     // guards closing stop

	fault error // set before gone is closed
	// deadline bounds what the service's exchange may wait for here.
	deadline context.Context
}

func newLink(id string, peer side, s network.Stream) *link {
	return &link{id: id, peer: peer, stream: s, in: make(chan frame, queued),
		gone: make(chan struct{}), stop: make(chan struct{})}
}

// read reads frames until the stream ends or the link is closed; each is passed on, and
// seen is told of its kind first.
func (l *link) read(seen func(kind)) {
	defer close(l.gone)
	for {
		f, err := readFrame(l.stream)
		if err != nil {
			l.fault = err
			return
		}
		seen(f.kind)
		select {
		case l.in <- f:
		case <-l.stop:
			l.fault = ErrGone
			return
		}
	}
}

// send and receive are the channel of an exchange, within l.deadline.
func (l *link) send(f frame) error {
	if d, ok := l.deadline.Deadline(); ok {
		if err := l.stream.SetWriteDeadline(d); err != nil {
			return lost(err)
		}
	}
	if err := writeFrame(l.stream, f); err != nil {
		return lost(err)
	}
	return nil
}

func (l *link) receive() (frame, error) {
	select {
	case f := <-l.in:
		return f, nil
	default:
	}
	select {
	case f := <-l.in:
		return f, nil
	case <-l.gone:
		select { // what was read before the end
		case f := <-l.in:
			return f, nil
		default:
			return frame{}, l.fault
		}
	case <-l.deadline.Done():
		return frame{}, context.Cause(l.deadline)
	}
}

// within gives what follows a deadline.
func (l *link) within(ctx context.Context, d time.Duration) context.CancelFunc {
	var cancel context.CancelFunc
	l.deadline, cancel = context.WithTimeout(ctx, d)
	return cancel
}

// close ends the stream at once, and lets the reader end.
func (l *link) close() {
	l.once.Do(func() { close(l.stop) })
	_ = l.stream.Reset()
}

// part ends an exchange: each side closes once it has heard the other's last word, and
// waits a little for the other to do the same, lest its own be lost on the way.
func (l *link) part() {
	_ = l.stream.CloseWrite()
	t := time.NewTimer(partTime)
	defer t.Stop()
	select {
	case <-l.gone:
	case <-t.C:
	}
	l.close()
}

// streamChannel is a stream before it has a reader.
type streamChannel struct{ network.Stream }

func (s streamChannel) send(f frame) error {
	if err := writeFrame(s.Stream, f); err != nil {
		return lost(err)
	}
	return nil
}

func (s streamChannel) receive() (frame, error) { return readFrame(s.Stream) }
