package wire

import (
	"encoding/binary"
	"fmt"
	"time"

	"golang.org/x/crypto/cryptobyte"
)

// AddressVersion is the version byte of an encoded [Address].
const AddressVersion = 1

// Caps are what an address may be used for.
type Caps uint32

// Capabilities of an address; unknown bits are refused.
const (
	CapLifeline Caps = 1 << iota // two years, low rate, accepts successor sealing keys
	CapContact                   // a contact mailbox: first messages only
	capsKnown   = CapLifeline | CapContact
)

// Address is a delivery address: a capability that its owner minted for one
// correspondent. Whoever holds it can deliver to the mailbox until it expires or
// the owner closes it.
//
//	u8 version ‖ u32 generation ‖ agent id 32 ‖ epoch pin 32 ‖ mailbox 16 ‖
//	K 32 ‖ u32 epoch ‖ u64 exp ‖ u32 caps ‖ u8 length ‖ URI
type Address struct {
	Generation uint32
	Agent      AgentID
	// Pin fixes the sealing key of Epoch; for a lifeline it is the chain hash of
	// the agent's descriptor when the address was minted.
	Pin     EpochPin
	Mailbox MailboxID
	Key     [32]byte  // K = HMAC(S_e, label ‖ mailbox ‖ u32 e ‖ u64 exp ‖ u32 caps)
	Epoch   Epoch     // the week, or for a lifeline the year, of the agent's secret
	Expires time.Time // whole seconds
	Caps    Caps
	URI     string // where the agent was last known: a multiaddr ending in /p2p/…
}

const addressFixed = 1 + 4 + 32 + 32 + 16 + 32 + 4 + 8 + 4 + 1

// Marshal encodes the address. It panics if the URI is over [MaxURI], which a
// constructed address never is.
func (a Address) Marshal() []byte {
	if len(a.URI) > MaxURI {
		panic("wire: address with an overlong URI")
	}
	b := make([]byte, 0, addressFixed+len(a.URI))
	b = append(b, AddressVersion)
	b = binary.BigEndian.AppendUint32(b, a.Generation)
	b = append(b, a.Agent[:]...)
	b = append(b, a.Pin[:]...)
	b = append(b, a.Mailbox[:]...)
	b = append(b, a.Key[:]...)
	b = binary.BigEndian.AppendUint32(b, uint32(a.Epoch))
	b = binary.BigEndian.AppendUint64(b, uint64(a.Expires.Unix()))
	b = binary.BigEndian.AppendUint32(b, uint32(a.Caps))
	b = append(b, byte(len(a.URI)))
	return append(b, a.URI...)
}

// ParseAddress decodes exactly one address.
func ParseAddress(b []byte) (Address, error) {
	var a Address
	s := cryptobyte.String(b)
	var version uint8
	if !s.ReadUint8(&version) {
		return a, ErrMalformed
	}
	if version != AddressVersion {
		return a, ErrVersion
	}
	var epoch, caps uint32
	var exp uint64
	var uri cryptobyte.String
	if !s.ReadUint32(&a.Generation) || !s.CopyBytes(a.Agent[:]) || !s.CopyBytes(a.Pin[:]) ||
		!s.CopyBytes(a.Mailbox[:]) || !s.CopyBytes(a.Key[:]) || !s.ReadUint32(&epoch) ||
		!s.ReadUint64(&exp) || !s.ReadUint32(&caps) || !s.ReadUint8LengthPrefixed(&uri) || !s.Empty() {
		return a, ErrMalformed
	}
	if len(uri) > MaxURI {
		return a, ErrTooLarge
	}
	if Caps(caps)&^capsKnown != 0 {
		return a, fmt.Errorf("%w: capability bits %#x", ErrVersion, caps)
	}
	if exp > maxUnix {
		return a, ErrMalformed
	}
	a.Epoch, a.Caps = Epoch(epoch), Caps(caps)
	a.Expires, a.URI = time.Unix(int64(exp), 0).UTC(), string(uri)
	return a, nil
}

// maxUnix is the last second of the year 9999, so that times print and compare.
const maxUnix = 253402300799

// AddressSet is every address that one side offers the other at the moment:
// complete, and numbered, so that only a higher number replaces it.
//
//	u64 number ‖ u8 count ‖ count × (u16 length ‖ address)
type AddressSet struct {
	Number    uint64
	Addresses []Address
}

// Marshal encodes the set, or fails with [ErrTooLarge] over [MaxAddresses] or
// [MaxAddressSet].
func (s AddressSet) Marshal() ([]byte, error) {
	if len(s.Addresses) > MaxAddresses {
		return nil, ErrTooLarge
	}
	b := binary.BigEndian.AppendUint64(nil, s.Number)
	b = append(b, byte(len(s.Addresses)))
	for _, a := range s.Addresses {
		enc := a.Marshal()
		b = binary.BigEndian.AppendUint16(b, uint16(len(enc)))
		b = append(b, enc...)
	}
	if len(b) > MaxAddressSet {
		return nil, ErrTooLarge
	}
	return b, nil
}

// ParseAddressSet decodes exactly one set.
func ParseAddressSet(b []byte) (AddressSet, error) {
	var set AddressSet
	if len(b) > MaxAddressSet {
		return set, ErrTooLarge
	}
	s := cryptobyte.String(b)
	var count uint8
	if !s.ReadUint64(&set.Number) || !s.ReadUint8(&count) {
		return set, ErrMalformed
	}
	if count > MaxAddresses {
		return set, ErrTooLarge
	}
	for range count {
		var enc cryptobyte.String
		if !s.ReadUint16LengthPrefixed(&enc) {
			return AddressSet{}, ErrMalformed
		}
		a, err := ParseAddress(enc)
		if err != nil {
			return AddressSet{}, err
		}
		set.Addresses = append(set.Addresses, a)
	}
	if !s.Empty() {
		return AddressSet{}, ErrMalformed
	}
	return set, nil
}
