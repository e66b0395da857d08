package proof

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"

	"communicator/wire"

	"golang.org/x/mod/sumdb/note"
)

// Signature types of C2SP signed-note: the byte in front of a key, when its hash is
// taken.
const (
	algorithmEd25519     = 0x01
	algorithmCosignature = 0x04 // tlog-cosignature, cosignature/v1: u64 time ‖ Ed25519
)

const cosignatureSize = 8 + signatureSize

// keyHash is the number by which a signature line names its key: the first four bytes
// of SHA-256(name ‖ "\n" ‖ type ‖ key).
func keyHash(name string, algorithm byte, key Key) uint32 {
	h := sha256.Sum256(append(append([]byte(name), '\n', algorithm), key[:]...))
	return binary.BigEndian.Uint32(h[:])
}

// signatureLine is "— name base64(key hash ‖ signature)", with an em dash.
func signatureLine(name string, hash uint32, signature []byte) string {
	b := binary.BigEndian.AppendUint32(nil, hash)
	return fmt.Sprintf("— %s %s\n", name, base64.StdEncoding.EncodeToString(append(b, signature...)))
}

// verifier implements note.Verifier for a log's key and, if cosigns is set, for a
// witness's.
type verifier struct {
	name    string
	hash    uint32
	key     Key
	cosigns bool
}

func (v *verifier) Name() string    { return v.name }
func (v *verifier) KeyHash() uint32 { return v.hash }

func (v *verifier) Verify(text, signature []byte) bool {
	if !v.cosigns {
		return ed25519.Verify(v.key[:], text, signature)
	}
	if len(signature) != cosignatureSize || binary.BigEndian.Uint64(signature) > maxUnix {
		return false
	}
	return ed25519.Verify(v.key[:], cosigned(text, cosignatureTime(signature)), signature[8:])
}

func (w Witness) verifier() *verifier {
	return &verifier{name: w.Name, hash: keyHash(w.Name, algorithmCosignature, w.Key), key: w.Key, cosigns: true}
}

// cosigned is what a witness signs (C2SP tlog-cosignature):
//
//	cosignature/v1
//	time 1764000000
//	the checkpoint's text
func cosigned(text []byte, at time.Time) []byte {
	return append(fmt.Appendf(nil, "cosignature/v1\ntime %d\n", at.Unix()), text...)
}

func cosignatureTime(signature []byte) time.Time {
	return time.Unix(int64(binary.BigEndian.Uint64(signature)), 0).UTC()
}

// Cosign makes the witness's line for a checkpoint. A witness does this after it has
// checked with [VerifyConsistency] that the checkpoint continues the last that it
// cosigned. Errors: [ErrCheckpoint], [ErrSigner] if key is not w's.
func Cosign(signed []byte, w Witness, key ed25519.PrivateKey, at time.Time) ([]byte, error) {
	text, _, found := bytes.Cut(signed, []byte("\n\n"))
	if !found || !wholeSeconds(at) {
		return nil, ErrCheckpoint
	}
	if publicOf(key) != w.Key {
		return nil, ErrSigner
	}
	text = append(bytes.Clone(text), '\n')
	if _, err := parseCheckpoint(string(text)); err != nil {
		return nil, err
	}
	signature := binary.BigEndian.AppendUint64(nil, uint64(at.Unix()))
	signature = append(signature, ed25519.Sign(key, cosigned(text, at))...)
	return []byte(signatureLine(w.Name, w.verifier().hash, signature)), nil
}

// AddCosignatures puts witnesses' lines below a checkpoint, in the order of the
// manifest, and verifies the whole. A second line of one witness replaces the first.
// Errors: those of [OpenCheckpoint] except [ErrWitnesses].
func AddCosignatures(signed []byte, ns NSID, m Manifest, lines ...[]byte) ([]byte, error) {
	if _, err := openCheckpoint(signed, ns, m); err != nil {
		return nil, err
	}
	text, below, _ := bytes.Cut(signed, []byte("\n\n"))
	byName := map[string][]byte{}
	for _, line := range append(bytes.SplitAfter(bytes.TrimSuffix(below, []byte("\n")), []byte("\n")), lines...) {
		line = append(bytes.TrimSuffix(line, []byte("\n")), '\n')
		name, _, _ := strings.Cut(strings.TrimPrefix(string(line), "— "), " ")
		byName[name] = line
	}
	out := append(bytes.Clone(text), '\n', '\n')
	for _, v := range m.verifiers(ns) {
		out = append(out, byName[v.Name()]...)
		delete(byName, v.Name())
	}
	if len(byName) != 0 {
		return nil, ErrUnverifiable
	}
	if _, err := openCheckpoint(out, ns, m); err != nil {
		return nil, err
	}
	return out, nil
}

// noteError translates what note.Open found wrong.
func noteError(err error) error {
	var invalid *note.InvalidSignatureError
	var unverified *note.UnverifiedNoteError
	switch {
	case errors.As(err, &invalid):
		return ErrSignature
	case errors.As(err, &unverified):
		return ErrUnverifiable
	}
	return fmt.Errorf("%w: %w", ErrCheckpoint, wire.ErrMalformed)
}
