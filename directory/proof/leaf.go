package proof

import (
	"communicator/wire"

	"golang.org/x/mod/sumdb/tlog"
)

// NameSecret is s = Argon2id(name, NSID): it blinds a name in the log and in the DHT.
// The package dht/record derives it; it is given here, for it takes 32 MiB to compute.
type NameSecret [32]byte

// Opening opens the commitment of one log entry. It is random.
type Opening [32]byte

// LeafSize is the size of a log entry: tag 32 ‖ commitment 32.
const LeafSize = 2 * hashSize

// Tag is what an owner looks for in the log: H("comm/1/leaf" ‖ s ‖ u32 version). Two
// entries with one tag show that the namespace has bound one name twice.
func Tag(s NameSecret, version uint32) Hash {
	var w writer
	w.u32(version)
	return wire.Hash(wire.LabelLeaf, s[:], w.b)
}

// Commit commits to a signed statement: H("comm/1/commitment" ‖ opening ‖ statement).
func Commit(o Opening, statement []byte) Hash {
	return wire.Hash(wire.LabelCommitment, o[:], statement)
}

// Leaf is a log entry: the record that the tree hashes.
func Leaf(s NameSecret, version uint32, commitment Hash) []byte {
	tag := Tag(s, version)
	return append(tag[:], commitment[:]...)
}

// VerifyInclusion checks that the entry is in the tree of the checkpoint, in this place.
// Errors: [ErrInclusion].
func VerifyInclusion(c Checkpoint, index int64, leaf []byte, p tlog.RecordProof) error {
	if len(leaf) != LeafSize || index < 0 || index >= c.Size || c.Size > MaxTreeSize || len(p) > MaxProof {
		return ErrInclusion
	}
	if tlog.CheckRecord(p, c.Size, c.Root, index, tlog.RecordHash(leaf)) != nil {
		return ErrInclusion
	}
	return nil
}

// VerifyConsistency checks that newer continues older: the same entries in front.
// Errors: [ErrNamespace], [ErrConsistency].
func VerifyConsistency(older, newer Checkpoint, p tlog.TreeProof) error {
	switch {
	case older.NS != newer.NS:
		return ErrNamespace
	case older.Size < 0 || older.Size > newer.Size || newer.Size > MaxTreeSize || len(p) > MaxTreeProof:
		return ErrConsistency
	case older.Size == newer.Size || older.Size == 0:
		if len(p) != 0 || older.Size == newer.Size && older.Root != newer.Root {
			return ErrConsistency
		}
		return nil
	}
	if tlog.CheckTree(p, newer.Size, newer.Root, older.Size, older.Root) != nil {
		return ErrConsistency
	}
	return nil
}
