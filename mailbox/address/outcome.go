package address

import (
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"time"

	"communicator/wire"

	"golang.org/x/crypto/chacha20poly1305"
)

// OutcomeCode says what became of a put.
type OutcomeCode uint8

// Codes. A closed mailbox is closed for good; a full one is worth another attempt,
// freshly sealed, after the time given.
const (
	Stored OutcomeCode = 1
	Closed OutcomeCode = 2
	Full   OutcomeCode = 3
)

func (c OutcomeCode) String() string {
	switch c {
	case Stored:
		return "stored"
	case Closed:
		return "address closed"
	case Full:
		return "mailbox full"
	}
	return fmt.Sprintf("outcome %d", uint8(c))
}

// Outcome is what the sender learns, and nobody between.
type Outcome struct {
	Code       OutcomeCode
	RetryAfter time.Duration // whole seconds, at most 2³²−1; zero unless Full
	Receipt    []byte        // of a stored put, at most wire.MaxReceipt bytes
}

// OutcomeSealer seals one put's outcome for its sender.
type OutcomeSealer struct {
	_        [0]func()
	enc      []byte // of the seal: part of the caller's sealed bytes, not copied
	exported [exportedSize]byte
}

// OutcomeSecret opens one put's outcome. The sender keeps it until it has one.
type OutcomeSecret struct {
	_        [0]func()
	enc      [encSize]byte
	exported [exportedSize]byte
}

// String keeps the secret out of logs.
func (OutcomeSecret) String() string { return "address.OutcomeSecret" }

// GoString keeps the secret out of %#v.
func (OutcomeSecret) GoString() string { return "address.OutcomeSecret" }

// Marshal returns 1,152 bytes: the exported secret 32 ‖ enc 1120. The latter is the
// start of the sealed address, repeated so that the secret works alone.
func (s OutcomeSecret) Marshal() []byte {
	return append(append(make([]byte, 0, outcomeSecrets), s.exported[:]...), s.enc[:]...)
}

// ParseOutcomeSecret reads what [OutcomeSecret.Marshal] wrote.
func ParseOutcomeSecret(b []byte) (OutcomeSecret, error) {
	var s OutcomeSecret
	if len(b) != outcomeSecrets {
		return s, ErrMalformed
	}
	copy(s.exported[:], b)
	copy(s.enc[:], b[exportedSize:])
	return s, nil
}

// Seal returns wire.OutcomeSize bytes for the sender of the put. It panics if the
// receipt is over wire.MaxReceipt or random fails: both are the caller's mistakes.
func (r OutcomeSealer) Seal(random io.Reader, o Outcome, payload wire.PayloadHash, notAfter time.Time) []byte {
	out := make([]byte, outcomeSalt, wire.OutcomeSize)
	mustRead(random, out)
	aead, nonce := outcomeCipher(r.exported[:], r.enc, out)
	return aead.Seal(out, nonce, o.plain(), binding(payload, notAfter))
}

// RandomOutcome returns what a put is answered with where nothing could be opened:
// as long as an outcome, and to the sending agent indistinguishable from one.
func RandomOutcome(random io.Reader) []byte {
	out := make([]byte, wire.OutcomeSize)
	mustRead(random, out)
	return out
}

// Open reads the outcome of the put. [ErrOpen] means that the receiving agent did not
// open this put's seal, or that somebody between changed the bytes; [ErrMalformed]
// that the agent broke the layout.
func (s OutcomeSecret) Open(sealed []byte, payload wire.PayloadHash, notAfter time.Time) (Outcome, error) {
	if len(sealed) != wire.OutcomeSize {
		return Outcome{}, ErrMalformed
	}
	aead, nonce := outcomeCipher(s.exported[:], s.enc[:], sealed[:outcomeSalt])
	plain, err := aead.Open(nil, nonce, sealed[outcomeSalt:], binding(payload, notAfter))
	if err != nil {
		return Outcome{}, ErrOpen
	}
	return parseOutcome(plain)
}

func (o Outcome) plain() []byte {
	if len(o.Receipt) > wire.MaxReceipt {
		panic("address: an outcome's receipt is too large")
	}
	b := make([]byte, wire.OutcomePlainSize)
	b[0] = byte(o.Code)
	binary.BigEndian.PutUint32(b[1:], uint32(min(max(o.RetryAfter, 0), maxRetryAfter)/time.Second))
	binary.BigEndian.PutUint16(b[5:], uint16(len(o.Receipt)))
	copy(b[outcomeHeader:], o.Receipt)
	return b
}

func parseOutcome(b []byte) (Outcome, error) {
	if len(b) != wire.OutcomePlainSize {
		return Outcome{}, ErrMalformed
	}
	o := Outcome{
		Code:       OutcomeCode(b[0]),
		RetryAfter: time.Duration(binary.BigEndian.Uint32(b[1:])) * time.Second,
	}
	n := int(binary.BigEndian.Uint16(b[5:]))
	if o.Code < Stored || o.Code > Full || n > wire.MaxReceipt || !allZero(b[outcomeHeader+n:]) {
		return Outcome{}, ErrMalformed
	}
	if n > 0 {
		o.Receipt = b[outcomeHeader : outcomeHeader+n : outcomeHeader+n]
	}
	return o, nil
}

// outcomeCipher derives the cipher of one outcome. The fresh salt makes its key new
// even where an agent answers the same put twice.
func outcomeCipher(exported, enc, n32 []byte) (cipher.AEAD, []byte) {
	salt := append(append(make([]byte, 0, encSize+outcomeSalt), enc...), n32...)
	// Neither step can fail at these lengths (RFC 5869: L ≤ 255 × 32).
	prk := must(hkdf.Extract(sha256.New, exported, salt))
	okm := must(hkdf.Expand(sha256.New, prk, string(wire.LabelOutcome), aeadKeySize+aeadNonceSize))
	return must(chacha20poly1305.New(okm[:aeadKeySize])), okm[aeadKeySize:]
}

func must[T any](v T, err error) T {
	if err != nil {
		panic("address: " + err.Error())
	}
	return v
}

func mustRead(random io.Reader, b []byte) {
	if _, err := io.ReadFull(random, b); err != nil {
		panic("address: no randomness: " + err.Error())
	}
}
