// Package address mints, seals and verifies delivery addresses, and carries the
// outcome of a put back to its sender.
//
// In a message's journey it stands at three places. The owner's receiving agent
// mints an address key K from its secret of the epoch. The sender seals the address,
// bound to one payload, to the receiving agent's sealing key, so that the sending
// agent carries it without learning the mailbox. The receiving agent opens the seal,
// recomputes K without looking anything up, checks the put's tag, and answers with an
// outcome that only the sender can read.
//
//	K   = HMAC(S_e, "comm/1/address" ‖ mailbox 16 ‖ u32 e ‖ u64 exp ‖ u32 caps)
//	tag = HMAC(K, "comm/1/put" ‖ agent id 32 ‖ u64 i ‖ u64 notAfter ‖ H(payload) 32)
//
// S_e is the agent's secret of the week e, or of the year e for a lifeline address.
//
// A sealed address is HPKE (RFC 9180) in base mode with X-Wing (ML-KEM-768 with
// X25519, HPKE's MLKEM768-X25519), HKDF-SHA256 and ChaCha20-Poly1305:
//
//	info   = "comm/1/seal" ‖ agent id 32 ‖ key id 8
//	aad    = H(payload) 32 ‖ u64 notAfter
//	plain  = mailbox 16 ‖ u32 e ‖ u64 exp ‖ u32 caps ‖ u64 i ‖ tag 32 ‖ zeros to 96
//	sealed = enc 1120 ‖ ciphertext 96 ‖ AEAD tag 16                  (1,232 bytes)
//
// An outcome is sealed under a key that both ends draw from the same HPKE context:
//
//	key 32 ‖ nonce 12 = Expand(Extract(salt = enc ‖ n32, Export("comm/1/outcome", 32)),
//	                           "comm/1/outcome", 44)
//	plain   = u8 code ‖ u32 retry-after seconds ‖ u16 length ‖ receipt ‖ zeros to 1536
//	outcome = n32 ‖ ChaCha20-Poly1305(plain; AD = H(payload) ‖ u64 notAfter)
//	                                                                   (1,584 bytes)
//
// Everything here is a function of its arguments: no clock, no state, no I/O.
// docs/sealing.md is the same for readers of other languages, with the vectors of
// testdata/.
package address
