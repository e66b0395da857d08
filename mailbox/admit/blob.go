package admit

import (
	"crypto/subtle"
	"encoding/binary"

	"golang.org/x/crypto/cryptobyte"

	"communicator/wire"
)

const labelBlobContent wire.Label = "comm/1/blob-content"

// BlobContentHash recognises the same content put again. Content is sealed by the
// client under a key of its own, so its hash joins with nothing elsewhere.
func BlobContentHash(id BlobID, content []byte) [32]byte {
	return wire.Hash(labelBlobContent, id[:], content)
}

// Blob is what an agent keeps of a blob besides its content. Its row:
//
//	u64 position ‖ u32 size ‖ u32 expires (hour) ‖ delete hash 32 ‖ content hash 32
type Blob struct {
	Position   uint64
	Size       uint32
	Expires    Hour
	DeleteHash [32]byte
	Content    [32]byte
}

// Marshal encodes the row.
func (b Blob) Marshal() []byte {
	row := binary.BigEndian.AppendUint64(make([]byte, 0, 80), b.Position)
	row = binary.BigEndian.AppendUint32(row, b.Size)
	row = binary.BigEndian.AppendUint32(row, uint32(b.Expires))
	row = append(row, b.DeleteHash[:]...)
	return append(row, b.Content[:]...)
}

// ParseBlob decodes a row.
func ParseBlob(row []byte) (Blob, error) {
	var b Blob
	s := cryptobyte.String(row)
	if !s.ReadUint64(&b.Position) || !s.ReadUint32(&b.Size) || !s.ReadUint32((*uint32)(&b.Expires)) ||
		!s.CopyBytes(b.DeleteHash[:]) || !s.CopyBytes(b.Content[:]) || !s.Empty() {
		return Blob{}, wire.ErrMalformed
	}
	return b, nil
}

// StoreBlob decides a put. Existing is nil if the id is free; what has expired but
// was not swept yet still holds its id. Blobs is how many the agent holds, and limit
// how many it may.
func StoreBlob(existing *Blob, put BlobPut, blobs, limit uint64) (*BlobPut, wire.Status) {
	switch {
	case existing != nil && existing.Content == put.Content && existing.DeleteHash == put.DeleteHash:
		return nil, wire.StatusOK
	case existing != nil:
		return nil, wire.StatusConflict
	case blobs >= limit:
		return nil, wire.StatusTryAgain
	}
	return &put, wire.StatusOK
}

// DeleteBlob decides whether the key deletes the blob.
func DeleteBlob(existing *Blob, id BlobID, key [32]byte) (*BlobDeleted, wire.Status) {
	if existing == nil {
		return nil, wire.StatusNotFound
	}
	hash := wire.Hash(wire.LabelBlobDelete, key[:])
	if subtle.ConstantTimeCompare(hash[:], existing.DeleteHash[:]) != 1 {
		return nil, wire.StatusAuth
	}
	return &BlobDeleted{ID: id}, wire.StatusOK
}
