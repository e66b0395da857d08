package keyring

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/crypto/cryptobyte"

	"communicator/wire"
)

// ErrDamaged is a key file that does not hold what it should. The agent does not
// start with one: the operator restores the file, or removes it and thereby gives up
// the addresses that hang on it.
var ErrDamaged = errors.New("keyring: damaged key file")

const labelFile wire.Label = "comm/1/key-file"

// kind is what a file's secret is for; part of the format.
type kind uint8

const (
	kindEpoch    kind = 1
	kindLifeline kind = 2
	kindReplay   kind = 3
	kindAccount  kind = 4
)

var kindNames = map[kind]string{
	kindEpoch: "epoch", kindLifeline: "lifeline", kindReplay: "replay", kindAccount: "account",
}

const (
	secretSize = 32
	epochSize  = 2 * secretSize // S_e ‖ seed of the sealing key
)

// entry names one file.
type entry struct {
	kind   kind
	number wire.Epoch
}

func (e entry) name() string { return fmt.Sprintf("%s-%d.key", kindNames[e.kind], e.number) }

func (e entry) size() int {
	if e.kind == kindEpoch {
		return epochSize
	}
	return secretSize
}

// parseName is the inverse of name; other files in the directory are not ours.
func parseName(name string) (entry, bool) {
	for k, word := range kindNames {
		var n uint32
		if _, err := fmt.Sscanf(name, word+"-%d.key", &n); err != nil {
			continue
		}
		if e := (entry{k, wire.Epoch(n)}); e.name() == name {
			return e, true
		}
	}
	return entry{}, false
}

// encode builds the file's content.
func (e entry) encode(secret []byte) []byte {
	b := append([]byte(labelFile), byte(e.kind))
	b = binary.BigEndian.AppendUint32(b, uint32(e.number))
	b = append(b, byte(len(secret)))
	b = append(b, secret...)
	check := sha256.Sum256(b)
	return append(b, check[:]...)
}

// decode returns the secret of a file that says it is e.
func (e entry) decode(content []byte) ([]byte, error) {
	s := cryptobyte.String(content)
	var label, secret, check []byte
	var k uint8
	var number uint32
	var body cryptobyte.String
	ok := s.ReadBytes(&label, len(labelFile)) && string(label) == string(labelFile) &&
		s.ReadUint8(&k) && s.ReadUint32(&number) && s.ReadUint8LengthPrefixed(&body) &&
		s.ReadBytes(&check, sha256.Size) && s.Empty()
	if !ok || kind(k) != e.kind || wire.Epoch(number) != e.number || len(body) != e.size() {
		return nil, fmt.Errorf("%w: %s", ErrDamaged, e.name())
	}
	secret = body
	if sum := sha256.Sum256(content[:len(content)-sha256.Size]); string(sum[:]) != string(check) {
		return nil, fmt.Errorf("%w: %s: check does not match", ErrDamaged, e.name())
	}
	return secret, nil
}
