// Package logproof holds what a signed event log shows to people who do not run
// it: an event's header, the head that a node signs for each committed batch, and
// the proof that a header is under such a head. Receipts are such proofs. All of
// it is pure and verifies offline.
//
// # Header
//
// The part of an event that outlives its body. Integers are big-endian.
//
//	"comm/1/event"            12
//	layout                    u8     1
//	sequence                  u64    from 1
//	time                      u64    seconds since 1970, a multiple of TimeGrain
//	kind                      u16
//	version                   u8     of the kind's own layout
//	stream                    u8 length ‖ at most MaxStream
//	header                    u16 length ‖ at most MaxHeader
//	body length               u32    0: there was no body, and its hash is zeros
//	body hash                 32     H("comm/1/event-body" ‖ salt ‖ H(body))
//	previous                  32     record hash of the header before; zeros for the first
//
// The record hash is RFC 6962's leaf hash of these bytes, H(0 ‖ header), so that
// chain and tree cost one hash between them. The salt is erased with the body:
// what stays says nothing about it, not even to someone who can guess it.
//
// # Head
//
//	head_n = H("comm/1/log-head" ‖ log id ‖ u64 n ‖ batch root ‖ u64 first ‖ u32 count ‖ head_{n-1})
//	signature: Ed25519 over "comm/1/log-head-signature" ‖ head_n
//
// The batch root is the RFC 6962 tree hash of the batch's headers; first and count
// are the sequences it covers. head_0 is zeros.
//
// # Proof
//
//	layout                    u8     1
//	log id                    32
//	batch number              u64
//	first, count              u64, u32
//	previous head             32
//	signature                 64
//	path                      u8 count ‖ hashes of 32, leaf to root
//	header                    u16 length ‖ bytes as above
//	salt                      u8 0, or u8 1 ‖ 32
//
// The leaf's index is the header's sequence less first. The batch root is not
// carried: it follows from header and path.
package logproof
