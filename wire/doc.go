// Package wire is the vocabulary that every other package shares: identifiers,
// delivery addresses, statuses, size caps, protocol names and domain labels.
// It holds no behaviour beyond encoding, and imports no other package of this
// module.
//
// # Encodings
//
// What crosses a stream as a request or a reply is protobuf ([communicator/wire/pb],
// framed by [communicator/wire/mux]). Whatever is signed, hashed, MACed or used as
// associated data has a fixed, canonical layout instead, drawn beside its type,
// built with golang.org/x/crypto/cryptobyte: big-endian integers, a length prefix
// on every variable part, a domain label and version in front. Such bytes are
// carried opaquely and verified as received, never encoded again. Parsers of these
// layouts refuse trailing bytes, unknown versions and anything over a cap.
//
// H, HMAC and HKDF are over SHA-256 throughout (FIPS 180-4, RFC 2104, RFC 5869).
package wire
