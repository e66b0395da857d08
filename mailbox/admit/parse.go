package admit

import (
	"golang.org/x/crypto/cryptobyte"

	"communicator/wire"
)

// parsers reads each kind's stream and header; ParseFact checks for trailing bytes.
var parsers = map[uint16]func(stream []byte, s *cryptobyte.String) (Fact, bool){
	KindMailboxCreated: func(stream []byte, s *cryptobyte.String) (Fact, bool) {
		var f MailboxCreated
		var caps, expires uint32
		ok := fill(f.Mailbox[:], stream) && s.ReadUint32(&caps) && s.ReadUint32(&expires) && s.CopyBytes(f.Slot[:])
		f.Caps, f.Expires = wire.Caps(caps), Hour(expires)
		return f, ok
	},
	KindDelivered: func(stream []byte, s *cryptobyte.String) (Fact, bool) {
		var f Delivered
		ok := fill(f.Mailbox[:], stream) && s.CopyBytes(f.Replay[:]) && s.ReadUint32((*uint32)(&f.NotAfter))
		return f, ok
	},
	KindCollected: func(stream []byte, s *cryptobyte.String) (Fact, bool) {
		var f Collected
		ok := fill(f.Mailbox[:], stream) && readPositions(s, &f.Positions)
		return f, ok
	},
	KindExpired: func(stream []byte, s *cryptobyte.String) (Fact, bool) {
		var f Expired
		ok := fill(f.Mailbox[:], stream) && readPositions(s, &f.Positions)
		return f, ok
	},
	KindAddressRevoked: func(stream []byte, s *cryptobyte.String) (Fact, bool) {
		var f AddressRevoked
		var purge uint8
		ok := fill(f.Mailbox[:], stream) && s.ReadUint8((*uint8)(&f.Mode)) && s.ReadUint8(&purge) &&
			(f.Mode == Closed || f.Mode == Silent) && purge <= 1
		f.Purge = purge == 1
		return f, ok
	},
	KindMailboxRemoved: func(stream []byte, _ *cryptobyte.String) (Fact, bool) {
		var f MailboxRemoved
		ok := fill(f.Mailbox[:], stream)
		return f, ok
	},
	KindReplayForgotten: func(stream []byte, s *cryptobyte.String) (Fact, bool) {
		var f ReplayForgotten
		ok := len(stream) == 0 && s.ReadUint32((*uint32)(&f.Before)) && s.ReadUint32(&f.Limit)
		return f, ok
	},
	KindBlobPut: func(stream []byte, s *cryptobyte.String) (Fact, bool) {
		var f BlobPut
		ok := fill(f.ID[:], stream) && s.ReadUint32((*uint32)(&f.Expires)) &&
			s.CopyBytes(f.DeleteHash[:]) && s.CopyBytes(f.Content[:])
		return f, ok
	},
	KindBlobDeleted: func(stream []byte, _ *cryptobyte.String) (Fact, bool) {
		var f BlobDeleted
		ok := fill(f.ID[:], stream)
		return f, ok
	},
	KindBlobExpired: func(stream []byte, _ *cryptobyte.String) (Fact, bool) {
		var f BlobExpired
		ok := fill(f.ID[:], stream)
		return f, ok
	},
}

// fill copies a stream name of exactly the right length.
func fill(dst, stream []byte) bool { return copy(dst, stream) == len(dst) && len(stream) == len(dst) }

// readPositions accepts only the layout that positionsHeader writes: at least one
// position, ascending, none twice.
func readPositions(s *cryptobyte.String, positions *[]uint64) bool {
	var count uint8
	if !s.ReadUint8(&count) || count == 0 || count > MaxPositions {
		return false
	}
	*positions = make([]uint64, count)
	last := uint64(0)
	for i := range *positions {
		if !s.ReadUint64(&(*positions)[i]) || (*positions)[i] <= last {
			return false
		}
		last = (*positions)[i]
	}
	return true
}
