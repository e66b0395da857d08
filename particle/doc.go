// Package particle is one side of one relationship: the session keys shared with
// the peer, the addresses that each side has handed to the other, and what is known
// about the peer's identity. A message's journey begins and ends here: [Particle.Send]
// turns a draft into a ciphertext, [Particle.Receive] turns a ciphertext into a
// message.
//
// Everything is a pure function over a value. A function that changes a Particle
// returns the next one and leaves its receiver as it was, so that a caller can save
// the next state and the ciphertext (or the plaintext) in one transaction and throw
// both away when that fails. Nothing here does I/O or reads a clock. Randomness comes
// from an io.Reader (nil means crypto/rand), except in X-Wing encapsulation, whose
// standard-library implementation draws its own.
//
// # The commit rules
//
// They are the security of the session; the caller keeps them:
//
//   - To send: save {next Particle, exact ciphertext} in one synced transaction, then
//     release the ciphertext. A retry sends the same bytes, wrapped again.
//   - To receive: save {next Particle, message, [DeliveryIDOf] the ciphertext} in one
//     transaction, then acknowledge. A known delivery id is acknowledged again without
//     calling Receive.
//   - A Particle restored from an export is marked with [Particle.MarkImported] before
//     anything else. It never sends with its old keys.
//
// # First contact
//
//	B: id := NewIdentity; pkg, secret := NewPackage(id, contact address, …)
//	A: p := Initiate(id, pkg, own address set); p.Send → ciphertext; p.Wrap → contact mailbox
//	B: pkg.ContactWrapKey().Unwrap; HandshakeIDOf known? → that Particle's Receive
//	   else Accept(secret, ciphertext) → Particle, first message; p.Offer(own set); p.Send
//
// # Layers
//
//	Particle   trust, recovery, alarms                particle.go, receive.go, recovery.go
//	exchange   address sets: offer, ack, rotate       exchange.go, rotation.go
//	content    what a message says                    content.go
//	Session    double ratchet, encrypted headers      session.go, encrypt.go, decrypt.go
//	handshake  packages, first contact                handshake.go, package.go
//	wrap       one more layer for each attempt        wrap.go
//
// A message may also carry a step of an [Introduction], and a [Claim] of an identity that
// a namespace attests (introduction.go, claim.go). [SafetyNumber] and [Particle.SafetyCode]
// are what two people compare.
//
// The byte layouts are drawn beside their types, and all of them together with the
// labels and the rules in docs/session.md. Test vectors are in testdata/.
//
// Confidentiality is post-quantum, authentication classical, as in PQXDH. Nobody has
// audited this package.
package particle
