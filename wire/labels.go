package wire

import (
	"crypto/hmac"
	"crypto/sha256"
)

// Label is a domain-separation label: the first bytes of whatever is hashed,
// signed or MACed, so that a value made for one purpose never passes for another.
// All begin with "comm/1/", where 1 is the version of the whole suite.
type Label string

// Labels used by more than one package; a label that a single package uses is
// defined there. docs/encoding.md has the table of all of them.
const (
	LabelAgent      Label = "comm/1/agent"       // H(label ‖ root key) = agent id
	LabelMailbox    Label = "comm/1/mailbox"     // H(label ‖ owner key)[:16] = mailbox id
	LabelMailboxOp  Label = "comm/1/mailbox-op"  // owner's signature over an operation
	LabelAddress    Label = "comm/1/address"     // HMAC: the address key K
	LabelPut        Label = "comm/1/put"         // HMAC: the tag of one put
	LabelEpoch      Label = "comm/1/epoch"       // H: pin of an epoch's sealing key
	LabelSealKey    Label = "comm/1/seal-key"    // H(label ‖ public key)[:8] = key id
	LabelSeal       Label = "comm/1/seal"        // HPKE info of a sealed address
	LabelOutcome    Label = "comm/1/outcome"     // HPKE export and HKDF info of an outcome
	LabelPayload    Label = "comm/1/payload"     // H of a payload, as puts are bound to it
	LabelHandle     Label = "comm/1/handle"      // H of a collection handle
	LabelAccount    Label = "comm/1/account"     // H(label ‖ credential)[:16] = account id
	LabelToken      Label = "comm/1/token"       // H of an invitation token to an agent
	LabelPoW        Label = "comm/1/pow"         // proof of work for an open agent
	LabelInviteBlob Label = "comm/1/invite-blob" // HKDF info: blob id ‖ key
	LabelBlobDelete Label = "comm/1/blob-delete" // H: what authorises deleting a blob
)

// Hash returns SHA-256(label ‖ parts). Parts must be of fixed length, or the last
// alone variable: a caller with several variable parts encodes them first.
func Hash(label Label, parts ...[]byte) [32]byte {
	h := sha256.New()
	h.Write([]byte(label))
	for _, p := range parts {
		h.Write(p)
	}
	return [32]byte(h.Sum(nil))
}

// MAC returns HMAC-SHA-256(key, label ‖ parts), under the same rule as [Hash].
func MAC(key []byte, label Label, parts ...[]byte) [32]byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(label))
	for _, p := range parts {
		h.Write(p)
	}
	return [32]byte(h.Sum(nil))
}
