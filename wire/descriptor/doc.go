// Package descriptor makes and checks service descriptors: what an agent, under its
// root key, says about itself. A sender reads one, through its own sending agent,
// before it seals an address: the sealing key of the address's epoch is in it.
//
//	content   = u8 version ‖ root key 32 ‖ u64 sequence ‖ u64 issued ‖ u8 roles ‖
//	            u8 flags ‖ u8 policy ‖ u8 work bits ‖ u32 max payload ‖
//	            u32 mailbox quota ‖ u32 delivery quota ‖ u64 byte quota ‖
//	            u32 retention seconds ‖
//	            u8 count ‖ count × (u8 length ‖ multiaddr) ‖
//	            u8 count ‖ count × (u32 epoch ‖ u64 not before ‖ sealing key 1216)
//	body      = content ‖ previous chain hash 32
//	signed    = body ‖ Ed25519(root, "comm/1/descriptor" ‖ body) 64
//
// Successive descriptors form a chain, so that whoever knows an old one can be shown
// that a new one follows from it with 32 bytes for each step between:
//
//	link_n  = H("comm/1/descriptor-content" ‖ content_n)
//	chain_n = H("comm/1/descriptor-chain" ‖ chain_{n−1} ‖ link_n),  chain_0 = zeros
//
// A lifeline address pins the chain hash of the day it was minted; the links from
// there to the present show that the agent's newer sealing keys are successors in the
// one history that the root has signed. docs/descriptor.md has the rules of fetching.
//
// Everything here is a function of its arguments.
package descriptor
