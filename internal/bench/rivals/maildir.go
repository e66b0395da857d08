package main

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// arrivals tells each client when something comes into its Maildir. There is one watch
// for all, since a user may have few of them.
type arrivals struct {
	file  *os.File // inotify(7)
	boxes map[int32]chan struct{}
	done  chan error // one value: how reading ended
}

// watchMaildirs watches the "new" folder of so many Maildirs.
func watchMaildirs(base string, n int) (*arrivals, []<-chan struct{}, error) {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return nil, nil, err
	}
	a := &arrivals{file: os.NewFile(uintptr(fd), "inotify"), boxes: map[int32]chan struct{}{}, done: make(chan error, 1)}
	var boxes []<-chan struct{}
	for i := range n {
		// virtual(8) links the file there, or moves it where links do not work.
		wd, err := unix.InotifyAddWatch(fd, filepath.Join(base, maildir(i), "new"), unix.IN_CREATE|unix.IN_MOVED_TO)
		if err != nil {
			return nil, nil, errors.Join(err, a.file.Close())
		}
		box := make(chan struct{}, 16) // more than a client has under way
		a.boxes[int32(wd)] = box
		boxes = append(boxes, box)
	}
	go func() { a.done <- a.read() }()
	return a, boxes, nil
}

func (a *arrivals) read() error {
	buf := make([]byte, 64<<10)
	for {
		n, err := a.file.Read(buf)
		if err != nil {
			if errors.Is(err, os.ErrClosed) {
				return nil
			}
			return err
		}
		// Each event: int32 watch, three uint32 of which the last is the length of
		// the name that follows.
		for b := buf[:n]; len(b) >= unix.SizeofInotifyEvent; {
			if box := a.boxes[int32(binary.NativeEndian.Uint32(b))]; box != nil {
				box <- struct{}{}
			}
			b = b[unix.SizeofInotifyEvent+int(binary.NativeEndian.Uint32(b[12:])):]
		}
	}
}

func (a *arrivals) close() error {
	err := a.file.Close()
	return errors.Join(err, <-a.done)
}

// errMail is a mail that was accepted and did not arrive.
var errMail = errors.New("a mail is not in its Maildir")

// await waits for the next arrival.
func await(box <-chan struct{}) error {
	select {
	case <-box:
		return nil
	case <-time.After(mailPatience):
		return errMail
	}
}
