package mux

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"
)

// readDeadliner and its like are what a stream may have beyond io.ReadWriteCloser.
type (
	readDeadliner  interface{ SetReadDeadline(time.Time) error }
	writeDeadliner interface{ SetWriteDeadline(time.Time) error }
	resetter       interface{ Reset() error }
)

// frameReader reads length-prefixed frames. One goroutine owns it.
type frameReader struct {
	r        *bufio.Reader
	deadline readDeadliner // nil if the stream has none
	limits   Limits
	first    bool // the first frame has a deadline of its own
}

func newFrameReader(rwc io.Reader, l Limits, first bool) *frameReader {
	d, _ := rwc.(readDeadliner)
	return &frameReader{r: bufio.NewReaderSize(rwc, readBuffer), deadline: d, limits: l, first: first}
}

// next returns one frame without its prefix. It returns io.EOF only between frames.
// Waiting for a frame to begin has no deadline (a watcher is silent for days), except
// for the first; once begun it must complete in FrameTimeout.
func (fr *frameReader) next() (*buffer, error) {
	if fr.first {
		fr.set(fr.limits.FirstFrameTimeout)
	}
	if _, err := fr.r.Peek(1); err != nil {
		return nil, err
	}
	timed := fr.first
	fr.first = false
	if !fr.buffered() {
		fr.set(fr.limits.FrameTimeout)
		timed = true
	}
	size, err := fr.prefix()
	if err != nil {
		return nil, err
	}
	buf := newBuffer(size)
	if _, err := io.ReadFull(fr.r, buf.b); err != nil {
		buf.free()
		return nil, unexpected(err)
	}
	if timed {
		fr.set(0)
	}
	return buf, nil
}

// buffered says whether a whole frame has been read already, so that most frames of a
// busy stream need no deadline.
func (fr *frameReader) buffered() bool {
	b, _ := fr.r.Peek(min(maxPrefix, fr.r.Buffered()))
	size, n := binary.Uvarint(b)
	return n > 0 && size <= uint64(fr.r.Buffered()-n)
}

func (fr *frameReader) prefix() (int, error) {
	var size uint64
	for i := range maxPrefix {
		c, err := fr.r.ReadByte()
		if err != nil {
			return 0, unexpected(err)
		}
		size |= uint64(c&0x7f) << (7 * i)
		if c < 0x80 {
			if c == 0 {
				// Zero, or more bytes than the number needs.
				return 0, violation("length prefix")
			}
			if size > uint64(fr.limits.MaxFrame) {
				return 0, ErrTooLarge
			}
			return int(size), nil
		}
	}
	return 0, ErrTooLarge
}

func (fr *frameReader) set(d time.Duration) {
	if fr.deadline == nil {
		return
	}
	var at time.Time
	if d > 0 {
		at = time.Now().Add(d)
	}
	// A stream that cannot set deadlines has failed, and says so at the next read.
	_ = fr.deadline.SetReadDeadline(at)
}

func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return fmt.Errorf("mux: within a frame: %w", io.ErrUnexpectedEOF)
	}
	return err
}

// abort ends a stream at once, in both directions where it can.
func abort(rwc io.Closer) {
	if r, ok := rwc.(resetter); ok {
		_ = r.Reset()
		return
	}
	_ = rwc.Close()
}
