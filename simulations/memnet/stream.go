package memnet

import (
	"errors"
	"io"
	"os"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
)

var errReadClosed = errors.New("memnet: stream is closed for reading")
var errWriteClosed = errors.New("memnet: stream is closed for writing")

// stream is one end of a stream.
type stream struct {
	conn *conn
	id   uint64

	mu    sync.Mutex // guards what follows; frames are sent without it
	moved *sync.Cond // something below changed

	in      [][]byte // frames received and not read
	unsaid  int      // bytes read that the writer has not been told of
	inEnd   bool     // the other end closed for writing
	noRead  bool
	credit  int // bytes that may be sent
	noWrite bool
	err     error // the stream was reset, or its connection ended

	readUntil, writeUntil deadline
}

func newStream(c *conn, id uint64) *stream {
	s := &stream{conn: c, id: id, credit: StreamWindow}
	s.moved = sync.NewCond(&s.mu)
	return s
}

// deadline wakes those who wait when it passes.
type deadline struct {
	at    time.Time
	timer *time.Timer
}

func (d *deadline) passed() bool { return !d.at.IsZero() && !time.Now().Before(d.at) }

func (d *deadline) set(t time.Time, wake func()) {
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
	d.at = t
	if !t.IsZero() {
		d.timer = time.AfterFunc(time.Until(t), wake)
	}
}

func (s *stream) wake() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.moved.Broadcast()
}

// Read returns what has arrived.
func (s *stream) Read(p []byte) (int, error) {
	n, said, err := s.read(p)
	if said > 0 {
		s.conn.send(0, func(there *conn) { there.credited(s.id, said) })
	}
	return n, err
}

func (s *stream) read(p []byte) (n, said int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		switch {
		case s.err != nil:
			return 0, 0, s.err
		case s.noRead:
			return 0, 0, errReadClosed
		case s.readUntil.passed():
			return 0, 0, os.ErrDeadlineExceeded
		case len(p) == 0:
			return 0, 0, nil
		case len(s.in) > 0:
			for n < len(p) && len(s.in) > 0 {
				m := copy(p[n:], s.in[0])
				n += m
				if s.in[0] = s.in[0][m:]; len(s.in[0]) == 0 {
					s.in[0] = nil
					s.in = s.in[1:]
				}
			}
			return n, s.told(n), nil
		case s.inEnd:
			return 0, 0, io.EOF
		}
		s.moved.Wait()
	}
}

// told counts bytes that the reader is done with and returns how many to tell the
// writer of: like yamux, in steps of half a window. s.mu is held.
func (s *stream) told(n int) int {
	s.unsaid += n
	if s.unsaid < StreamWindow/2 || s.inEnd {
		return 0
	}
	n, s.unsaid = s.unsaid, 0
	return n
}

// Write sends p, and blocks while the reader has a window's worth unread.
func (s *stream) Write(p []byte) (int, error) {
	sent := 0
	for {
		n, err := s.reserve(len(p) - sent)
		if err != nil || n == 0 {
			return sent, err
		}
		frame := append([]byte(nil), p[sent:sent+n]...)
		s.conn.send(n, func(there *conn) { there.received(s.id, frame) })
		if sent += n; sent == len(p) {
			return sent, nil
		}
	}
}

// reserve takes up to a frame's worth of credit.
func (s *stream) reserve(want int) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		switch {
		case s.err != nil:
			return 0, s.err
		case s.noWrite:
			return 0, errWriteClosed
		case s.writeUntil.passed():
			return 0, os.ErrDeadlineExceeded
		case want == 0:
			return 0, nil
		case s.credit > 0:
			n := min(want, maxFrame, s.credit)
			s.credit -= n
			return n, nil
		}
		s.moved.Wait()
	}
}

// received handles a frame of data.
func (c *conn) received(id uint64, frame []byte) {
	s := c.stream(id)
	if s == nil {
		return
	}
	s.mu.Lock()
	said := 0
	if s.noRead {
		said = s.told(len(frame))
	} else {
		s.in = append(s.in, frame)
		s.moved.Broadcast()
	}
	s.mu.Unlock()
	if said > 0 {
		c.send(0, func(there *conn) { there.credited(id, said) })
	}
}

// credited handles the reader's word that it has read n bytes.
func (c *conn) credited(id uint64, n int) {
	if s := c.stream(id); s != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.credit += n
		s.moved.Broadcast()
	}
}

// CloseWrite ends this direction: the reader sees io.EOF after what was written.
func (s *stream) CloseWrite() error {
	s.mu.Lock()
	if s.err != nil || s.noWrite {
		s.mu.Unlock()
		return nil
	}
	s.noWrite = true
	s.moved.Broadcast()
	over := s.over()
	s.mu.Unlock()
	s.conn.send(0, func(there *conn) { there.ended(s.id) })
	if over {
		s.conn.forget(s.id)
	}
	return nil
}

// ended handles the other end's CloseWrite.
func (c *conn) ended(id uint64) {
	s := c.stream(id)
	if s == nil {
		return
	}
	s.mu.Lock()
	s.inEnd = true
	s.moved.Broadcast()
	over := s.over()
	s.mu.Unlock()
	if over {
		c.forget(id)
	}
}

// over says that nothing more will come or go. s.mu is held.
func (s *stream) over() bool { return s.noWrite && s.inEnd }

// CloseRead drops what has come and will come.
func (s *stream) CloseRead() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.noRead = true
	s.in = nil
	s.moved.Broadcast()
	return nil
}

// Close closes both directions.
func (s *stream) Close() error {
	_ = s.CloseRead()
	err := s.CloseWrite()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.readUntil.set(time.Time{}, nil)
	s.writeUntil.set(time.Time{}, nil)
	return err
}

// Reset ends both directions at both ends, dropping what is on its way.
func (s *stream) Reset() error { return s.ResetWithError(network.StreamNoError) }

// ResetWithError is [stream.Reset] with a code for the other end.
func (s *stream) ResetWithError(code network.StreamErrorCode) error {
	if s.fail(&network.StreamError{ErrorCode: code}) {
		s.conn.forget(s.id)
		s.conn.send(0, func(there *conn) {
			if remote := there.stream(s.id); remote != nil {
				remote.fail(&network.StreamError{Remote: true, ErrorCode: code})
				there.forget(s.id)
			}
		})
	}
	return nil
}

// fail ends the stream at this end with the error, once.
func (s *stream) fail(err error) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return false
	}
	s.err = err
	s.in = nil
	s.readUntil.set(time.Time{}, nil)
	s.writeUntil.set(time.Time{}, nil)
	s.moved.Broadcast()
	return true
}

// SetDeadline sets both deadlines.
func (s *stream) SetDeadline(t time.Time) error {
	_ = s.SetReadDeadline(t)
	return s.SetWriteDeadline(t)
}

// SetReadDeadline makes reads fail with os.ErrDeadlineExceeded from t on.
func (s *stream) SetReadDeadline(t time.Time) error { return s.setDeadline(&s.readUntil, t) }

// SetWriteDeadline makes writes fail with os.ErrDeadlineExceeded from t on.
func (s *stream) SetWriteDeadline(t time.Time) error { return s.setDeadline(&s.writeUntil, t) }

func (s *stream) setDeadline(d *deadline, t time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return s.err
	}
	d.set(t, s.wake)
	s.moved.Broadcast()
	return nil
}
