package particle

import "communicator/wire"

// Suite is the one cipher suite there is: X25519, Ed25519, X-Wing (ML-KEM-768 and
// X25519) as a KEM through export-only HPKE, HKDF and HMAC over SHA-256,
// ChaCha20-Poly1305 and XChaCha20-Poly1305. It is the first byte of every identity
// document, package, handshake and header.
const Suite = 1

// Labels used by this package alone. Those in docs/session.md are the same ones.
const (
	labelIdDoc        wire.Label = wire.LabelIdDoc          // "comm/1/id-doc", Ed25519: an identity document's self-signature
	labelPrekeySigned wire.Label = "comm/1/prekey-signed"   // Ed25519: a signed prekey
	labelPrekeyOnce   wire.Label = "comm/1/prekey-one-time" // Ed25519: a one-time prekey
	labelPrekeyRecov  wire.Label = "comm/1/prekey-recovery" // Ed25519: a recovery prekey
	labelPackage      wire.Label = "comm/1/package"         // Ed25519: a whole package
	labelPackageHash  wire.Label = "comm/1/package-hash"    // H of a package
	labelHandshake    wire.Label = "comm/1/hs"              // H: t0
	labelTranscript   wire.Label = "comm/1/hs-transcript"   // H: t1
	labelSplit        wire.Label = "comm/1/hs-split"        // HKDF info: kid ‖ kn
	labelSignedEnc    wire.Label = "comm/1/hs-spk"          // HPKE info: the signed prekey's encapsulation
	labelOnceEnc      wire.Label = "comm/1/hs-opk"          // HPKE info: the one-time prekey's
	labelShared       wire.Label = "comm/1/ss"              // HPKE export: every KEM's shared secret
	labelBlock        wire.Label = "comm/1/hs-block"        // H of a handshake block: its id
	labelSession      wire.Label = "comm/1/sid"             // H: the session id
	labelAddressSet   wire.Label = "comm/1/address-set"     // H of the initiator's first address set
	labelInit         wire.Label = "comm/1/init"            // HKDF info: the session's first keys
	labelRatchet      wire.Label = "comm/1/ratchet"         // HPKE info: a step's encapsulation
	labelStep         wire.Label = "comm/1/step"            // H of a step's transcript
	labelRoot         wire.Label = "comm/1/root"            // HKDF info: a step's keys
	labelBody         wire.Label = "comm/1/body"            // HKDF info: a body's key and nonce
	labelChain        wire.Label = "comm/1/chain"           // H: what identifies a chain when two claim its place
	labelDelivery     wire.Label = "comm/1/delivery"        // H of a ciphertext: its delivery id
	labelWrap         wire.Label = "comm/1/wrap"            // HKDF info of a relationship's wrap key, and AD of a wrap
	labelContactWrap  wire.Label = "comm/1/wrap-contact"    // HKDF: a contact mailbox's wrap key
	labelSafety       wire.Label = "comm/1/safety"          // SHA-512: a safety number
	labelClaim        wire.Label = "comm/1/claim"           // HKDF info: a claim's key
	labelSecret       wire.Label = "comm/1/state-package"   // magic of an encoded package secret
	labelSessionState wire.Label = "comm/1/state-session"   // magic of an encoded session
	labelParticle     wire.Label = "comm/1/state-particle"  // magic of an encoded particle
)

// The single bytes that advance a chain: mk = HMAC(CK, 1), CK' = HMAC(CK, 2).
const (
	chainMessage = 1
	chainNext    = 2
)
