package particle

import (
	"encoding/hex"
	"slices"
	"time"
	"unicode/utf8"

	"communicator/wire"
)

// What a message says, inside the session's encryption. A message without items is
// empty: it answers, acknowledges and nothing else.
//
//	u8 version ‖ message id 16 ‖ u64 sent, Unix milliseconds by the sender's clock
//	u64 highest address set of the receiver's that the sender has applied, 0 for none
//	u32 highest recovery package of the receiver's that the sender has stored, 0 for none
//	u8 count ‖ count × (u8 kind ‖ u16 length ‖ value), kinds ascending, each at most once
//
// The bucket is chosen for everything before [kindAddresses]; that kind and those after
// it use the spare room.
const (
	contentVersion = 1
	contentFixed   = 1 + 16 + 8 + 8 + 4 + 1
	itemOverhead   = 1 + 2
)

// Kinds of items. Numbers are part of the protocol and never reused.
const (
	kindText         = 1  // UTF-8, not empty, at most [MaxText] bytes
	kindIntroduction = 2  // an [Introduction]
	kindAlarm        = 3  // u64 chain ‖ u32 n: two ciphertexts of the receiver's for one place
	kindClaim        = 4  // a [Claim]
	kindCheckpoint   = 5  // a namespace's log as it was shown, 1 to [MaxCheckpoint] bytes
	kindPrevious     = 6  // session id 32: the session that this one re-establishes
	kindRelation     = 7  // what two identities say of each other, [RelationSize] bytes
	kindVeto         = 8  // a statement by its key alone, 1 to [MaxVeto] bytes
	kindAddresses    = 16 // a wire.AddressSet
	kindRecovery     = 17 // u32 number ‖ a package without a contact address
)

// MessageID is drawn by the sender and names a message to people: the same in both
// histories.
type MessageID [16]byte

func (id MessageID) String() string { return hex.EncodeToString(id[:]) }

// content is the decoded layout.
type content struct {
	id          MessageID
	sent        uint64 // Unix milliseconds
	setAck      uint64
	recoveryAck uint32
	text        string // empty: no item
	// introduction is an item's value, parsed once; nil: no item.
	introduction []byte
	alarm        *ForkPoint
	claim        *Claim
	checkpoint   []byte // nil: no item
	previous     *SessionID
	relation     []byte // nil: no item
	veto         []byte // nil: no item
	addresses    []byte // nil: no item
	recovery     *recoveryOffer
}

// recoveryOffer is a recovery package on its way to the peer.
type recoveryOffer struct {
	number uint32
	pkg    []byte
}

// marshal returns the part that decides the bucket and the part that uses spare room.
func (c content) marshal() (body, spare []byte) {
	var w, extra writer
	w.u8(contentVersion)
	w.raw(c.id[:])
	w.u64(c.sent)
	w.u64(c.setAck)
	w.u32(c.recoveryAck)
	count := len(w.b)
	w.u8(0)
	item := func(w2 *writer, kind uint8, value []byte) {
		w.b[count]++
		w2.u8(kind)
		w2.var16(value)
	}
	if c.text != "" {
		item(&w, kindText, []byte(c.text))
	}
	if c.introduction != nil {
		item(&w, kindIntroduction, c.introduction)
	}
	if c.alarm != nil {
		var v writer
		v.u64(c.alarm.Chain)
		v.u32(c.alarm.N)
		item(&w, kindAlarm, v.b)
	}
	if c.claim != nil {
		item(&w, kindClaim, append(c.claim.Statement[:], c.claim.MAC[:]...))
	}
	if c.checkpoint != nil {
		item(&w, kindCheckpoint, c.checkpoint)
	}
	if c.previous != nil {
		item(&w, kindPrevious, c.previous[:])
	}
	if c.relation != nil {
		item(&w, kindRelation, c.relation)
	}
	if c.veto != nil {
		item(&w, kindVeto, c.veto)
	}
	if c.addresses != nil {
		item(&extra, kindAddresses, c.addresses)
	}
	if c.recovery != nil {
		var v writer
		v.u32(c.recovery.number)
		v.raw(c.recovery.pkg)
		item(&extra, kindRecovery, v.b)
	}
	return w.b, extra.b
}

func parseContent(b []byte) (content, error) {
	if len(b) < contentFixed {
		return content{}, ErrMalformed
	}
	if b[0] != contentVersion {
		return content{}, ErrVersion
	}
	r := &reader{s: b[1:]}
	c := content{id: MessageID(r.bytes(16)), sent: r.u64(), setAck: r.u64(), recoveryAck: r.u32()}
	if c.sent > maxUnix*1000+999 {
		return content{}, ErrMalformed
	}
	last := uint8(0)
	for range r.u8() {
		kind := r.u8()
		value := r.var16(wire.MaxCiphertext)
		if !r.ok() || kind <= last {
			return content{}, ErrMalformed
		}
		last = kind
		if err := c.item(kind, value); err != nil {
			return content{}, err
		}
	}
	if !r.end() {
		return content{}, ErrMalformed
	}
	return c, nil
}

func (c *content) item(kind uint8, value []byte) error {
	r := &reader{s: value}
	switch kind {
	case kindText:
		if len(value) == 0 || !utf8.Valid(value) {
			return ErrMalformed
		}
		if len(value) > MaxText {
			return ErrTooLarge
		}
		c.text = string(value)
		return nil
	case kindIntroduction:
		if _, err := parseIntroduction(value); err != nil {
			return err
		}
		c.introduction = slices.Clone(value)
		return nil
	case kindAlarm:
		c.alarm = &ForkPoint{r.u64(), r.u32()}
	case kindClaim:
		c.claim = &Claim{[32]byte(r.bytes(32)), [32]byte(r.bytes(32))}
	case kindCheckpoint:
		if len(value) == 0 || len(value) > MaxCheckpoint {
			return ErrMalformed
		}
		c.checkpoint = slices.Clone(value)
		return nil
	case kindPrevious:
		sid := SessionID(r.bytes(32))
		c.previous = &sid
	case kindRelation:
		if len(value) != RelationSize {
			return ErrMalformed
		}
		c.relation = slices.Clone(value)
		return nil
	case kindVeto:
		if len(value) == 0 || len(value) > MaxVeto {
			return ErrMalformed
		}
		c.veto = slices.Clone(value)
		return nil
	case kindAddresses:
		if _, err := wire.ParseAddressSet(value); err != nil {
			return err
		}
		c.addresses = slices.Clone(value)
		return nil
	case kindRecovery:
		c.recovery = &recoveryOffer{r.u32(), slices.Clone(r.rest())}
	default:
		return ErrVersion
	}
	if !r.end() {
		return ErrMalformed
	}
	return nil
}

// Message is what one side said to the other.
type Message struct {
	ID   MessageID
	Sent time.Time // by the sender's clock, to the millisecond: a claim
	Text string    // empty in a message that only answers or acknowledges
	// Introduction, Claim and Checkpoint are what else it says, nil if nothing.
	Introduction *Introduction
	Claim        *Claim
	Checkpoint   []byte // a signed note: what the sender was shown of a namespace's log
	// Relation is a succession or an equivalence of two identities, as docs/namespace.md
	// has it; nobody has verified it yet.
	Relation []byte
	// Veto is a veto or a revocation, as docs/namespace.md has it; nobody has verified it.
	Veto []byte
}

func (c content) message() Message {
	m := Message{ID: c.id, Sent: time.UnixMilli(int64(c.sent)).UTC(), Text: c.text, Claim: c.claim, Checkpoint: c.checkpoint,
		Relation: c.relation, Veto: c.veto}
	if c.introduction != nil {
		m.Introduction, _ = parseIntroduction(c.introduction) // it was parsed before
	}
	return m
}
