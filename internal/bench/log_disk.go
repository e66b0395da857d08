package bench

import (
	"context"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

const (
	diskSegment = 64 << 20 // bytes of a preallocated segment
	diskBatch   = 8 << 20  // bytes in one write at most
)

// diskLoop is the least that a durable log can do: one goroutine appends whatever
// is waiting to a preallocated segment, syncs the data, and answers. Like any log it
// goes on to a new segment when one is full, rather than over the old one again.
type diskLoop struct {
	path    string
	f       *os.File
	offset  int64
	queue   chan diskWrite
	stopped chan struct{}
}

type diskWrite struct {
	body []byte
	done chan error
}

func newDiskLoop(path string, size int) (*diskLoop, error) {
	d := &diskLoop{path: path, queue: make(chan diskWrite, 1024), stopped: make(chan struct{})}
	if err := d.next(); err != nil {
		return nil, err
	}
	go d.run(size)
	return d, nil
}

// next begins a segment in place of the one before.
func (d *diskLoop) next() error {
	if d.f != nil {
		if err := errors.Join(d.f.Close(), os.Remove(d.path)); err != nil {
			return err
		}
	}
	f, err := os.OpenFile(d.path, os.O_CREATE|os.O_RDWR|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	d.f, d.offset = f, 0
	if err := unix.Fallocate(int(f.Fd()), 0, 0, diskSegment); err != nil {
		return fmt.Errorf("preallocate: %w", err)
	}
	return f.Sync()
}

func (d *diskLoop) run(size int) {
	defer close(d.stopped)
	buf := make([]byte, 0, diskBatch)
	for w := range d.queue {
		buf = append(buf[:0], w.body...)
		waiting := []chan error{w.done}
		for n := len(d.queue); n > 0 && len(buf)+size <= diskBatch; n-- {
			more := <-d.queue
			buf, waiting = append(buf, more.body...), append(waiting, more.done)
		}
		err := d.write(buf)
		for _, done := range waiting {
			done <- err
		}
	}
}

func (d *diskLoop) write(buf []byte) error {
	if d.offset+int64(len(buf)) > diskSegment {
		if err := d.next(); err != nil {
			return err
		}
	}
	if _, err := d.f.WriteAt(buf, d.offset); err != nil {
		return err
	}
	d.offset += int64(len(buf))
	return unix.Fdatasync(int(d.f.Fd()))
}

func (d *diskLoop) append(_ context.Context, body []byte) error {
	w := diskWrite{body: body, done: make(chan error, 1)}
	d.queue <- w
	return <-w.done
}

func (d *diskLoop) close() {
	close(d.queue)
	<-d.stopped
	d.f.Close()
}
