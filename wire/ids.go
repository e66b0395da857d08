package wire

import (
	"crypto/ed25519"
	"encoding/base32"
	"encoding/hex"
	"time"
)

// AgentID names a sending or receiving agent: H(label ‖ Ed25519 root key). The
// root key is the node's libp2p identity too, so that a URI ending in /p2p/…
// pins the agent.
type AgentID [32]byte

// AgentIDOf derives the id from the agent's root key.
func AgentIDOf(root ed25519.PublicKey) AgentID { return Hash(LabelAgent, root) }

func (id AgentID) String() string { return hex.EncodeToString(id[:8]) }

// MailboxID names a mailbox at a receiving agent: H(label ‖ owner key)[:16].
type MailboxID [16]byte

// MailboxIDOf derives the id from the owner's Ed25519 public key.
func MailboxIDOf(owner ed25519.PublicKey) MailboxID {
	h := Hash(LabelMailbox, owner)
	return MailboxID(h[:16])
}

// KeyID names a sealing key within its agent: H(label ‖ public key)[:8].
type KeyID [8]byte

// KeyIDOf derives the id from an encoded X-Wing public key (1,216 bytes).
func KeyIDOf(sealingKey []byte) KeyID {
	h := Hash(LabelSealKey, sealingKey)
	return KeyID(h[:8])
}

// Epoch numbers the weeks since 1970-01-01T00:00Z, or, for a lifeline address,
// the 365-day years.
type Epoch uint32

// EpochAt returns the week that holds t.
func EpochAt(t time.Time) Epoch { return Epoch(t.Unix() / int64(EpochLength/time.Second)) }

// End is the first instant after the week.
func (e Epoch) End() time.Time {
	return time.Unix((int64(e)+1)*int64(EpochLength/time.Second), 0).UTC()
}

// LifelineYearAt returns the 365-day year that holds t.
func LifelineYearAt(t time.Time) Epoch { return Epoch(t.Unix() / int64(LifelineYear/time.Second)) }

// EpochPin is what an address says about the sealing key of its epoch:
// H(label ‖ agent id ‖ u32 epoch ‖ key id ‖ public key). An agent cannot hand
// each sender a key of its own without breaking the pin.
type EpochPin [32]byte

// PinOf computes the pin of an epoch's sealing key.
func PinOf(agent AgentID, e Epoch, sealingKey []byte) EpochPin {
	id := KeyIDOf(sealingKey)
	return Hash(LabelEpoch, agent[:], u32(uint32(e)), id[:], sealingKey)
}

// PayloadHash is H(label ‖ payload): what seals and tags are bound to.
type PayloadHash [32]byte

// HashPayload computes it.
func HashPayload(payload []byte) PayloadHash { return Hash(LabelPayload, payload) }

// Handle is a random secret that fetches one submission's outcome. The sending
// agent keeps only its hash.
type Handle [32]byte

// HandleHash is H(label ‖ handle).
type HandleHash [32]byte

// Hash returns what the sending agent stores.
func (h Handle) Hash() HandleHash { return Hash(LabelHandle, h[:]) }

// Credential is a client's random secret at one agent; quotas count per account.
type Credential [32]byte

// AccountID is H(label ‖ credential)[:16].
type AccountID [16]byte

// Account returns the account that the credential opens.
func (c Credential) Account() AccountID {
	h := Hash(LabelAccount, c[:])
	return AccountID(h[:16])
}

// TokenSize is the length of an agent's invitation token.
const TokenSize = 16

// Token is what an operator hands out, appended to the agent's URI. Presenting it
// once with a fresh credential opens an account.
type Token [TokenSize]byte

var tokenEncoding = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

func (t Token) String() string { return tokenEncoding.EncodeToString(t[:]) }

// ParseToken reads the 26 characters of [Token.String].
func ParseToken(s string) (Token, error) {
	b, err := tokenEncoding.DecodeString(s)
	// The last character carries three bits of nothing; only zeros are canonical.
	if err != nil || len(b) != TokenSize || tokenEncoding.EncodeToString(b) != s {
		return Token{}, ErrMalformed
	}
	return Token(b), nil
}

// Hash is what the agent stores of a token.
func (t Token) Hash() [32]byte { return Hash(LabelToken, t[:]) }

func u32(v uint32) []byte { return []byte{byte(v >> 24), byte(v >> 16), byte(v >> 8), byte(v)} }
