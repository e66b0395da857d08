package nearby

import (
	"encoding/binary"
	"strings"

	"communicator/wire"

	"github.com/tyler-smith/go-bip39/wordlists"
)

const (
	labelCommit wire.Label = "comm/1/nearby-commit" // H: what A commits to
	labelWords  wire.Label = "comm/1/nearby-words"  // H: the transcript that the words come from
)

// Words are what two people compare: 44 bits, as likely to be the same by chance as one
// in 17 million million.
type Words [4]string

func (w Words) String() string { return strings.Join(w[:], " ") }

// wordBits is what one of the 2,048 words of the list says.
const wordBits = 11

// wordsOf takes the first 44 bits of a transcript.
func wordsOf(t [32]byte) (w Words) {
	bits := binary.BigEndian.Uint64(t[:]) >> (64 - wordBits*len(w))
	for i := range w {
		shift := wordBits * (len(w) - 1 - i)
		w[i] = wordlists.English[bits>>shift&(1<<wordBits-1)]
	}
	return w
}

// side is what one side contributes.
type side struct {
	id     string // binary peer id
	name   string
	random [nonceSize]byte // r of A, nonce of B
	pkg    []byte
}

// commitment is what A is bound by before B speaks.
func commitment(a side) [32]byte { return wire.Hash(labelCommit, a.random[:], a.pkg) }

// transcript is the hash of everything that was said.
func transcript(a, b side) [32]byte {
	var t []byte
	for _, s := range []string{a.id, b.id, a.name, b.name} {
		t = append(append(t, byte(len(s))), s...)
	}
	t = append(append(t, a.random[:]...), b.random[:]...)
	for _, pkg := range [][]byte{a.pkg, b.pkg} {
		t = append(binary.BigEndian.AppendUint16(t, uint16(len(pkg))), pkg...)
	}
	return wire.Hash(labelWords, t)
}
