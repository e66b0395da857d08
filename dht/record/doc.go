// Package record is the format of what the overlay stores: sealed statements about
// names, under keys that tell a storing node neither name nor namespace, and the
// service descriptors of agents. Everything here is a function of its arguments;
// package dht carries the records, and docs/dht.md is the specification.
//
// # Attestations
//
// A namespace signs with its zone key A. For a name with secret s and a week e
// everything hangs on a blinded key A' (the idea is that of GNS, RFC 9498, and of
// Tor's onion descriptors):
//
//	s    = Argon2id(name, salt = namespace id, t = 1, 32 MiB, p = 1)          32 bytes
//	f    = clamp(SHA-512("comm/1/dht-blind" ‖ A 32 ‖ s 32 ‖ u64 e)[:32])
//	A'   = f·A;   a' = f·a mod L;   prefix' = H("comm/1/dht-prefix" ‖ prefix 32 ‖ f 32)
//	key  = "/communicator-attest/" ‖ H("comm/1/dht-location" ‖ A' 32 ‖ u8 r)  r = 0, 1, 2
//
// A record is valid at its three keys and nowhere else:
//
//	0          32         40          48         56      64      88           88+n     152+n
//	├──────────┼──────────┼───────────┼──────────┼───────┼───────┼────────────┼───────────┤
//	│ A' 32    │ sequence │ notBefore │ notAfter │ stamp │ nonce │ box n      │ signature │
//	│          │ u64      │ u64       │ u64      │ u64   │ 24    │ + tag      │ 64        │
//	└──────────┴──────────┴───────────┴──────────┴───────┴───────┴────────────┴───────────┘
//	 header 56                                                    n = 2064, 3088 or 4112
//
//	box plaintext = u16 length ‖ payload ‖ zeros, 2, 3 or 4 KiB
//	box key   = HMAC(s, "comm/1/dht-seal" ‖ A')         XChaCha20-Poly1305, AD = header
//	nonce     = HMAC(s, "comm/1/dht-nonce" ‖ header ‖ payload)[:24]
//	stamp     : H("comm/1/dht-stamp" ‖ H("comm/1/dht-content" ‖ header ‖ nonce ‖ box) ‖ stamp)
//	            begins with the zero bits that the network asks for
//	signature = Ed25519 under A' over "comm/1/dht-record" ‖ all before it
//
// The sequence is version << 32 | refresh. Nothing in a record is random: signing the
// same statement twice gives the same bytes, so two different records of one sequence
// mean that the zone key said two things. The signature covers the stamp, which
// nobody else can therefore replace.
//
// # Descriptors
//
//	key   = "/communicator-agent/" ‖ agent id 32
//	value = a signed descriptor of package wire/descriptor, whose root key has that id
package record
