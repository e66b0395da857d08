package vend

import (
	"golang.org/x/crypto/cryptobyte"

	"communicator/wire"
)

// Knows says whether a kind is one of this package's, in a version that it can read.
func Knows(kind uint16, version uint8) bool {
	return parsers[kind] != nil && version == Version
}

// ParseFact decodes exactly one fact, without its body. An unknown kind or version fails
// with [wire.ErrVersion], anything else that is not canonical with [wire.ErrMalformed].
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

// Ours says whether a kind is of this package.
func Ours(kind uint16) bool { return kind >= KindSpaceSet && kind <= KindEraBegun }

// parsers reads each kind's stream and header; ParseFact checks for trailing bytes.
var parsers = map[uint16]func(stream []byte, s *cryptobyte.String) (Fact, bool){
	KindSpaceSet: func(stream []byte, s *cryptobyte.String) (Fact, bool) {
		var f SpaceSet
		space, err := ParseSpace(*s)
		*s = nil
		f.Space = space
		return f, fill(f.ID[:], stream) && err == nil
	},
	KindRuleSet: func(stream []byte, s *cryptobyte.String) (Fact, bool) {
		var f RuleSet
		ok := fill(f.Name[:], stream) && s.ReadUint8((*uint8)(&f.Rule)) && s.ReadUint32(&f.PerHour) && f.Rule <= Open
		return f, ok
	},
	KindPackageAdded: func(stream []byte, s *cryptobyte.String) (Fact, bool) {
		var f PackageAdded
		ok := fill(f.Name[:], stream) && readKind(s, &f.Package) && s.ReadUint32((*uint32)(&f.Expires)) &&
			s.CopyBytes(f.Digest[:])
		return f, ok
	},
	KindPackageVended: func(stream []byte, s *cryptobyte.String) (Fact, bool) {
		var f PackageVended
		ok := fill(f.Name[:], stream) && readKind(s, &f.Package) && s.ReadUint32((*uint32)(&f.Expires)) &&
			s.ReadUint64(&f.Position) && s.CopyBytes(f.Request[:]) && s.CopyBytes(f.Token[:]) &&
			s.CopyBytes(f.Scope[:])
		return f, ok
	},
	KindStockVoided: func(stream []byte, s *cryptobyte.String) (Fact, bool) {
		var f StockVoided
		ok := fill(f.Name[:], stream) && s.CopyBytes(f.Identity[:])
		return f, ok
	},
	KindContactAsked: func(stream []byte, s *cryptobyte.String) (Fact, bool) {
		var f ContactAsked
		ok := fill(f.Name[:], stream) && s.ReadUint32((*uint32)(&f.Forget)) && s.CopyBytes(f.Request[:])
		return f, ok
	},
	KindContactDeclined: func(stream []byte, s *cryptobyte.String) (Fact, bool) {
		var f ContactDeclined
		ok := fill(f.Name[:], stream) && s.CopyBytes(f.Request[:])
		return f, ok
	},
	KindTokensIssued: func(stream []byte, s *cryptobyte.String) (Fact, bool) {
		var f TokensIssued
		ok := fill(f.Scope[:], stream) && readToken(s, &f.Token) && s.ReadUint32((*uint32)(&f.Expires)) &&
			readDigests(s, &f.Digests)
		return f, ok
	},
	KindTokensRevoked: func(stream []byte, s *cryptobyte.String) (Fact, bool) {
		var f TokensRevoked
		ok := fill(f.Scope[:], stream) && readToken(s, &f.Token) && readDigests(s, &f.Digests)
		return f, ok
	},
	KindTokenSpent: func(stream []byte, s *cryptobyte.String) (Fact, bool) {
		var f TokenSpent
		ok := fill(f.Scope[:], stream) && readToken(s, &f.Token) && s.CopyBytes(f.Digest[:])
		return f, ok
	},
	KindForgotten: func(stream []byte, s *cryptobyte.String) (Fact, bool) {
		var f Forgotten
		ok := len(stream) == 0 && s.ReadUint32((*uint32)(&f.Before)) && s.ReadUint32(&f.Limit)
		return f, ok
	},
	KindEraBegun: func(stream []byte, s *cryptobyte.String) (Fact, bool) {
		var f EraBegun
		ok := len(stream) == 0 && s.ReadUint32(&f.Era)
		return f, ok
	},
}

// fill copies a stream name of exactly the right length.
func fill(dst, stream []byte) bool { return len(stream) == len(dst) && copy(dst, stream) == len(dst) }

func readKind(s *cryptobyte.String, k *PackageKind) bool {
	return s.ReadUint8((*uint8)(k)) && (*k == OneTime || *k == LastResort)
}

func readToken(s *cryptobyte.String, k *TokenKind) bool {
	return s.ReadUint8((*uint8)(k)) && k.valid()
}

func readDigests(s *cryptobyte.String, digests *[]Digest) bool {
	var count uint8
	if !s.ReadUint8(&count) || count == 0 || count > MaxTokens {
		return false
	}
	*digests = make([]Digest, count)
	for i := range *digests {
		if !s.CopyBytes((*digests)[i][:]) {
			return false
		}
	}
	return true
}
