//go:build linux

package eventlog_test

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"communicator/eventlog"
	"communicator/eventlog/logtest"
	"communicator/internal/testenv"
)

// The power-cut tests keep a log on a disk whose power can be cut:
//
//	memory                   so that every sync costs little
//	  └ loop ─ XFS           can copy a file in one step, by reflink
//	      ├ live.img         the disk
//	      │   └ loop ─ ext4  a child appends to a log here
//	      └ cut.img          the disk as it was in one moment, copied under load
//	          └ loop ─ ext4  mounting replays the journal, as after a power cut
//
// What ext4 had not handed to its device when the copy was made is not in it: that
// is all that was written but neither synced nor by chance written back. What it had
// handed over is all in it; a drive that loses its own cache is not shown here.
//
// No file system is attached to the tree of mounts. Each is reached through a
// descriptor, and the kernel unmounts it and detaches its loop device when the last
// process that has it ends, however that ends. That can be later than a disk is
// discarded: a failed attempt to open it that Badger had to repeat keeps files open.
const (
	hostSize = 2 << 30 // sparse, as the disks are
	diskSize = 384 << 20

	cutsPerDisk  = 10               // then one is made anew, so that checking stays short
	mostAcks     = 1500             // a cut comes after fewer acknowledgements than this
	ackPatience  = 30 * time.Second // for them to arrive
	openingTakes = 80 * time.Millisecond
)

// rig is the reflinking file system and the program that makes disks.
type rig struct {
	t    *testing.T
	mkfs string
	host *os.File
	made int
}

func newRig(t *testing.T) *rig {
	t.Helper()
	testenv.Root(t)
	mkxfs := testenv.Tool(t, "mkfs.xfs")
	r := &rig{t: t, mkfs: testenv.Tool(t, "mkfs.ext4")}
	fd, err := unix.MemfdCreate("powercut", unix.MFD_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	image := os.NewFile(uintptr(fd), "powercut")
	defer image.Close()
	makeImage(t, image, hostSize, mkxfs, "-q", "-m", "reflink=1")
	if r.host, err = mount("xfs", image); err != nil {
		testenv.Missing(t, "cannot mount an XFS image: "+err.Error())
	}
	t.Cleanup(func() { r.host.Close() })
	return r
}

// makeImage puts an empty file system into an empty file, which stays sparse.
func makeImage(t *testing.T, image *os.File, size int64, mkfs ...string) {
	t.Helper()
	if err := image.Truncate(size); err != nil {
		t.Fatal(err)
	}
	// mkfs is another process, to which this one's descriptors are not its own.
	path := fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), image.Fd())
	if out, err := exec.Command(mkfs[0], append(mkfs[1:], path)...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v: %s", mkfs[0], err, out)
	}
}

// within is the path of a name in a file system that is mounted nowhere.
func within(mounted *os.File, name string) string {
	return fmt.Sprintf("/proc/self/fd/%d/%s", mounted.Fd(), name)
}

// mount mounts an image over a loop device. Closing the result undoes all of it.
func mount(kind string, image *os.File) (*os.File, error) {
	device, err := attach(image)
	if err != nil {
		return nil, err
	}
	defer device.Close() // detaches it unless it is mounted by then
	fs, err := unix.Fsopen(kind, unix.FSOPEN_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("fsopen %s: %w", kind, err)
	}
	defer unix.Close(fs)
	if err := errors.Join(unix.FsconfigSetString(fs, "source", device.Name()), unix.FsconfigCreate(fs)); err != nil {
		return nil, fmt.Errorf("mount %s: %w", kind, err)
	}
	root, err := unix.Fsmount(fs, unix.FSMOUNT_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("fsmount %s: %w", kind, err)
	}
	return os.NewFile(uintptr(root), kind), nil
}

// attach binds an image to a free loop device that lets go of it by itself.
func attach(image *os.File) (*os.File, error) {
	control, err := os.OpenFile("/dev/loop-control", os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer control.Close()
	for {
		n, err := unix.IoctlRetInt(int(control.Fd()), unix.LOOP_CTL_GET_FREE)
		if err != nil {
			return nil, fmt.Errorf("no free loop device: %w", err)
		}
		device, err := os.OpenFile(fmt.Sprintf("/dev/loop%d", n), os.O_RDWR, 0)
		if err != nil {
			return nil, err
		}
		err = unix.IoctlLoopConfigure(int(device.Fd()), &unix.LoopConfig{
			Fd:   uint32(image.Fd()),
			Info: unix.LoopInfo64{Flags: unix.LO_FLAGS_AUTOCLEAR | unix.LO_FLAGS_DIRECT_IO},
		})
		if err == nil {
			return device, nil
		}
		device.Close()
		if !errors.Is(err, unix.EBUSY) { // somebody else was faster
			return nil, fmt.Errorf("configure a loop device: %w", err)
		}
	}
}

// disk is an ext4 file system whose power can be cut.
type disk struct {
	image, fs *os.File
}

func (d *disk) log() string { return within(d.fs, "log") }

// newImage creates a file for another disk.
func (r *rig) newImage() *os.File {
	r.t.Helper()
	r.made++
	f, err := os.OpenFile(within(r.host, strconv.Itoa(r.made)), os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { f.Close() })
	return f
}

// plug mounts a disk.
func (r *rig) plug(image *os.File) *disk {
	r.t.Helper()
	fs, err := mount("ext4", image)
	if err != nil {
		r.t.Fatal(err)
	}
	d := &disk{image: image, fs: fs}
	r.t.Cleanup(func() { fs.Close() })
	return d
}

func (r *rig) newDisk() *disk {
	r.t.Helper()
	image := r.newImage()
	makeImage(r.t, image, diskSize, r.mkfs, "-q", "-F", "-b", "4096")
	return r.plug(image)
}

// snapshot is what an image contains in this moment.
func (r *rig) snapshot(of *os.File) *os.File {
	r.t.Helper()
	to := r.newImage()
	if err := unix.IoctlFileClone(int(to.Fd()), int(of.Fd())); err != nil {
		r.t.Fatalf("reflink: %v", err)
	}
	return to
}

// discard unmounts a disk and deletes it.
func (r *rig) discard(d *disk) {
	r.t.Helper()
	name := filepath.Base(d.image.Name())
	if err := errors.Join(d.fs.Close(), d.image.Close(), os.Remove(within(r.host, name))); err != nil {
		r.t.Fatal(err)
	}
}

// ack is an acknowledged event.
type ack struct {
	key string
	seq uint64
}

// appender is a child that appends to the log on a disk.
type appender struct {
	cmd    *exec.Cmd
	more   chan struct{} // has a token after something was acknowledged
	ended  chan struct{} // closed after the last line
	stderr strings.Builder

	mu   sync.Mutex // guards acks
	acks []ack
}

func startAppender(t *testing.T, d *disk, env ...string) *appender {
	t.Helper()
	a := &appender{cmd: exec.Command(os.Args[0]), more: make(chan struct{}, 1), ended: make(chan struct{})}
	const inherited = 3 // the first of ExtraFiles
	a.cmd.Env = append(append(os.Environ(), fmt.Sprintf("%s=/proc/self/fd/%d/log", childDir, inherited)), env...)
	a.cmd.ExtraFiles = []*os.File{d.fs}
	a.cmd.Stderr = &a.stderr
	out, err := a.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := a.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go a.read(out)
	t.Cleanup(func() { a.stop() })
	return a
}

func (a *appender) read(out io.Reader) {
	defer close(a.ended)
	for lines := bufio.NewScanner(out); lines.Scan(); {
		var next ack
		if n, _ := fmt.Sscanf(lines.Text(), "%d %s", &next.seq, &next.key); n != 2 {
			continue
		}
		a.mu.Lock()
		a.acks = append(a.acks, next)
		a.mu.Unlock()
		select {
		case a.more <- struct{}{}:
		default:
		}
	}
}

// known is what is known to be acknowledged.
func (a *appender) known() []ack {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.acks[:len(a.acks):len(a.acks)]
}

// await returns when n acknowledgements have arrived.
func (a *appender) await(t *testing.T, n int) {
	t.Helper()
	patience := time.After(ackPatience)
	for len(a.known()) < n {
		select {
		case <-a.more:
		case <-a.ended:
			t.Fatalf("the child ended: %v: %s", a.stop(), a.stderr.String())
		case <-patience:
			t.Fatalf("%d of %d acknowledgements arrived", len(a.known()), n)
		}
	}
}

// stop kills the child and returns once all that it acknowledged is known.
func (a *appender) stop() error {
	_ = a.cmd.Process.Kill()
	<-a.ended
	return a.cmd.Wait()
}

// cut starts a child on the disk, takes what a power cut at a random moment leaves,
// and pulls the disk. It returns what was known to be acknowledged before the moment
// began, and what was not known before. An early cut comes wherever the child is, which
// mostly is in opening the log; any other under load, which goes on after it.
func (r *rig) cut(d *disk, early bool, env ...string) (left *os.File, before, after []ack) {
	r.t.Helper()
	a := startAppender(r.t, d, env...)
	if early {
		time.Sleep(rand.N(openingTakes))
	} else {
		a.await(r.t, 1+rand.IntN(mostAcks))
		time.Sleep(rand.N(3 * time.Millisecond)) // not always just after an answer
	}
	before = a.known()
	left = r.snapshot(d.image)
	if !early {
		a.await(r.t, len(before)+1)
	}
	if err := a.stop(); a.stderr.Len() > 0 {
		r.t.Fatalf("the child: %v: %s", err, a.stderr.String())
	}
	r.discard(d)
	return left, before, a.known()[len(before):]
}

// examineCut opens the log on a disk and counts the acknowledged events that it does
// not have, and those that it has wrong.
func examineCut(d *disk, acks []ack) (lost, wrong int, err error) {
	log, err := eventlog.Open(d.log(), quiet())
	if err != nil {
		return len(acks), 0, err
	}
	for _, a := range acks {
		body, err := log.Body(a.seq)
		switch {
		case errors.Is(err, eventlog.ErrErased):
			if !superseded(log, a) {
				wrong++
			}
		case err != nil:
			lost++
		case strings.TrimRight(string(body), ".") != "body of "+a.key:
			wrong++
		}
	}
	return lost, wrong, log.Close()
}

// superseded says whether the log has a later event of the same stream, which is
// what erases a body in these tests.
func superseded(log eventlog.Log, a ack) bool {
	var pid, p, i int
	if n, _ := fmt.Sscanf(a.key, "%d/%d/%d", &pid, &p, &i); n != 3 {
		return false
	}
	var row []byte
	err := log.View(func(tables eventlog.Tables) (err error) {
		row, err = tables.Table(logtest.LedgerID).Get([]byte(strconv.Itoa(p*10 + i%10)))
		return err
	})
	return err == nil && len(row) >= 8 && binary.BigEndian.Uint64(row) > a.seq
}

// TestPowerCut cuts the power under load, and now and then while a log is made or
// recovers from the cut before. What was acknowledged must be there after every cut
// that followed.
func TestPowerCut(t *testing.T) {
	r := newRig(t)
	var d *disk
	var all []ack
	total, unknown := 0, 0
	for i := range testenv.Times(10, 200) {
		if i%cutsPerDisk == 0 {
			if d != nil {
				r.discard(d)
			}
			d, all = r.newDisk(), nil
		}
		early := i%cutsPerDisk%3 == 0 && (i/cutsPerDisk)%2 == 0
		left, before, after := r.cut(d, early)
		all = append(all, before...)
		total += len(before)
		unknown += len(after)

		d = r.plug(r.snapshot(left)) // the next child finds what this cut has left
		examined := r.plug(left)
		acked := map[string]uint64{}
		for _, a := range all {
			acked[a.key] = a.seq
		}
		survived(t, examined.log(), acked)
		r.again(examined, all, after)
		r.discard(examined)
		if t.Failed() {
			t.Fatalf("after cut %d", i+1)
		}
	}
	if total == 0 || unknown == 0 {
		t.Errorf("%d events were acknowledged before a cut and %d after: this was no load", total, unknown)
	}
	t.Logf("%d acknowledged events survived; %d more were acknowledged after a cut", total, unknown)
}

// again opens the log once more: nothing may be lost or wrong of what must be there,
// and nothing wrong of what may.
func (r *rig) again(d *disk, must, may []ack) {
	r.t.Helper()
	lost, wrong, err := examineCut(d, must)
	if err != nil || lost+wrong > 0 {
		r.t.Errorf("of %d acknowledged events %d are lost and %d wrong: %v", len(must), lost, wrong, err)
	}
	if _, wrong, err := examineCut(d, may); err != nil || wrong > 0 {
		r.t.Errorf("of %d events acknowledged after the cut %d are wrong: %v", len(may), wrong, err)
	}
}

// TestPowerCutUnsynced is the control: without syncing, cuts must lose acknowledged
// events, or else they show nothing. Even then no value may be wrong.
func TestPowerCutUnsynced(t *testing.T) {
	r := newRig(t)
	cuts, losing := testenv.Times(3, 20), 0
	for range cuts {
		left, before, _ := r.cut(r.newDisk(), false, eventlog.ChildUnsynced+"=1")
		d := r.plug(left)
		lost, wrong, err := examineCut(d, before) // an error is of a log that does not open
		if wrong > 0 {
			t.Errorf("of %d acknowledged events %d are wrong", len(before), wrong)
		}
		if lost > 0 {
			losing++
		}
		t.Logf("%d of %d acknowledged events are lost: %v", lost, len(before), err)
		r.discard(d)
	}
	if losing == 0 {
		t.Errorf("nothing was lost in %d cuts without syncing: the drill proves nothing", cuts)
	}
}
