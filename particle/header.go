package particle

import (
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"io"

	"golang.org/x/crypto/chacha20poly1305"
)

// A header is encrypted so that nobody but the peer can tell which session, chain or
// place a ciphertext belongs to. Each repeats its chain's whole step, so that losing any
// message of an established session is harmless.
//
//	plain      u8 suite ‖ u8 flags = 0 ‖ u32 n ‖ u32 pn ‖ ek' 1216 ‖ enc 1120 ‖ zeros 14
//	encrypted  nonce 24 ‖ XChaCha20-Poly1305(HK, nonce, plain, AD = sid)
const (
	headerNonceSize     = chacha20poly1305.NonceSizeX
	headerZeros         = 14
	headerPlainSize     = 1 + 1 + 4 + 4 + KEMPublicSize + EncapsulationSize + headerZeros
	encryptedHeaderSize = headerNonceSize + headerPlainSize + tagSize
)

type header struct {
	n, pn  uint32
	public *KEMPublic
	enc    []byte
}

func (h header) marshal() []byte {
	b := make([]byte, 0, headerPlainSize)
	b = append(b, Suite, 0)
	b = binary.BigEndian.AppendUint32(b, h.n)
	b = binary.BigEndian.AppendUint32(b, h.pn)
	b = append(b, h.public[:]...)
	b = append(b, h.enc...)
	return append(b, make([]byte, headerZeros)...)
}

func parseHeader(b []byte) (header, error) {
	if len(b) != headerPlainSize {
		return header{}, ErrMalformed
	}
	if b[0] != Suite || b[1] != 0 {
		return header{}, ErrVersion
	}
	keys := b[10:]
	public := KEMPublic(keys[:KEMPublicSize])
	h := header{
		n:      binary.BigEndian.Uint32(b[2:]),
		pn:     binary.BigEndian.Uint32(b[6:]),
		public: &public,
		enc:    keys[KEMPublicSize : KEMPublicSize+EncapsulationSize],
	}
	if !allZero(keys[KEMPublicSize+EncapsulationSize:]) {
		return header{}, ErrMalformed
	}
	return h, nil
}

// seal encrypts the header under a random nonce.
func (h header) seal(random io.Reader, key *headerKey, sid SessionID) ([]byte, error) {
	nonce, err := draw(random, headerNonceSize)
	if err != nil {
		return nil, err
	}
	return xchacha(key.bytes()).Seal(nonce, nonce, h.marshal(), sid[:]), nil
}

// open returns the plain header, or nil if the key is absent or another one's.
func (k *headerKey) open(encrypted []byte, sid SessionID) []byte {
	if k == nil {
		return nil
	}
	nonce, sealed := encrypted[:headerNonceSize], encrypted[headerNonceSize:]
	plain, err := xchacha(k.bytes()).Open(nil, nonce, sealed, sid[:])
	if err != nil {
		return nil
	}
	return plain
}

func xchacha(key []byte) cipher.AEAD {
	a, err := chacha20poly1305.NewX(key)
	if err != nil {
		panic("particle: " + err.Error()) // only for keys of another size
	}
	return a
}

func chacha(key []byte) cipher.AEAD {
	a, err := chacha20poly1305.New(key)
	if err != nil {
		panic("particle: " + err.Error())
	}
	return a
}

// hmacByte is HMAC-SHA-256(key, one byte).
func hmacByte(key []byte, b byte) []byte {
	m := hmac.New(sha256.New, key)
	m.Write([]byte{b})
	return m.Sum(nil)
}

func allZero(b []byte) bool {
	var or byte
	for _, x := range b {
		or |= x
	}
	return or == 0
}
