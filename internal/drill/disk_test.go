package drill

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"communicator/internal/testenv"
	"communicator/node/config"
	"communicator/wire"

	"golang.org/x/sys/unix"
)

const (
	// diskSize holds what a node keeps free, with some room to work.
	diskSize = "900m"
	// someLeft is below what a node keeps free, littleLeft nearly nothing.
	someLeft, littleLeft = 200 << 20, 32 << 20
	// acceptWithin is how soon a node takes messages again once there is space.
	acceptWithin = 10 * time.Second
	// hearWithin is how soon clients hear that there is none.
	hearWithin = 10 * time.Second
)

// disk is a small file system in memory.
type disk struct {
	t   testing.TB
	dir string
}

func newDisk(t testing.TB) *disk {
	t.Helper()
	testenv.Root(t)
	d := &disk{t, t.TempDir()}
	if err := unix.Mount("tmpfs", d.dir, "tmpfs", 0, "size="+diskSize); err != nil {
		testenv.Missing(t, "cannot mount a tmpfs: "+err.Error())
	}
	t.Cleanup(func() {
		if err := unix.Unmount(d.dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return d
}

func (d *disk) filler() string { return filepath.Join(d.dir, "filler") }

// fill lets somebody else take the disk's space, but for so many bytes.
func (d *disk) fill(leave int64) {
	d.t.Helper()
	f, err := os.OpenFile(d.filler(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		d.t.Fatal(err)
	}
	defer f.Close()
	for {
		var s unix.Statfs_t
		if err := unix.Fstatfs(int(f.Fd()), &s); err != nil {
			d.t.Fatal(err)
		}
		take := int64(s.Bavail)*s.Bsize - leave
		if take <= 0 {
			return
		}
		info, err := f.Stat()
		if err != nil {
			d.t.Fatal(err)
		}
		// The node may take space between the two calls: then there is less to take.
		err = unix.Fallocate(int(f.Fd()), 0, info.Size(), take)
		if err != nil && !errors.Is(err, unix.ENOSPC) {
			d.t.Fatal(err)
		}
	}
}

// free gives the space back.
func (d *disk) free() {
	d.t.Helper()
	if err := os.Remove(d.filler()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		d.t.Fatal(err)
	}
}

// TestFullDisk takes the space of a sending agent's disk while clients send and collect;
// in its long form to the last byte.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	const clients = 16
	last := int64(littleLeft)
	if testenv.Soak() {
		last = 0
	}
	d := newDisk(t)
	sending, receiving := pair(t, clients, func(s *setup) {
		if s.role == config.RoleSending {
			s.dir = d.dir
		}
	})
	l := startLoad(t, loadOptions{sending: sending, receiving: receiving, clients: clients, size: 4096, every: 20 * time.Millisecond})
	for range testenv.Times(3, 50) {
		accepted := l.ledger.accepted()
		until(t, acceptWithin, "messages are accepted", func() bool { return l.ledger.accepted() > accepted+clients })
		refused := l.refusals(wire.StatusStorageFull)
		d.fill(someLeft)
		until(t, hearWithin, "clients hear that the storage is full", func() bool {
			return l.refusals(wire.StatusStorageFull) >= refused+clients
		})
		d.fill(last)
		time.Sleep(500 * time.Millisecond) // the fault lasts so long
		sending.alive()
		d.free()
		accepted = l.ledger.accepted()
		took := until(t, acceptWithin, "it accepts again", func() bool { return l.ledger.accepted() > accepted })
		t.Logf("accepted again %v after there was space", took.Round(time.Millisecond))
	}
	l.mu.Lock()
	if l.told <= 0 {
		t.Error("clients were not told when to try again")
	}
	l.mu.Unlock()
	l.check(drainWithin)
	sending.verify()
	receiving.verify()
}

// TestFullDiskOfMailboxes takes the space of a receiving agent's disk: sending agents
// hear when to try again, and collecting what is there goes on.
func TestFullDiskOfMailboxes(t *testing.T) {
	t.Parallel()
	const clients = 8
	d := newDisk(t)
	sending, receiving := pair(t, clients, func(s *setup) {
		if s.role == config.RoleReceiving {
			s.dir = d.dir
		}
	})
	l := startLoad(t, loadOptions{sending: sending, receiving: receiving, clients: clients, size: 4096, every: 20 * time.Millisecond})
	until(t, acceptWithin, "messages are accepted", func() bool { return l.ledger.accepted() > 10*clients })
	// The test is the sending agent from here on: a real one, told to wait for minutes,
	// does.
	l.drain(drainWithin)
	p := newPutter(t, l.clients[0])
	for range testenv.Times(2, 50) {
		d.fill(someLeft)
		until(t, hearWithin, "a sending agent hears that the storage is full", func() bool {
			status, retry := p.put()
			return status == wire.StatusStorageFull && retry > 0
		})
		if err := p.inventory(t.Context(), map[number]bool{}); err != nil {
			t.Errorf("collecting from a full disk: %v", err)
		}
		receiving.alive()
		d.free()
		took := until(t, acceptWithin, "it takes messages again", func() bool {
			status, _ := p.put()
			return status == wire.StatusOK
		})
		t.Logf("took messages again %v after there was space", took.Round(time.Millisecond))
	}
	l.check(drainWithin)
	sending.verify()
	receiving.verify()
}
