package store

import (
	"bytes"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/chacha20poly1305"
)

// A key slot, big-endian:
//
//	 0        8         10     11        12     16       20    24     40      64        112      144
//	┌──────────┬─────────┬──────┬─────────┬──────┬────────┬─────┬──────┬───────┬─────────┬────────┐
//	│ COMMPROF │ version │ kind │ threads │ time │ memory │ seq │ salt │ nonce │ sealed  │ SHA-256│
//	│          │  u16=1  │  u8  │   u8    │ u32  │ u32 KiB│ u32 │ 16 B │ 24 B  │ key 48 B│ of all │
//	└──────────┴─────────┴──────┴─────────┴──────┴────────┴─────┴──────┴───────┴─────────┴────────┘
//
//	kek    = Argon2id(passphrase, salt, time, memory, threads, 32)
//	sealed = XChaCha20-Poly1305(kek, nonce, file key, AD = bytes 0 to 64)
//
// The checksum at the end only tells a torn slot from a wrong passphrase. A
// profile begins with two slots, each in a 4 KiB block of its own; the rest of
// the block is zero. An export begins with one slot and nothing else of a block.
const (
	slotMagic   = "COMMPROF"
	slotVersion = 1
	slotSize    = 144
	slotBlock   = 4096
	slots       = 2
	headerSize  = slots * slotBlock

	kindProfile = 1
	kindExport  = 2

	offSalt   = 24
	offNonce  = 40
	offSealed = 64
	offSum    = 112
)

// Labels of the keys that are expanded from a file key.
const (
	labelDatabase = "comm/1/store-database" // Adiantum, the database and its WAL
	labelExport   = "comm/1/store-export"   // ChaCha20-Poly1305, the chunks of an export
)

// fileKey is the random secret of one profile file or one export.
type fileKey [32]byte

func newFileKey(rand io.Reader) (k fileKey, err error) {
	_, err = io.ReadFull(rand, k[:])
	return k, err
}

func (k fileKey) expand(label string) []byte {
	key, err := hkdf.Expand(sha256.New, k[:], label, chacha20poly1305.KeySize)
	if err != nil {
		panic(err) // only for lengths above 255 hashes
	}
	return key
}

// slot is a parsed key slot that has not been opened.
type slot struct {
	kind byte
	seq  uint32
	kdf  KDF
	raw  [slotSize]byte
}

// sealSlot makes a slot that opens with passphrase.
func sealSlot(rand io.Reader, kind byte, seq uint32, kdf KDF, passphrase []byte, key fileKey) ([]byte, error) {
	if len(passphrase) == 0 {
		return nil, ErrEmptyPassphrase
	}
	if !kdf.valid() {
		return nil, fmt.Errorf("%w: Argon2id cost", ErrInvalid)
	}
	b := slotHead(kind, seq, kdf)[:offSealed]
	if _, err := io.ReadFull(rand, b[offSalt:offSealed]); err != nil {
		return nil, err
	}
	aead, err := chacha20poly1305.NewX(deriveKEK(passphrase, b[offSalt:offNonce], kdf))
	if err != nil {
		return nil, err
	}
	b = aead.Seal(b, b[offNonce:offSealed], key[:], b[:offSealed])
	sum := sha256.Sum256(b)
	return append(b, sum[:]...), nil
}

// slotHead returns the fixed fields in front of the salt, with room for a slot.
func slotHead(kind byte, seq uint32, kdf KDF) []byte {
	b := make([]byte, 0, slotSize)
	b = append(b, slotMagic...)
	b = binary.BigEndian.AppendUint16(b, slotVersion)
	b = append(b, kind, kdf.Threads)
	b = binary.BigEndian.AppendUint32(b, kdf.Time)
	b = binary.BigEndian.AppendUint32(b, kdf.Memory)
	return binary.BigEndian.AppendUint32(b, seq)
}

// parseSlot reads a slot; b is at least slotSize long, what follows is ignored.
func parseSlot(b []byte) (slot, error) {
	var s slot
	copy(s.raw[:], b)
	if len(b) < slotSize || !bytes.HasPrefix(b, []byte(slotMagic)) {
		return s, ErrNotProfile
	}
	if binary.BigEndian.Uint16(b[8:]) > slotVersion {
		return s, ErrNewerFormat
	}
	if sum := sha256.Sum256(b[:offSum]); !bytes.Equal(sum[:], b[offSum:slotSize]) {
		return s, ErrDamaged
	}
	s.kind = b[10]
	s.kdf = KDF{
		Threads: b[11],
		Time:    binary.BigEndian.Uint32(b[12:]),
		Memory:  binary.BigEndian.Uint32(b[16:]),
	}
	s.seq = binary.BigEndian.Uint32(b[20:])
	known := s.kind == kindProfile || s.kind == kindExport
	if binary.BigEndian.Uint16(b[8:]) != slotVersion || !known || !s.kdf.valid() {
		return s, ErrDamaged
	}
	return s, nil
}

// open returns the file key, or [ErrWrongPassphrase].
func (s *slot) open(passphrase []byte) (key fileKey, err error) {
	if len(passphrase) == 0 {
		return key, ErrEmptyPassphrase
	}
	aead, err := chacha20poly1305.NewX(deriveKEK(passphrase, s.raw[offSalt:offNonce], s.kdf))
	if err != nil {
		return key, err
	}
	plain, err := aead.Open(nil, s.raw[offNonce:offSealed], s.raw[offSealed:offSum], s.raw[:offSealed])
	if err != nil || len(plain) != len(key) {
		return key, ErrWrongPassphrase
	}
	return fileKey(plain), nil
}

func deriveKEK(passphrase, salt []byte, k KDF) []byte {
	return argon2.IDKey(passphrase, salt, k.Time, k.Memory, k.Threads, chacha20poly1305.KeySize)
}

// unlock tries the slots of a profile's header and returns the file key, the
// index of the slot that opened and its sequence number. Two slots are valid
// only after a crash in the middle of changing the passphrase.
func unlock(header, passphrase []byte) (key fileKey, index int, seq uint32, err error) {
	err = ErrNotProfile
	for i := range slots {
		s, perr := parseSlot(header[i*slotBlock:])
		if perr == nil && s.kind != kindProfile {
			perr = ErrNotProfile
		}
		if perr == nil {
			if key, perr = s.open(passphrase); perr == nil {
				return key, i, s.seq, nil
			}
		}
		// The most telling reason wins: an unused slot says nothing.
		if perr != ErrNotProfile && err != ErrWrongPassphrase {
			err = perr
		}
	}
	return key, 0, 0, err
}
