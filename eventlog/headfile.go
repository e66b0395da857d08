package eventlog

import (
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"communicator/wire"

	"golang.org/x/crypto/cryptobyte"
)

// The head file has two slots, written in turn, each within a sector, so that a
// torn write costs at most the newest head:
//
//	offset 0 and 4096:
//	magic "commhead"          8
//	layout                    u8     2
//	clean                     u8     1: the log was closed in order after this
//	generation                u64    the higher valid one counts
//	head                      log id 32 ‖ u64 n ‖ root 32 ‖ u64 first ‖ u32 count ‖ previous 32 ‖ signature 64
//	manifest                  u64 length ‖ H(all of it) 32 ‖ its first 16 bytes
//	checksum                  32     H(all before)
//
// The manifest is Badger's list of its tables. Badger takes a manifest that was cut
// short for one whose last write was torn, and deletes the tables it does not name;
// the head file knows better.
const (
	headName   = "head"
	headMagic  = "commhead"
	headLayout = 2
	slotOffset = 4096
	slotSize   = 8 + 1 + 1 + 8 + (32 + 8 + 32 + 8 + 4 + 32 + 64) + (8 + 32 + prefixSize) + 32

	// prefixSize takes in Badger's magic, and the length and checksum of the first
	// record, in which a manifest that is written anew names its tables.
	prefixSize = 16
)

// manifestMark is what a manifest was when a head was written.
type manifestMark struct {
	length uint64
	all    [32]byte
	prefix [prefixSize]byte
}

// headFile is the head store of a log on disk.
type headFile struct {
	f    *os.File
	pub  ed25519.PublicKey
	path string // of the manifest; set once the store is open

	// syncing is held by the one who looks at the manifest.
	syncing sync.Mutex

	mu         sync.Mutex // guards the fields below; held across one small pwrite
	generation uint64
	newest     *slot
	manifest   manifestMark // as it is on disk
	damaged    error
	dirty      bool
}

type slot struct {
	clean      bool
	generation uint64
	head       Head
	manifest   manifestMark
}

func openHeadFile(path string, pub ed25519.PublicKey) (*headFile, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("eventlog: head file: %w", err)
	}
	h := &headFile{f: f, pub: pub}
	info, err := f.Stat()
	if err == nil && info.Size() > 0 {
		err = h.load()
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return h, nil
}

// load takes the newest valid slot. Slots of another layout alone are an error.
func (h *headFile) load() error {
	other := 0
	var buf [slotSize]byte
	for _, offset := range []int64{0, slotOffset} {
		if _, err := h.f.ReadAt(buf[:], offset); err != nil && !errors.Is(err, io.EOF) {
			h.damaged = err
			continue
		}
		if s := parseSlot(buf[:]); s != nil && s.head.Verify(h.pub) && (h.newest == nil || s.generation > h.newest.generation) {
			h.newest = s
			h.generation = s.generation
		} else if s == nil && string(buf[:len(headMagic)]) == headMagic && buf[len(headMagic)] != headLayout {
			other = int(buf[len(headMagic)])
		}
	}
	if h.newest == nil && other != 0 {
		return fmt.Errorf("eventlog: the log in this folder has layout %d, and this program reads layout %d: "+
			"use the version of the program that wrote it: %w", other, headLayout, wire.ErrVersion)
	}
	if h.newest == nil && h.damaged == nil {
		h.damaged = &DamageError{Part: "head", Reason: "no slot of the head file is readable and signed by this node"}
	}
	return nil
}

func (s *slot) encode() []byte {
	b := cryptobyte.NewBuilder(make([]byte, 0, slotSize))
	b.AddBytes([]byte(headMagic))
	b.AddUint8(headLayout)
	if s.clean {
		b.AddUint8(1)
	} else {
		b.AddUint8(0)
	}
	b.AddUint64(s.generation)
	b.AddBytes(s.head.LogID[:])
	b.AddUint64(s.head.Number)
	b.AddBytes(s.head.Root[:])
	b.AddUint64(s.head.First)
	b.AddUint32(s.head.Count)
	b.AddBytes(s.head.Prev[:])
	b.AddBytes(s.head.Signature[:])
	b.AddUint64(s.manifest.length)
	b.AddBytes(s.manifest.all[:])
	b.AddBytes(s.manifest.prefix[:])
	out := b.BytesOrPanic()
	sum := sha256.Sum256(out)
	return append(out, sum[:]...)
}

// parseSlot returns nil for anything but a slot that was written whole.
func parseSlot(buf []byte) *slot {
	n := len(buf) - sha256.Size
	if n < 0 || sha256.Sum256(buf[:n]) != [32]byte(buf[n:]) {
		return nil
	}
	s, out := cryptobyte.String(buf[:n]), new(slot)
	var magic []byte
	var layout, clean uint8
	ok := s.ReadBytes(&magic, len(headMagic)) && string(magic) == headMagic && s.ReadUint8(&layout) && layout == headLayout &&
		s.ReadUint8(&clean) && clean <= 1 && s.ReadUint64(&out.generation) &&
		s.CopyBytes(out.head.LogID[:]) && s.ReadUint64(&out.head.Number) && s.CopyBytes(out.head.Root[:]) &&
		s.ReadUint64(&out.head.First) && s.ReadUint32(&out.head.Count) && s.CopyBytes(out.head.Prev[:]) &&
		s.CopyBytes(out.head.Signature[:]) && s.ReadUint64(&out.manifest.length) &&
		s.CopyBytes(out.manifest.all[:]) && s.CopyBytes(out.manifest.prefix[:]) && s.Empty()
	if !ok {
		return nil
	}
	out.clean = clean == 1
	return out
}

// wasClean says whether the log was closed in order, before anything was written.
func (h *headFile) wasClean() bool { return h.newest != nil && h.newest.clean }

func (h *headFile) read() (*Head, error) {
	if h.damaged != nil {
		return nil, h.damaged
	}
	if h.newest == nil {
		return nil, nil
	}
	return &h.newest.head, nil
}

func (h *headFile) write(head *Head) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.put(slot{head: *head, manifest: h.manifest})
}

// put writes the slot after the one written last.
func (h *headFile) put(s slot) error {
	h.generation++
	s.generation = h.generation
	if _, err := h.f.WriteAt(s.encode(), int64(s.generation%2)*slotOffset); err != nil {
		return fmt.Errorf("eventlog: head file: %w", err)
	}
	h.newest, h.dirty = &s, true
	return nil
}

func (h *headFile) sync() error {
	h.mu.Lock()
	dirty := h.dirty
	h.dirty = false
	h.mu.Unlock()
	if !dirty {
		return nil
	}
	if err := h.f.Sync(); err != nil {
		return fmt.Errorf("eventlog: head file: %w", err)
	}
	return nil
}

func (h *headFile) close(clean bool) error {
	var err error
	if clean && h.newest != nil {
		err = h.look()
	}
	if err == nil && clean && h.newest != nil {
		h.mu.Lock()
		s := *h.newest
		s.clean, s.manifest = true, h.manifest
		err = h.put(s)
		h.mu.Unlock()
		if err == nil {
			err = h.sync()
		}
	}
	return errors.Join(err, h.f.Close())
}

// look describes the manifest for the heads to come, if it has changed. It is synced
// first: Badger writes before it syncs, and a head must not name more than a power cut
// leaves.
func (h *headFile) look() error {
	h.syncing.Lock()
	defer h.syncing.Unlock()
	if h.path == "" {
		return nil
	}
	f, err := os.Open(h.path)
	if err != nil {
		return fmt.Errorf("eventlog: head file: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("eventlog: head file: %w", err)
	}
	h.mu.Lock()
	same := uint64(info.Size()) == h.manifest.length
	h.mu.Unlock()
	if same {
		return nil
	}
	if err := f.Sync(); err != nil {
		return fmt.Errorf("eventlog: head file: %w", err)
	}
	data := make([]byte, info.Size()) // what came later may not be synced
	if _, err := io.ReadFull(f, data); err != nil {
		return fmt.Errorf("eventlog: head file: %w", err)
	}
	m := manifestMark{length: uint64(len(data)), all: sha256.Sum256(data)}
	copy(m.prefix[:], data)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.manifest = m
	return nil
}

// checkManifest says whether the manifest at path can be the one that was marked,
// or one that grew from it, or one that Badger has written anew since.
func checkManifest(path string, mark manifestMark) error {
	if mark.length == 0 {
		return nil
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return &DamageError{Part: "store", Reason: "its list of tables is gone", Err: errors.Unwrap(err)}
	}
	if uint64(len(data)) >= mark.length && sha256.Sum256(data[:mark.length]) == mark.all {
		return nil
	}
	var prefix [prefixSize]byte
	if n := copy(prefix[:], data); n == min(int(mark.length), prefixSize) && prefix != mark.prefix {
		return nil
	}
	return &DamageError{Part: "store", Reason: "its list of tables was cut short"}
}
