package admit

import (
	"encoding/binary"

	"golang.org/x/crypto/cryptobyte"

	"communicator/wire"
)

// Kinds of a receiving agent's facts. Numbers are part of the log's format and
// never reused.
const (
	KindMailboxCreated  uint16 = wire.KindsMailbox + 1
	KindDelivered       uint16 = wire.KindsMailbox + 2
	KindCollected       uint16 = wire.KindsMailbox + 3
	KindExpired         uint16 = wire.KindsMailbox + 4
	KindAddressRevoked  uint16 = wire.KindsMailbox + 5
	KindMailboxRemoved  uint16 = wire.KindsMailbox + 6
	KindReplayForgotten uint16 = wire.KindsMailbox + 7
	KindBlobPut         uint16 = wire.KindsMailbox + 8
	KindBlobDeleted     uint16 = wire.KindsMailbox + 9
	KindBlobExpired     uint16 = wire.KindsMailbox + 10
)

// Version of every header layout in this package.
const Version uint8 = 1

// Fact is what a decision found: an event without its body.
type Fact interface {
	// Kind is one of the kinds above.
	Kind() uint16
	// Stream is what the fact is about: a mailbox id, a blob id, or nothing.
	Stream() []byte
	// Header is the canonical layout drawn beside the type.
	Header() []byte
}

// ReplayID recognises a put that was stored before: the first 16 bytes of
// HMAC(D, label ‖ mailbox ‖ H(payload)) under a weekly key D that lies outside the
// log. Without D it says nothing about the payload.
type ReplayID [16]byte

// Slot is one of an account's numbered places for mailboxes: the first 16 bytes of
// HMAC(A, label ‖ account ‖ u32 number) under a key A that lies outside the log.
type Slot [16]byte

// BlobID names a blob; its owner derives it from an invitation's secret.
type BlobID [32]byte

// MailboxCreated opens a mailbox, or extends the life of an open one.
//
//	u32 caps ‖ u32 expires (hour) ‖ slot 16
type MailboxCreated struct {
	Mailbox wire.MailboxID
	Caps    wire.Caps
	Expires Hour // no address of the mailbox is valid from here on
	Slot    Slot
}

// Delivered is a put that was taken; the body is its payload.
//
//	replay id 16 ‖ u32 notAfter (hour)
type Delivered struct {
	Mailbox  wire.MailboxID
	Replay   ReplayID
	NotAfter Hour
}

// Collected erases deliveries that their owner has acknowledged.
//
//	u8 count ‖ count × u64 position, ascending
type Collected struct {
	Mailbox   wire.MailboxID
	Positions []uint64 // 1 to [MaxPositions]
}

// Expired erases deliveries that nobody collected within the retention time. Its
// layout is that of [Collected].
type Expired struct {
	Mailbox   wire.MailboxID
	Positions []uint64
}

// AddressRevoked closes a mailbox to puts.
//
//	u8 mode ‖ u8 purge (0 or 1)
type AddressRevoked struct {
	Mailbox wire.MailboxID
	Mode    Mode // [Closed] or [Silent]
	Purge   bool // what is stored is erased too
}

// MailboxRemoved drops the row of a mailbox whose addresses are all void and which
// holds nothing any more. The header is empty.
type MailboxRemoved struct {
	Mailbox wire.MailboxID
}

// ReplayForgotten drops up to Limit replay ids of weeks before Before, the oldest
// weeks first, then in order of the id. The stream is empty.
//
//	u32 week ‖ u32 limit
type ReplayForgotten struct {
	Before wire.Epoch
	Limit  uint32
}

// BlobPut stores a blob; the body is its content.
//
//	u32 expires (hour) ‖ delete hash 32 ‖ content hash 32
type BlobPut struct {
	ID         BlobID
	Expires    Hour
	DeleteHash [32]byte
	Content    [32]byte // see [BlobContentHash]
}

// BlobDeleted erases a blob because its delete key was shown; BlobExpired because
// its time is over. Their headers are empty.
type (
	BlobDeleted struct{ ID BlobID }
	BlobExpired struct{ ID BlobID }
)

// MaxPositions is how many deliveries one fact erases: its header stays small.
const MaxPositions = 64

func (MailboxCreated) Kind() uint16  { return KindMailboxCreated }
func (Delivered) Kind() uint16       { return KindDelivered }
func (Collected) Kind() uint16       { return KindCollected }
func (Expired) Kind() uint16         { return KindExpired }
func (AddressRevoked) Kind() uint16  { return KindAddressRevoked }
func (MailboxRemoved) Kind() uint16  { return KindMailboxRemoved }
func (ReplayForgotten) Kind() uint16 { return KindReplayForgotten }
func (BlobPut) Kind() uint16         { return KindBlobPut }
func (BlobDeleted) Kind() uint16     { return KindBlobDeleted }
func (BlobExpired) Kind() uint16     { return KindBlobExpired }

func (f MailboxCreated) Stream() []byte  { return f.Mailbox[:] }
func (f Delivered) Stream() []byte       { return f.Mailbox[:] }
func (f Collected) Stream() []byte       { return f.Mailbox[:] }
func (f Expired) Stream() []byte         { return f.Mailbox[:] }
func (f AddressRevoked) Stream() []byte  { return f.Mailbox[:] }
func (f MailboxRemoved) Stream() []byte  { return f.Mailbox[:] }
func (f ReplayForgotten) Stream() []byte { return nil }
func (f BlobPut) Stream() []byte         { return f.ID[:] }
func (f BlobDeleted) Stream() []byte     { return f.ID[:] }
func (f BlobExpired) Stream() []byte     { return f.ID[:] }

func (f MailboxCreated) Header() []byte {
	b := binary.BigEndian.AppendUint32(make([]byte, 0, 24), uint32(f.Caps))
	b = binary.BigEndian.AppendUint32(b, uint32(f.Expires))
	return append(b, f.Slot[:]...)
}

func (f Delivered) Header() []byte {
	b := append(make([]byte, 0, 20), f.Replay[:]...)
	return binary.BigEndian.AppendUint32(b, uint32(f.NotAfter))
}

func (f Collected) Header() []byte { return positionsHeader(f.Positions) }
func (f Expired) Header() []byte   { return positionsHeader(f.Positions) }

// positionsHeader panics over [MaxPositions], which a decision never exceeds.
func positionsHeader(positions []uint64) []byte {
	if len(positions) == 0 || len(positions) > MaxPositions {
		panic("admit: fact with an impossible number of positions")
	}
	b := append(make([]byte, 0, 1+8*len(positions)), byte(len(positions)))
	for _, p := range positions {
		b = binary.BigEndian.AppendUint64(b, p)
	}
	return b
}

func (f AddressRevoked) Header() []byte {
	purge := byte(0)
	if f.Purge {
		purge = 1
	}
	return []byte{byte(f.Mode), purge}
}

func (MailboxRemoved) Header() []byte { return nil }
func (BlobDeleted) Header() []byte    { return nil }
func (BlobExpired) Header() []byte    { return nil }

func (f ReplayForgotten) Header() []byte {
	b := binary.BigEndian.AppendUint32(make([]byte, 0, 8), uint32(f.Before))
	return binary.BigEndian.AppendUint32(b, f.Limit)
}

func (f BlobPut) Header() []byte {
	b := binary.BigEndian.AppendUint32(make([]byte, 0, 68), uint32(f.Expires))
	b = append(b, f.DeleteHash[:]...)
	return append(b, f.Content[:]...)
}

// Knows says whether a kind is one of this package's, in a version that it can read.
func Knows(kind uint16, version uint8) bool {
	return parsers[kind] != nil && version == Version
}

// ParseFact decodes exactly one fact. An unknown kind or version fails with
// [wire.ErrVersion], anything else that is not canonical with [wire.ErrMalformed].
func ParseFact(kind uint16, version uint8, stream, header []byte) (Fact, error) {
	if !Knows(kind, version) {
		return nil, wire.ErrVersion
	}
	parse := parsers[kind]
	s := cryptobyte.String(header)
	f, ok := parse(stream, &s)
	if !ok || !s.Empty() {
		return nil, wire.ErrMalformed
	}
	return f, nil
}
