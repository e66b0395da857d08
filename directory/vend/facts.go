package vend

import (
	"encoding/binary"

	"communicator/wire"
)

// Kinds of facts. Numbers are part of the log's format and never reused.
const (
	KindSpaceSet        uint16 = wire.KindsDirectory + 0x20 + iota
	KindRuleSet                // a name's rule of contact
	KindPackageAdded           // an owner put a package into stock
	KindPackageVended          // a package went to a request
	KindStockVoided            // another identity holds the name
	KindContactAsked           // a request waits for the owner
	KindContactDeclined        // the owner said no
	KindTokensIssued
	KindTokensRevoked
	KindTokenSpent // a registration's
	KindForgotten  // what has expired was dropped
	KindEraBegun   // the log was restored from a backup
)

// Version of every header layout in this package.
const Version uint8 = 1

// Fact is what a step found: an event.
type Fact interface {
	// Kind is one of the kinds above.
	Kind() uint16
	// Stream is what the fact is about: a name id, a namespace, a scope, or nothing.
	Stream() []byte
	// Header is the canonical layout drawn beside the type.
	Header() []byte
}

// PackageKind tells packages apart.
type PackageKind uint8

// Kinds of packages.
const (
	OneTime    PackageKind = 1
	LastResort PackageKind = 2
)

// SpaceSet sets what holds for a namespace's names. The header is [Space]'s row.
type SpaceSet struct {
	ID SpaceID
	Space
}

// RuleSet sets a name's rule of contact.
//
//	u8 rule ‖ u32 per hour
type RuleSet struct {
	Name NameID
	Policy
}

// PackageAdded brings a package; the body is the package.
//
//	u8 kind ‖ u32 expires (hour) ‖ digest 16
type PackageAdded struct {
	Name    NameID
	Package PackageKind
	Expires Hour // no longer than [MaxPackageLife] ahead
	Digest  Digest
	Bytes   []byte // not in the header
}

// PackageVended gives a package to a request. Token is of a single-use token that is
// gone with it, zeros without one.
//
//	u8 kind ‖ u32 expires (hour) ‖ u64 position ‖ request 16 ‖ token 16 ‖ scope 16
type PackageVended struct {
	Name     NameID
	Package  PackageKind
	Expires  Hour
	Position uint64
	Request  Digest
	Token    Digest
	Scope    Scope // of the token
}

// StockVoided begins anew under an identity: nothing that another one set or added holds.
//
//	identity 32
type StockVoided struct {
	Name     NameID
	Identity Identity
}

// ContactAsked is a request that waits for the owner; the body is its note.
//
//	u32 forget (hour) ‖ request 16
type ContactAsked struct {
	Name    NameID
	Forget  Hour
	Request Digest
	Note    []byte // not in the header
}

// ContactDeclined erases the note of a request that waits; the request stays known, and
// is refused, until it is forgotten.
//
//	request 16
type ContactDeclined struct {
	Name    NameID
	Request Digest
}

// TokensIssued makes tokens valid.
//
//	u8 kind ‖ u32 expires (hour) ‖ u8 count ‖ count × digest 16
type TokensIssued struct {
	Token   TokenKind
	Scope   Scope
	Expires Hour
	Digests []Digest // 1 to [MaxTokens]
}

// TokensRevoked makes tokens void.
//
//	u8 kind ‖ u8 count ‖ count × digest 16
type TokensRevoked struct {
	Token   TokenKind
	Scope   Scope
	Digests []Digest
}

// TokenSpent makes one single-use token void because it was used.
//
//	u8 kind ‖ digest 16
type TokenSpent struct {
	Token  TokenKind
	Scope  Scope
	Digest Digest
}

// Forgotten drops up to Limit packages, requests and tokens each whose hour is before
// Before, the oldest first. The stream is empty.
//
//	u32 before (hour) ‖ u32 limit
type Forgotten struct {
	Before Hour
	Limit  uint32
}

// EraBegun ends every stock: the log goes on from a backup, and nobody knows which of the
// packages in it were vended since. The stream is empty.
//
//	u32 era
type EraBegun struct{ Era uint32 }

func (EraBegun) Kind() uint16        { return KindEraBegun }
func (SpaceSet) Kind() uint16        { return KindSpaceSet }
func (RuleSet) Kind() uint16         { return KindRuleSet }
func (PackageAdded) Kind() uint16    { return KindPackageAdded }
func (PackageVended) Kind() uint16   { return KindPackageVended }
func (StockVoided) Kind() uint16     { return KindStockVoided }
func (ContactAsked) Kind() uint16    { return KindContactAsked }
func (ContactDeclined) Kind() uint16 { return KindContactDeclined }
func (TokensIssued) Kind() uint16    { return KindTokensIssued }
func (TokensRevoked) Kind() uint16   { return KindTokensRevoked }
func (TokenSpent) Kind() uint16      { return KindTokenSpent }
func (Forgotten) Kind() uint16       { return KindForgotten }

func (f SpaceSet) Stream() []byte        { return f.ID[:] }
func (f RuleSet) Stream() []byte         { return f.Name[:] }
func (f PackageAdded) Stream() []byte    { return f.Name[:] }
func (f PackageVended) Stream() []byte   { return f.Name[:] }
func (f StockVoided) Stream() []byte     { return f.Name[:] }
func (f ContactAsked) Stream() []byte    { return f.Name[:] }
func (f ContactDeclined) Stream() []byte { return f.Name[:] }
func (f TokensIssued) Stream() []byte    { return f.Scope[:] }
func (f TokensRevoked) Stream() []byte   { return f.Scope[:] }
func (f TokenSpent) Stream() []byte      { return f.Scope[:] }
func (Forgotten) Stream() []byte         { return nil }
func (EraBegun) Stream() []byte          { return nil }

func (f SpaceSet) Header() []byte { return f.Space.Marshal() }

func (f RuleSet) Header() []byte {
	return binary.BigEndian.AppendUint32(append(make([]byte, 0, 5), byte(f.Rule)), f.PerHour)
}

func (f PackageAdded) Header() []byte {
	b := binary.BigEndian.AppendUint32(append(make([]byte, 0, 21), byte(f.Package)), uint32(f.Expires))
	return append(b, f.Digest[:]...)
}

func (f PackageVended) Header() []byte {
	b := binary.BigEndian.AppendUint32(append(make([]byte, 0, 61), byte(f.Package)), uint32(f.Expires))
	b = binary.BigEndian.AppendUint64(b, f.Position)
	b = append(b, f.Request[:]...)
	b = append(b, f.Token[:]...)
	return append(b, f.Scope[:]...)
}

func (f StockVoided) Header() []byte { return f.Identity[:] }

func (f ContactAsked) Header() []byte {
	b := binary.BigEndian.AppendUint32(make([]byte, 0, 20), uint32(f.Forget))
	return append(b, f.Request[:]...)
}

func (f ContactDeclined) Header() []byte { return f.Request[:] }

func (f TokensIssued) Header() []byte {
	b := binary.BigEndian.AppendUint32([]byte{byte(f.Token)}, uint32(f.Expires))
	return appendDigests(b, f.Digests)
}

func (f TokensRevoked) Header() []byte { return appendDigests([]byte{byte(f.Token)}, f.Digests) }

func (f TokenSpent) Header() []byte { return append([]byte{byte(f.Token)}, f.Digest[:]...) }

func (f Forgotten) Header() []byte {
	b := binary.BigEndian.AppendUint32(make([]byte, 0, 8), uint32(f.Before))
	return binary.BigEndian.AppendUint32(b, f.Limit)
}

func (f EraBegun) Header() []byte { return be32(f.Era) }

// appendDigests panics over [MaxTokens], which a step never exceeds.
func appendDigests(b []byte, digests []Digest) []byte {
	if len(digests) == 0 || len(digests) > MaxTokens {
		panic("vend: fact with an impossible number of digests")
	}
	b = append(b, byte(len(digests)))
	for _, d := range digests {
		b = append(b, d[:]...)
	}
	return b
}

// Body is what the event carries beside its header: a package, a note, or nothing.
func Body(f Fact) []byte {
	switch f := f.(type) {
	case PackageAdded:
		return f.Bytes
	case ContactAsked:
		return f.Note
	}
	return nil
}
