package particle

import (
	"bytes"
	"encoding/hex"
	"time"
	"unicode/utf8"
)

// An introduction is one step on the way of two people to each other through a third
// who has a relationship with both (docs/introduction.md). It travels inside the
// introducer's two sessions.
//
//	u8 step ‖ introduction id 16 ‖ by step:
//	1 ask      u64 expiry ‖ var8 name ‖ var16 note     introducer → each of the two
//	2 accept   var16 package                           one of the two → introducer
//	3 decline  –                                       one of the two → introducer
//	4 pass     var16 package                           introducer → each: the other's package
//	5 end      –                                       introducer → each: it will not happen
//
// The expiry is in Unix seconds. The name, 1 to 128 bytes of UTF-8, is what the
// introducer calls the other one; the note, at most 512, is the introducer's to both. A
// package is opaque here, 1 to [MaxPackage] bytes: who uses it verifies it.
type Introduction struct {
	Step    IntroductionStep
	ID      IntroductionID
	Expires time.Time // of an ask, whole seconds
	Name    string    // of an ask
	Note    string    // of an ask
	Package []byte    // of an accept or a pass
}

// IntroductionID names an introduction; its introducer draws it.
type IntroductionID [16]byte

func (id IntroductionID) String() string { return hex.EncodeToString(id[:]) }

// IntroductionStep says what a message about an introduction is.
type IntroductionStep uint8

// Steps. Numbers are part of the protocol.
const (
	IntroductionAsk     IntroductionStep = 1
	IntroductionAccept  IntroductionStep = 2
	IntroductionDecline IntroductionStep = 3
	IntroductionPass    IntroductionStep = 4
	IntroductionEnd     IntroductionStep = 5
)

// Limits of an ask, in bytes.
const (
	MaxIntroductionName = 128
	MaxIntroductionNote = 512
)

// marshal encodes the item's value, or fails with [ErrMalformed] or [ErrTooLarge].
func (i Introduction) marshal() ([]byte, error) {
	var w writer
	w.u8(uint8(i.Step))
	w.raw(i.ID[:])
	switch i.Step {
	case IntroductionAsk:
		if len(i.Name) > MaxIntroductionName || len(i.Note) > MaxIntroductionNote {
			return nil, ErrTooLarge
		}
		w.u64(uint64(i.Expires.Unix()))
		w.u8(uint8(len(i.Name)))
		w.raw([]byte(i.Name))
		w.var16([]byte(i.Note))
	case IntroductionAccept, IntroductionPass:
		if len(i.Package) > MaxPackage {
			return nil, ErrTooLarge
		}
		w.var16(i.Package)
	}
	_, err := parseIntroduction(w.b)
	return w.b, err
}

func parseIntroduction(b []byte) (*Introduction, error) {
	r := &reader{s: b}
	i := &Introduction{Step: IntroductionStep(r.u8()), ID: IntroductionID(r.bytes(16))}
	switch i.Step {
	case IntroductionAsk:
		expires := r.u64()
		i.Name = string(r.variable(int(r.u8()), MaxIntroductionName))
		i.Note = string(r.var16(MaxIntroductionNote))
		if expires > maxUnix || i.Name == "" || !utf8.ValidString(i.Name) || !utf8.ValidString(i.Note) {
			return nil, ErrMalformed
		}
		i.Expires = time.Unix(int64(expires), 0).UTC()
	case IntroductionAccept, IntroductionPass:
		i.Package = bytes.Clone(r.var16(MaxPackage))
		if len(i.Package) == 0 {
			return nil, ErrMalformed
		}
	case IntroductionDecline, IntroductionEnd:
	default:
		return nil, ErrVersion
	}
	if !r.end() {
		return nil, ErrMalformed
	}
	return i, nil
}

// Begins says which of two people who have each other's packages begins the handshake:
// the one whose identity document is the lower, compared as bytes. It uses the identity
// that its own package shows, so that the other side knows whom to expect. Two equal
// documents are one person, or a mirror: [ErrWrongPeer].
func Begins(own, peer IdDoc) (bool, error) {
	c := bytes.Compare(own[:], peer[:])
	if c == 0 || own.DH() == peer.DH() || own.Signing() == peer.Signing() {
		return false, ErrWrongPeer
	}
	return c < 0, nil
}

// Identity returns the identity that the package shows.
func (s *PackageSecret) Identity() Identity { return s.identity }
