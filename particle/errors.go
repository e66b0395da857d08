package particle

import (
	"errors"
	"fmt"
)

// Errors. None of them holds a key, an address or plaintext, and after each of them
// the state is what it was before the call.
var (
	// ErrMalformed: not the layout it claims to be.
	ErrMalformed = errors.New("particle: malformed")
	// ErrVersion: a suite, version or kind that this build does not know.
	ErrVersion = errors.New("particle: unknown version")
	// ErrTooLarge: over a size limit, such as a text over [MaxText].
	ErrTooLarge = errors.New("particle: over a size limit")
	// ErrUndecryptable: no key of this relationship opens it: corrupted, not for this
	// relationship, or its keys are gone.
	ErrUndecryptable = errors.New("particle: cannot be decrypted")
	// ErrDuplicate: a message that was received before.
	ErrDuplicate = errors.New("particle: received before")
	// ErrTooFar: it skips more than [MaxSkip] messages of its chain.
	ErrTooFar = errors.New("particle: too many messages skipped")
	// ErrPadding: it opened, but its padding or length is wrong: the peer's fault.
	ErrPadding = errors.New("particle: wrong padding")
	// ErrUnanswered: [MaxUnanswered] messages without an answer; sending goes on when
	// the peer's next message arrives.
	ErrUnanswered = errors.New("particle: too many messages without an answer")
	// ErrCannotSend: a session that has not received its first message.
	ErrCannotSend = errors.New("particle: nothing received yet to answer")
	// ErrImported: state restored from an export, which never sends; see Reestablish.
	ErrImported = errors.New("particle: restored from an export, must be re-established")
	// ErrNoRecovery: no valid recovery package of the peer to re-establish with.
	ErrNoRecovery = errors.New("particle: no recovery package of the peer")
	// ErrSignature: a signature does not verify.
	ErrSignature = errors.New("particle: signature invalid")
	// ErrBadKey: not a public key, or one of low order.
	ErrBadKey = errors.New("particle: unusable public key")
	// ErrExpired: a package past its expiry.
	ErrExpired = errors.New("particle: package expired")
	// ErrWrongPeer: a re-establishment under another identity than the peer's.
	ErrWrongPeer = errors.New("particle: not the peer's identity")
	// ErrAddressSet: a first message whose address set is missing or not the one that
	// its handshake committed to.
	ErrAddressSet = errors.New("particle: address set does not match the handshake")
	// ErrSetNumber: an offered set whose number is not above the last one.
	ErrSetNumber = errors.New("particle: address set number not increasing")
	// ErrOpenSets: [MaxOpenSets] sets are open; the peer has to acknowledge one first.
	ErrOpenSets = errors.New("particle: too many address sets open")
	// ErrClaim: a claim that was not made in this session, or not with the attested key.
	ErrClaim = errors.New("particle: claim of an identity does not hold")
	// ErrUnreplied: the handshake fixes the address set until the first reply.
	ErrUnreplied = errors.New("particle: no reply to the handshake yet")
)

// ForkError says that a second ciphertext, made with the peer's keys, claims a place
// that is taken: two devices are using one state.
type ForkError struct{ Point ForkPoint }

func (e *ForkError) Error() string {
	return fmt.Sprintf("particle: two ciphertexts for message %d of chain %d", e.Point.N, e.Point.Chain)
}

// ForkPoint is a place in a session: the chain's step number and the message's number
// in it.
type ForkPoint struct {
	Chain uint64
	N     uint32
}
