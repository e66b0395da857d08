package particle

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"
)

// A body is padded so that the whole ciphertext has the size of a bucket: 4, 8, 16, 32
// or 64 KiB, whatever precedes the body. It is never compressed.
//
//	plain      u32 length ‖ content ‖ zeros
//	encrypted  ChaCha20-Poly1305(k, nonce, plain, AD = sid ‖ encrypted header)
//	           k 32 ‖ nonce 12 = Expand(mk, label ‖ H(encrypted header), 44)
//
// Content has two parts: what the bucket is chosen for, and what may use the spare room
// that every bucket keeps ([Spare]), so that an address set never shows in the size.

const bodyOverhead = bodyLengthSize + tagSize

// roomBehind returns the length of the plaintext content, spare included, of the
// smallest bucket that keeps [Spare] bytes free behind prefix bytes of block and header
// and n bytes of content.
func roomBehind(prefix, n int) (int, error) {
	for _, size := range buckets {
		if room := size - prefix - bodyOverhead; n+Spare <= room {
			return room, nil
		}
	}
	return 0, ErrTooLarge
}

func isBucket(n int) bool { return slices.Contains(buckets[:], n) }

// headerHash is H(encrypted header).
type headerHash [sha256.Size]byte

func hashHeader(encrypted []byte) headerHash { return sha256.Sum256(encrypted) }

// bodyKey derives the key and nonce of one body.
func (k *messageKey) bodyKey(h headerHash) (key, nonce []byte) {
	b := expand(k.bytes(), labelBody, h[:], keySize+12)
	return b[:keySize], b[keySize:]
}

// sealBody appends the encrypted body of room bytes of content to out.
func (k *messageKey) sealBody(out, content []byte, room int, sid SessionID, encryptedHeader []byte) []byte {
	plain := make([]byte, bodyLengthSize+room)
	binary.BigEndian.PutUint32(plain, uint32(len(content)))
	copy(plain[bodyLengthSize:], content)
	key, nonce := k.bodyKey(hashHeader(encryptedHeader))
	return chacha(key).Seal(out, nonce, plain, bodyAD(sid, encryptedHeader))
}

// openBody decrypts a body and takes its padding off.
func (k *messageKey) openBody(body []byte, sid SessionID, encryptedHeader []byte, h headerHash) ([]byte, error) {
	key, nonce := k.bodyKey(h)
	plain, err := chacha(key).Open(nil, nonce, body, bodyAD(sid, encryptedHeader))
	if err != nil {
		return nil, ErrUndecryptable
	}
	return unpad(plain)
}

func bodyAD(sid SessionID, encryptedHeader []byte) []byte {
	return append(sid[:], encryptedHeader...)
}

func unpad(plain []byte) ([]byte, error) {
	if len(plain) < bodyLengthSize {
		return nil, ErrPadding
	}
	n := uint64(binary.BigEndian.Uint32(plain))
	rest := plain[bodyLengthSize:]
	if n > uint64(len(rest)) || !allZero(rest[n:]) {
		return nil, ErrPadding
	}
	return rest[:n:n], nil
}
