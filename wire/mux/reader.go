package mux

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"
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
	r        io.Reader
	deadline readDeadliner // nil if the stream has none
	limits   Limits
	first    bool // the first frame has a deadline of its own

	small [waitBuffer]byte
	large *[readBuffer]byte // borrowed while a frame, or several, need it; nil otherwise
	rest  []byte            // what has been read and not looked at: a part of one of them
}

// larges holds what idle readers do without.
var larges = sync.Pool{New: func() any { return new([readBuffer]byte) }}

func newFrameReader(rwc io.Reader, l Limits, first bool) *frameReader {
	d, _ := rwc.(readDeadliner)
	return &frameReader{r: rwc, deadline: d, limits: l, first: first}
}

// next returns one frame without its prefix. It returns io.EOF only between frames.
// Waiting for a frame to begin has no deadline (a watcher is silent for days), except
// for the first; once begun it must complete in FrameTimeout.
func (fr *frameReader) next() (*buffer, error) {
	if fr.first {
		fr.set(fr.limits.FirstFrameTimeout)
	}
	if err := fr.wait(); err != nil {
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
	if err := fr.read(buf.b); err != nil {
		buf.free()
		return nil, unexpected(err)
	}
	if timed {
		fr.set(0)
	}
	return buf, nil
}

// wait waits for the first byte of a frame.
func (fr *frameReader) wait() error {
	if len(fr.rest) > 0 {
		return nil
	}
	if fr.large != nil {
		larges.Put(fr.large)
		fr.large = nil
	}
	return fr.fill(fr.small[:])
}

// more reads on within a frame.
func (fr *frameReader) more() error {
	if fr.large == nil {
		fr.large = larges.Get().(*[readBuffer]byte)
	}
	return fr.fill(fr.large[:])
}

// fill reads something. All that was read before has been looked at.
func (fr *frameReader) fill(into []byte) error {
	for {
		n, err := fr.r.Read(into)
		if n > 0 { // an error comes again
			fr.rest = into[:n]
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// read fills p.
func (fr *frameReader) read(p []byte) error {
	for {
		n := copy(p, fr.rest)
		p, fr.rest = p[n:], fr.rest[n:]
		switch {
		case len(p) == 0:
			return nil
		case len(p) >= readBuffer:
			_, err := io.ReadFull(fr.r, p)
			return err
		}
		if err := fr.more(); err != nil {
			return err
		}
	}
}

// buffered says whether a whole frame has been read already, so that most frames of a
// busy stream need no deadline.
func (fr *frameReader) buffered() bool {
	size, n := binary.Uvarint(fr.rest[:min(maxPrefix, len(fr.rest))])
	return n > 0 && size <= uint64(len(fr.rest)-n)
}

func (fr *frameReader) prefix() (int, error) {
	var size uint64
	for i := range maxPrefix {
		if len(fr.rest) == 0 {
			if err := fr.more(); err != nil {
				return 0, unexpected(err)
			}
		}
		c := fr.rest[0]
		fr.rest = fr.rest[1:]
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
