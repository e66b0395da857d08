package eventlog

import (
	"crypto/ed25519"
	"encoding/hex"
	"time"

	"communicator/wire"

	"golang.org/x/crypto/cryptobyte"
)

const (
	labelCheckpoint wire.Label = "comm/1/log-checkpoint"
	labelSnapshot   wire.Label = "comm/1/log-snapshot"

	anchorLayout = 1
	eraLayout    = 1
	maxEras      = 1024
)

// anchor is a place in the log that the node vouches for: everything up to it was
// in order when it was signed.
//
//	u64 batch ‖ u64 sequence ‖ head hash 32 ‖ record hash 32 ‖ log id 32 ‖ u64 volume
type anchor struct {
	number uint64
	seq    uint64
	head   [32]byte
	record [32]byte
	logID  [32]byte
	volume uint64 // bytes written to the store's tree by then
}

func (a *anchor) add(b *cryptobyte.Builder) {
	b.AddUint64(a.number)
	b.AddUint64(a.seq)
	b.AddBytes(a.head[:])
	b.AddBytes(a.record[:])
	b.AddBytes(a.logID[:])
	b.AddUint64(a.volume)
}

func (a *anchor) read(s *cryptobyte.String) bool {
	return s.ReadUint64(&a.number) && s.ReadUint64(&a.seq) && s.CopyBytes(a.head[:]) &&
		s.CopyBytes(a.record[:]) && s.CopyBytes(a.logID[:]) && s.ReadUint64(&a.volume)
}

// sealAnchor encodes a checkpoint: u8 layout ‖ anchor ‖ signature 64, which covers
// label and all before it.
func sealAnchor(a *anchor, key ed25519.PrivateKey) []byte {
	var b cryptobyte.Builder
	b.AddUint8(anchorLayout)
	a.add(&b)
	return signed(labelCheckpoint, b.BytesOrPanic(), key)
}

func openAnchor(value []byte, pub ed25519.PublicKey) (*anchor, error) {
	body, err := unsigned(labelCheckpoint, value, pub)
	if err != nil {
		return nil, err
	}
	s, a := cryptobyte.String(body), new(anchor)
	if err := layout(&s, anchorLayout); err != nil {
		return nil, err
	}
	if !a.read(&s) || !s.Empty() {
		return nil, wire.ErrMalformed
	}
	return a, nil
}

// snapshotInfo names a snapshot of every projection: where in the log its rows
// are, and where the headers that were dropped with it end.
//
//	u8 layout ‖ u64 generation ‖ u32 chunks ‖ digest 32 ‖ anchor at ‖ anchor pruned ‖ signature 64
type snapshotInfo struct {
	generation uint64
	chunks     uint32
	digest     [32]byte // H over the chunks in order
	at         anchor
	pruned     anchor // the last event whose header is gone; seq 0: none
}

func (i *snapshotInfo) seal(key ed25519.PrivateKey) []byte {
	var b cryptobyte.Builder
	b.AddUint8(anchorLayout)
	b.AddUint64(i.generation)
	b.AddUint32(i.chunks)
	b.AddBytes(i.digest[:])
	i.at.add(&b)
	i.pruned.add(&b)
	return signed(labelSnapshot, b.BytesOrPanic(), key)
}

func openSnapshotInfo(value []byte, pub ed25519.PublicKey) (*snapshotInfo, error) {
	body, err := unsigned(labelSnapshot, value, pub)
	if err != nil {
		return nil, err
	}
	s, i := cryptobyte.String(body), new(snapshotInfo)
	if err := layout(&s, anchorLayout); err != nil {
		return nil, err
	}
	if !s.ReadUint64(&i.generation) || !s.ReadUint32(&i.chunks) || !s.CopyBytes(i.digest[:]) ||
		!i.at.read(&s) || !i.pruned.read(&s) || !s.Empty() {
		return nil, wire.ErrMalformed
	}
	return i, nil
}

// Era is a stretch of the log under one log id. A restored backup begins a new one,
// for nobody knows what the log accepted after the backup was made.
type Era struct {
	LogID  Hex       `json:"log_id"`
	Key    Hex       `json:"key"`   // the node's root key at that time
	After  uint64    `json:"after"` // number of the batch that it continues from; 0 for the first
	Seq    uint64    `json:"seq"`   // last sequence of that batch
	Head   Hex       `json:"head"`
	Opened time.Time `json:"opened"`
}

// Hex is 32 bytes that are printed in hexadecimal.
type Hex [32]byte

// MarshalText gives 64 digits.
func (h Hex) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, h[:]), nil }

// UnmarshalText takes what MarshalText gives.
func (h *Hex) UnmarshalText(b []byte) error {
	if len(b) != hex.EncodedLen(len(h)) {
		return hex.ErrLength
	}
	_, err := hex.Decode(h[:], b)
	return err
}

// encodeEras lays out u8 layout ‖ u16 count ‖ (log id 32 ‖ root key 32 ‖ u64 after ‖ u64 seq ‖
// head 32 ‖ u64 seconds)….
func encodeEras(eras []Era) []byte {
	var b cryptobyte.Builder
	b.AddUint8(eraLayout)
	b.AddUint16(uint16(len(eras)))
	for i := range eras {
		b.AddBytes(eras[i].LogID[:])
		b.AddBytes(eras[i].Key[:])
		b.AddUint64(eras[i].After)
		b.AddUint64(eras[i].Seq)
		b.AddBytes(eras[i].Head[:])
		b.AddUint64(uint64(eras[i].Opened.Unix()))
	}
	return b.BytesOrPanic()
}

func parseEras(value []byte) ([]Era, error) {
	s := cryptobyte.String(value)
	if err := layout(&s, eraLayout); err != nil {
		return nil, err
	}
	var n uint16
	if !s.ReadUint16(&n) || n == 0 || n > maxEras {
		return nil, wire.ErrMalformed
	}
	eras := make([]Era, n)
	for i := range eras {
		e := &eras[i]
		var sec uint64
		if !s.CopyBytes(e.LogID[:]) || !s.CopyBytes(e.Key[:]) || !s.ReadUint64(&e.After) || !s.ReadUint64(&e.Seq) ||
			!s.CopyBytes(e.Head[:]) || !s.ReadUint64(&sec) {
			return nil, wire.ErrMalformed
		}
		e.Opened = time.Unix(int64(sec), 0).UTC()
	}
	if !s.Empty() {
		return nil, wire.ErrMalformed
	}
	return eras, nil
}

func layout(s *cryptobyte.String, want uint8) error {
	var got uint8
	if !s.ReadUint8(&got) {
		return wire.ErrMalformed
	}
	if got != want {
		return wire.ErrVersion
	}
	return nil
}

func signed(label wire.Label, body []byte, key ed25519.PrivateKey) []byte {
	return append(body, ed25519.Sign(key, append([]byte(label), body...))...)
}

func unsigned(label wire.Label, value []byte, pub ed25519.PublicKey) ([]byte, error) {
	n := len(value) - ed25519.SignatureSize
	if n < 0 || !ed25519.Verify(pub, append([]byte(label), value[:n]...), value[n:]) {
		return nil, wire.ErrMalformed
	}
	return value[:n:n], nil
}
