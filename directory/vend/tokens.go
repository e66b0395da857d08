package vend

import (
	"time"

	"communicator/wire"
)

// TokenKind says what a token permits.
type TokenKind uint8

// Kinds of tokens. Numbers are part of the protocol.
const (
	Registration TokenKind = 1 // to register one name; made by the authority; used once
	Member       TokenKind = 2 // to contact whoever accepts members; made by the authority
	Contact      TokenKind = 3 // to contact one name; made by its owner; used once
)

func (k TokenKind) valid() bool { return k >= Registration && k <= Contact }

// Token is 32 random bytes, drawn by whoever issues it and handed on outside of the
// directory, which learns only its digest before it is shown.
type Token [32]byte

// Scope is what a token is good for: the first 16 bytes of a namespace's identifier, or
// what [OwnerScope] makes of a name and its holder.
type Scope [16]byte

// SpaceScope is the scope of the authority's tokens.
func SpaceScope(id SpaceID) Scope { return Scope(id[:16]) }

// OwnerScope is the scope of the tokens that whoever holds a name with an identity
// makes: they end with it.
func OwnerScope(id NameID, holder Identity) Scope {
	h := wire.Hash(wire.LabelDirectoryOwner, id[:], holder[:])
	return Scope(h[:16])
}

// TokenDigest is what a directory keeps of a token.
func TokenDigest(kind TokenKind, scope Scope, t Token) Digest {
	h := wire.Hash(wire.LabelDirectoryToken, []byte{byte(kind)}, scope[:], t[:])
	return Digest(h[:16])
}

// Issue makes tokens valid. Asking again is harmless; a token that is valid keeps its
// expiry.
type Issue struct {
	Token   TokenKind
	Scope   Scope
	Expires time.Time
	Digests []Digest
}

func (in Issue) step(s *step) error {
	expires := HourAt(in.Expires)
	switch {
	case !in.Token.valid() || in.Expires.After(s.now.Add(MaxTokenLife)):
		return s.refuse(wire.StatusMalformed)
	case len(in.Digests) == 0 || len(in.Digests) > MaxTokens:
		return s.refuse(wire.StatusTooLarge)
	case expires <= s.hour:
		return s.refuse(wire.StatusExpired)
	}
	valid, err := getCount(s.rows, countKey(in.Token, in.Scope))
	if err != nil {
		return err
	}
	f := TokensIssued{Token: in.Token, Scope: in.Scope, Expires: expires}
	seen := map[Digest]bool{}
	for _, d := range in.Digests {
		row, err := s.rows.Get(tokenKey(in.Token, in.Scope, d))
		if err != nil {
			return err
		}
		if row == nil && !seen[d] {
			f.Digests = append(f.Digests, d)
		}
		seen[d] = true
	}
	if valid+uint32(len(f.Digests)) > s.limits.Tokens {
		return s.refuse(wire.StatusTryAgain)
	}
	if len(f.Digests) > 0 {
		s.fact(f)
	}
	return nil
}

// Revoke makes tokens void. Those that are not valid are passed over.
type Revoke struct {
	Token   TokenKind
	Scope   Scope
	Digests []Digest
}

func (in Revoke) step(s *step) error {
	switch {
	case !in.Token.valid():
		return s.refuse(wire.StatusMalformed)
	case len(in.Digests) == 0 || len(in.Digests) > MaxTokens:
		return s.refuse(wire.StatusTooLarge)
	}
	f := TokensRevoked{Token: in.Token, Scope: in.Scope}
	seen := map[Digest]bool{}
	for _, d := range in.Digests {
		row, err := s.rows.Get(tokenKey(in.Token, in.Scope, d))
		if err != nil {
			return err
		}
		if row != nil && !seen[d] {
			f.Digests = append(f.Digests, d)
		}
		seen[d] = true
	}
	if len(f.Digests) > 0 {
		s.fact(f)
	}
	return nil
}

// Spend uses up a registration token, or is refused with [wire.StatusPermission].
type Spend struct {
	Space SpaceID
	Token Token
}

func (in Spend) step(s *step) error {
	scope := SpaceScope(in.Space)
	d := TokenDigest(Registration, scope, in.Token)
	ok, err := validToken(s.rows, Registration, scope, d, s.hour)
	if err != nil {
		return err
	}
	if !ok {
		return s.refuse(wire.StatusPermission)
	}
	s.fact(TokenSpent{Token: Registration, Scope: scope, Digest: d})
	return nil
}
