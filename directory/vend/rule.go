package vend

import (
	"encoding/binary"

	"golang.org/x/crypto/cryptobyte"

	"communicator/wire"
)

// Rule says who may have a package of a name.
type Rule uint8

// Rules of contact. Numbers are part of the protocol.
const (
	Default  Rule = 0 // of a name: what its namespace says
	Closed   Rule = 1
	Invited  Rule = 2
	Members  Rule = 3
	Approved Rule = 4
	Open     Rule = 5
)

var ruleText = [...]string{"default", "closed", "invited", "members", "approved", "open"}

func (r Rule) String() string {
	if int(r) < len(ruleText) {
		return ruleText[r]
	}
	return "unknown"
}

// Policy is a rule and how often it may grant: packages an hour, or for [Approved] new
// waiting requests an hour.
type Policy struct {
	Rule    Rule
	PerHour uint32
}

// valid says whether the policy may be set, for a name or as a namespace's default.
func (p Policy) valid(l Limits, name bool) bool {
	if p.Rule == Default {
		return name && p.PerHour == 0
	}
	return p.Rule <= Open && p.PerHour <= l.PerHour && (p.PerHour > 0 || p.Rule == Closed)
}

// Space is what holds for a namespace's names that say nothing else. Without a row
// everything is closed. Its row:
//
//	u8 rule ‖ u32 per hour ‖ u8 work bits
type Space struct {
	Policy
	// WorkBits is the proof of work of the rules [Approved] and [Open], one number for
	// the whole namespace, so that it tells nothing about a name.
	WorkBits uint8
}

// Marshal encodes the row.
func (s Space) Marshal() []byte {
	b := append(make([]byte, 0, 6), byte(s.Rule))
	b = binary.BigEndian.AppendUint32(b, s.PerHour)
	return append(b, s.WorkBits)
}

// ParseSpace decodes a row.
func ParseSpace(row []byte) (Space, error) {
	var s Space
	c := cryptobyte.String(row)
	if !c.ReadUint8((*uint8)(&s.Rule)) || !c.ReadUint32(&s.PerHour) || !c.ReadUint8(&s.WorkBits) || !c.Empty() ||
		s.Rule < Closed || s.Rule > Open {
		return Space{}, wire.ErrMalformed
	}
	return s, nil
}

// Name is what a directory keeps of a name besides its packages and requests. Its row:
//
//	identity 32 ‖ u32 era ‖ u8 rule ‖ u32 per hour ‖ u32 generation ‖ u32 stock ‖ u32 waiting ‖ u64 last resort ‖
//	u32 last resort expires (hour) ‖ u32 window (hour) ‖ u32 used ‖ u32 drained (hour) ‖ u32 shared ‖
//	the package vended last, if any was: u32 expires (hour) ‖ u64 position
type Name struct {
	// Identity is the hash of the identity document whose holder said all of this. While
	// the name is somebody else's, nothing of it holds.
	Identity Identity
	// Era counts how often the log had been restored when that was: of an earlier era
	// nothing holds either, since a package in stock may have been vended after the backup.
	Era uint32
	Policy
	// Generation grows with each Identity: what was added before is vended no more, not
	// even to a request that had it.
	Generation uint32
	Stock      uint32 // one-time packages of this generation, those about to expire included
	Waiting    uint32 // requests that wait for the owner

	LastResort        uint64 // position of the last-resort package, 0 for none
	LastResortExpires Hour

	Window Hour   // the hour that Used counts in
	Used   uint32 // what the rule granted in it

	Drained Hour   // when the stock was first found empty since the last upload; 0 never
	Shared  uint32 // how often the last-resort package was vended since then

	// from is where the one-time packages begin that may still be vended: at the one that
	// was vended last, or before it if one was added there. Scanning from the beginning
	// would walk over what the table keeps of all that were vended. Zero for the beginning.
	from stocked
}

// Marshal encodes the row.
func (n Name) Marshal() []byte {
	b := binary.BigEndian.AppendUint32(append(make([]byte, 0, 97), n.Identity[:]...), n.Era)
	b = append(b, byte(n.Rule))
	for _, v := range []uint32{n.PerHour, n.Generation, n.Stock, n.Waiting} {
		b = binary.BigEndian.AppendUint32(b, v)
	}
	b = binary.BigEndian.AppendUint64(b, n.LastResort)
	for _, v := range []uint32{uint32(n.LastResortExpires), uint32(n.Window), n.Used, uint32(n.Drained), n.Shared} {
		b = binary.BigEndian.AppendUint32(b, v)
	}
	if n.from != (stocked{}) {
		b = binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint32(b, uint32(n.from.expires)), n.from.position)
	}
	return b
}

// ParseName decodes a row.
func ParseName(row []byte) (Name, error) {
	var n Name
	c := cryptobyte.String(row)
	if !c.CopyBytes(n.Identity[:]) || !c.ReadUint32(&n.Era) || !c.ReadUint8((*uint8)(&n.Rule)) || !c.ReadUint32(&n.PerHour) ||
		!c.ReadUint32(&n.Generation) ||
		!c.ReadUint32(&n.Stock) || !c.ReadUint32(&n.Waiting) || !c.ReadUint64(&n.LastResort) ||
		!c.ReadUint32((*uint32)(&n.LastResortExpires)) || !c.ReadUint32((*uint32)(&n.Window)) ||
		!c.ReadUint32(&n.Used) || !c.ReadUint32((*uint32)(&n.Drained)) || !c.ReadUint32(&n.Shared) || n.Rule > Open {
		return Name{}, wire.ErrMalformed
	}
	if c.Empty() {
		return n, nil
	}
	if !c.ReadUint32((*uint32)(&n.from.expires)) || !c.ReadUint64(&n.from.position) || !c.Empty() || n.from == (stocked{}) {
		return Name{}, wire.ErrMalformed
	}
	return n, nil
}

// heldBy says whether what the row says still holds.
func (n *Name) heldBy(holder Identity, era uint32) bool {
	return n != nil && holder != (Identity{}) && n.Identity == holder && n.Era == era
}

// policy is what holds for the name.
func (n Name) policy(s Space) Policy {
	if n.Rule == Default {
		return s.Policy
	}
	return n.Policy
}

// used is how much of the hour's number is gone.
func (n Name) used(now Hour) uint32 {
	if n.Window != now {
		return 0
	}
	return n.Used
}
