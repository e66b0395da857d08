package logproof

import (
	"crypto/ed25519"
	"encoding/binary"

	"communicator/wire"
)

const (
	labelHead          wire.Label = "comm/1/log-head"
	labelHeadSignature wire.Label = "comm/1/log-head-signature"
)

// Head is what a node signs for one committed batch of its log. Each head names
// the one before, so a head stands for everything up to it.
type Head struct {
	LogID     [32]byte
	Number    uint64   // of the batch; 0 before the first
	Root      [32]byte // RFC 6962 tree hash of the batch's headers
	First     uint64   // sequence of the batch's first event
	Count     uint32
	Prev      [32]byte // hash of the head before; zeros for batch 1 of a first log
	Signature [ed25519.SignatureSize]byte
}

// Last is the newest sequence that the head covers.
func (h Head) Last() uint64 { return h.First + uint64(h.Count) - 1 }

// Hash is head_n, which the next head names and the signature covers.
func (h Head) Hash() [32]byte {
	var fixed [20]byte
	binary.BigEndian.PutUint64(fixed[0:], h.Number)
	binary.BigEndian.PutUint64(fixed[8:], h.First)
	binary.BigEndian.PutUint32(fixed[16:], h.Count)
	return wire.Hash(labelHead, h.LogID[:], fixed[:8], h.Root[:], fixed[8:], h.Prev[:])
}

// Sign fills in the signature. key is the node's root key.
func (h *Head) Sign(key ed25519.PrivateKey) {
	copy(h.Signature[:], ed25519.Sign(key, h.signed()))
}

// Verify reports whether the signature is by pub's key.
func (h Head) Verify(pub ed25519.PublicKey) bool {
	return len(pub) == ed25519.PublicKeySize && ed25519.Verify(pub, h.signed(), h.Signature[:])
}

func (h Head) signed() []byte {
	sum := h.Hash()
	return append([]byte(labelHeadSignature), sum[:]...)
}
