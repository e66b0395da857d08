package eventlog

import (
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"golang.org/x/crypto/cryptobyte"
)

// The head file has two slots, written in turn, each within a sector, so that a
// torn write costs at most the newest head:
//
//	offset 0 and 4096:
//	magic "commhead"          8
//	layout                    u8     1
//	clean                     u8     1: the log was closed in order after this
//	generation                u64    the higher valid one counts
//	head                      log id 32 ‖ u64 n ‖ root 32 ‖ u64 first ‖ u32 count ‖ previous 32 ‖ signature 64
//	manifest                  u64 length ‖ H(all of it) 32 ‖ H(its first 1024 bytes) 32
//	checksum                  32     H(all before)
//
// The manifest is Badger's list of its tables. Badger takes a manifest that was cut
// short for one whose last write was torn, and deletes the tables it does not name;
// the head file knows better.
const (
	headName   = "head"
	headMagic  = "commhead"
	headLayout = 1
	slotOffset = 4096
	slotSize   = 8 + 1 + 1 + 8 + (32 + 8 + 32 + 8 + 4 + 32 + 64) + (8 + 32 + 32) + 32
	prefixSize = 1024
)

// manifestMark is what a manifest was when a head was written.
type manifestMark struct {
	length      uint64
	all, prefix [32]byte
}

// headFile is the head store of a log on disk.
type headFile struct {
	f    *os.File
	pub  ed25519.PublicKey
	mark func() manifestMark

	mu         sync.Mutex // guards the fields below; held across one small pwrite
	generation uint64
	newest     *slot
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
	h := &headFile{f: f, pub: pub, mark: func() manifestMark { return manifestMark{} }}
	info, err := f.Stat()
	if err == nil && info.Size() > 0 {
		h.load()
	}
	return h, err
}

// load takes the newest valid slot.
func (h *headFile) load() {
	var buf [slotSize]byte
	for _, offset := range []int64{0, slotOffset} {
		if _, err := h.f.ReadAt(buf[:], offset); err != nil && !errors.Is(err, io.EOF) {
			h.damaged = err
			continue
		}
		if s := parseSlot(buf[:]); s != nil && s.head.Verify(h.pub) && (h.newest == nil || s.generation > h.newest.generation) {
			h.newest = s
			h.generation = s.generation
		}
	}
	if h.newest == nil && h.damaged == nil {
		h.damaged = &DamageError{Part: "head", Reason: "no slot of the head file is readable and signed by this node"}
	}
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
	return h.put(slot{head: *head, manifest: h.mark()})
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
		h.mu.Lock()
		s := *h.newest
		s.clean, s.manifest = true, h.mark()
		err = h.put(s)
		h.mu.Unlock()
		if err == nil {
			err = h.sync()
		}
	}
	return errors.Join(err, h.f.Close())
}

// markManifest describes the manifest at path, reading it again only after it has
// changed.
func markManifest(path string) func() manifestMark {
	var last manifestMark
	return func() manifestMark {
		info, err := os.Stat(path)
		if err != nil || uint64(info.Size()) == last.length {
			return last
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return last
		}
		last = manifestMark{
			length: uint64(len(data)), all: sha256.Sum256(data),
			prefix: sha256.Sum256(data[:min(len(data), prefixSize)]),
		}
		return last
	}
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
	if n := min(int(mark.length), prefixSize); len(data) >= n && sha256.Sum256(data[:n]) != mark.prefix {
		return nil
	}
	return &DamageError{Part: "store", Reason: "its list of tables was cut short"}
}
