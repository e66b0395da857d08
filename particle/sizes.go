package particle

// BareSize is how long the ciphertext of a text of n bytes would be in an established
// session without padding.
func BareSize(n int) int {
	return encryptedHeaderSize + bodyOverhead + contentSize(n)
}

// PaddedSize is how long the ciphertext of a text of n bytes is in an established session:
// its bucket. A text of no bytes is an empty message.
//
// Errors: [ErrTooLarge].
func PaddedSize(n int) (int, error) {
	room, err := roomBehind(encryptedHeaderSize, contentSize(n))
	return room + encryptedHeaderSize + bodyOverhead, err
}

// contentSize is the length of a content that is a text of n bytes.
func contentSize(n int) int {
	if n == 0 {
		return contentFixed
	}
	return contentFixed + itemOverhead + n
}
