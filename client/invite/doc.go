// Package invite makes and reads invitations: the link that one person hands to another
// for first contact, the QR code that a terminal shows of it, and the blob that it
// leads to. It is pure: fetching and storing blobs is the client's.
//
// # The link
//
// A link names a host and a random secret:
//
//	communicator:<base64url, without padding, of>
//	    u8 version = 1 ‖ secret 16 ‖ root key 32 ‖ multiaddr of the host, binary, without /p2p
//
// The root key is the Ed25519 key that the host's peer id holds. A link is at most 134
// characters ([MaxLink]): what a QR code of version 6 and level L holds in byte mode,
// 41 modules a side, with a quiet zone of one module 43 × 22 cells of a terminal that
// shows two modules in a cell. So the multiaddr may have 41 bytes: an IPv6 address with
// a port, or a DNS name of up to 36 characters with one.
//
// # The blob
//
// What the acceptor needs, a key package of communicator/particle, lies at the host
// (docs/blob.md), which can neither read, swap nor use it:
//
//	id 32 ‖ key 32 = HKDF(secret, info "comm/1/invite-blob", 64)
//	blob           = nonce 24 ‖ XChaCha20-Poly1305(key, nonce, key package, AD = id)
//	delete key     = H("comm/1/blob-delete-key" ‖ key);  delete hash = H("comm/1/blob-delete" ‖ delete key)
//
// HKDF has no salt (RFC 5869). Whoever has the link can open the blob and delete it:
// so the one who accepts takes it away, and a second acceptor finds nothing.
package invite
