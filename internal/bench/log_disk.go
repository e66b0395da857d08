package bench

import (
	"context"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

const (
	diskFileSize = 64 << 20
	diskBatch    = 8 << 20 // bytes in one write at most
)

// diskLoop is the least that a durable log can do: one goroutine writes whatever
// is waiting into a file whose blocks exist, syncs, and answers.
type diskLoop struct {
	f       *os.File
	queue   chan diskWrite
	stopped chan struct{}
}

type diskWrite struct {
	body []byte
	done chan error
}

func newDiskLoop(path string, size int) (*diskLoop, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	zeros := make([]byte, 1<<20)
	for offset := 0; offset < diskFileSize; offset += len(zeros) {
		if _, err := f.WriteAt(zeros, int64(offset)); err != nil {
			f.Close()
			return nil, fmt.Errorf("preallocate: %w", err)
		}
	}
	if err := f.Sync(); err != nil {
		f.Close()
		return nil, err
	}
	d := &diskLoop{f: f, queue: make(chan diskWrite, 1024), stopped: make(chan struct{})}
	go d.run(size)
	return d, nil
}

func (d *diskLoop) run(size int) {
	defer close(d.stopped)
	buf := make([]byte, 0, diskBatch)
	offset := int64(0)
	for w := range d.queue {
		buf = append(buf[:0], w.body...)
		waiting := []chan error{w.done}
		for n := len(d.queue); n > 0 && len(buf)+size <= diskBatch; n-- {
			more := <-d.queue
			buf, waiting = append(buf, more.body...), append(waiting, more.done)
		}
		if offset+int64(len(buf)) > diskFileSize {
			offset = 0
		}
		_, err := d.f.WriteAt(buf, offset)
		offset += int64(len(buf))
		if err == nil {
			err = unix.Fdatasync(int(d.f.Fd()))
		}
		for _, done := range waiting {
			done <- err
		}
	}
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
