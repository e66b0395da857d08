package proof

import "errors"

// Errors. Parsers also return wire.ErrMalformed, wire.ErrTooLarge and wire.ErrVersion.
// None of them holds a name, a key or a hash.
var (
	// ErrName: not a name that a namespace can have.
	ErrName = errors.New("proof: not a valid name")
	// ErrNamespace: not the namespace that it was asked about.
	ErrNamespace = errors.New("proof: another namespace")
	// ErrManifest: a manifest that is not in the chain, or does not follow from it.
	ErrManifest = errors.New("proof: manifest is not of this chain")
	// ErrThreshold: too few root keys have signed.
	ErrThreshold = errors.New("proof: fewer root signatures than the threshold")
	// ErrSignature: a signature that does not verify, or is not there.
	ErrSignature = errors.New("proof: signature does not verify")
	// ErrSigner: signed by a key that has no say in this.
	ErrSigner = errors.New("proof: signed by a key without the right to")
	// ErrExpiredKey: the attesting key was not valid when the statement was issued.
	ErrExpiredKey = errors.New("proof: attesting key not valid at that time")
	// ErrKind: a combination of kind, signers, keys and times that means nothing.
	ErrKind = errors.New("proof: no such kind of statement")
	// ErrIdentity: the identity document is not the one that the statement is about.
	ErrIdentity = errors.New("proof: another identity document")
	// ErrRelation: two statements that cannot both be true.
	ErrRelation = errors.New("proof: relation does not hold")

	// ErrGap: statements between the state and this one are missing.
	ErrGap = errors.New("proof: earlier statements are missing")
	// ErrStale: an older version than the state's.
	ErrStale = errors.New("proof: older than what is known")
	// ErrConflict: another statement with the same version, or with another past. The
	// namespace has said two things: show it, never choose.
	ErrConflict = errors.New("proof: conflicts with what is known")
	// ErrTime: issued in the future, or before the statement that it follows.
	ErrTime = errors.New("proof: time out of order")
	// ErrReplaced: it replaces another key than the newest. Where the namespace is
	// honest, a veto is missing: fetch those at [RevocationID], apply them, try again.
	ErrReplaced = errors.New("proof: replaces a key that is not the newest")
	// ErrBound: the name is taken, or was given up too recently.
	ErrBound = errors.New("proof: the name is bound")
	// ErrUnbound: nobody holds the name.
	ErrUnbound = errors.New("proof: the name is not bound")
	// ErrRevoked: the key has no rights any more.
	ErrRevoked = errors.New("proof: the key was revoked by its owner")
	// ErrBusy: too many changes of this name are not settled yet.
	ErrBusy = errors.New("proof: too many unsettled changes")
	// ErrSettled: too late for an undo or a veto.
	ErrSettled = errors.New("proof: already settled")
	// ErrEarly: a veto of a statement that is not known yet. Keep it and apply it
	// again after the next statement.
	ErrEarly = errors.New("proof: veto of a statement not yet known")
	// ErrNoDispute: the roots may not decide: no veto is between 14 and 90 days old.
	ErrNoDispute = errors.New("proof: no veto that the roots could decide about")
	// ErrHold: not in force yet.
	ErrHold = errors.New("proof: not in force yet")

	// ErrCheckpoint: not a well-formed checkpoint of this log.
	ErrCheckpoint = errors.New("proof: malformed checkpoint")
	// ErrUnverifiable: a signature line that cannot be verified. Nothing is passed over.
	ErrUnverifiable = errors.New("proof: a signature line that nobody can verify")
	// ErrWitnesses: fewer cosignatures than the manifest asks for.
	ErrWitnesses = errors.New("proof: too few witnesses")
	// ErrInclusion: the entry is not in the log that the checkpoint describes.
	ErrInclusion = errors.New("proof: not in the log")
	// ErrConsistency: one checkpoint does not continue the other. If both are signed,
	// the log has two faces: make a [Fork] of them.
	ErrConsistency = errors.New("proof: the log does not continue what was seen")
	// ErrNoFork: two checkpoints that do not contradict each other.
	ErrNoFork = errors.New("proof: no contradiction")
)
