package particle

import (
	"encoding/base64"
	"errors"
	"strings"
)

// A safety code is what one side shows as a QR code for the other to scan, with the
// same substance as the safety number, but told apart by whose it is:
//
//	communicator-verify:<base64url (RFC 4648, section 5) without padding, of>
//	    u8 version = 1 ‖ h[:30] of the document of who shows it ‖ h[:30] of the other's
//
// h is as in the safety number. The 102 characters fit a QR code of version 6, level L.
const (
	safetyScheme      = "communicator-verify:"
	safetyCodeVersion = 1
	safetyHalfSize    = 30
)

// Errors of comparing.
var (
	// ErrNotSafetyCode: neither a safety code nor 60 digits.
	ErrNotSafetyCode = errors.New("particle: neither a safety code nor a safety number")
	// ErrOwnSafetyCode: the code is the one that this side shows.
	ErrOwnSafetyCode = errors.New("particle: this is your own code, scan theirs")
	// ErrSafetyDiffers: the two sides do not have each other's identities: somebody may be
	// in the middle.
	ErrSafetyDiffers = errors.New("particle: safety numbers differ")
)

var safetyEncoding = base64.RawURLEncoding.Strict()

// SafetyCode returns the text of the QR code that this side shows.
func (p Particle) SafetyCode() string { return safetyCode(p.identity.Doc(), p.peer) }

func safetyCode(shows, other IdDoc) string {
	a, b := safetyDigest(shows), safetyDigest(other)
	return safetyScheme + safetyEncoding.EncodeToString(
		append(append([]byte{safetyCodeVersion}, a[:]...), b[:]...))
}

// CompareSafety compares what was scanned or read from the other side's screen, a safety
// code or the 60 digits in whatever groups, with this side's. Nil: the same.
//
// Errors: [ErrNotSafetyCode], [ErrVersion], [ErrOwnSafetyCode], [ErrSafetyDiffers].
func (p Particle) CompareSafety(text string) error {
	text = strings.Join(strings.Fields(text), "")
	if len(text) >= len(safetyScheme) && strings.EqualFold(text[:len(safetyScheme)], safetyScheme) {
		return p.compareCode(text[len(safetyScheme):])
	}
	if len(text) != 60 || strings.Trim(text, "0123456789") != "" {
		return ErrNotSafetyCode
	}
	if text != strings.ReplaceAll(p.SafetyNumber(), " ", "") {
		return ErrSafetyDiffers
	}
	return nil
}

func (p Particle) compareCode(text string) error {
	b, err := safetyEncoding.DecodeString(text)
	if err != nil || len(b) == 0 || safetyEncoding.EncodeToString(b) != text {
		return ErrNotSafetyCode
	}
	if b[0] != safetyCodeVersion {
		return ErrVersion
	}
	if len(b) != 1+2*safetyHalfSize {
		return ErrNotSafetyCode
	}
	switch safetyScheme + text {
	case safetyCode(p.peer, p.identity.Doc()):
		return nil
	case p.SafetyCode():
		return ErrOwnSafetyCode
	}
	return ErrSafetyDiffers
}
