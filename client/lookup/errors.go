package lookup

import "errors"

// Errors, beside those of directory/proof for what was proved wrong.
var (
	// ErrUnknownNamespace: the petname stands for nothing, or nobody could be asked for
	// the manifests of the namespace id.
	ErrUnknownNamespace = errors.New("lookup: unknown namespace")
	// ErrNotFound: neither the overlay nor a directory has an attestation of the name.
	ErrNotFound = errors.New("lookup: no attestation found")
	// ErrUnreachable: nobody could be asked.
	ErrUnreachable = errors.New("lookup: neither the overlay nor a directory of the namespace can be reached")
	// ErrRolledBack: what was found is older than what was seen before.
	ErrRolledBack = errors.New("lookup: an older attestation than one seen before")
	// ErrFrozen: the namespace was caught showing two faces.
	ErrFrozen = errors.New("lookup: the namespace's log has forked: nothing of it is believed")
	// ErrUncompared: the log's checkpoint could not be compared with the one seen
	// before, since nobody could be asked for the proof.
	ErrUncompared = errors.New("lookup: cannot compare the log with what it showed before")
	// ErrFormerKey: the log contradicts what it showed before, and one of the two was
	// signed with a key that the namespace has replaced, perhaps since it was stolen.
	ErrFormerKey = errors.New("lookup: the log contradicts itself under a key that was replaced since")
	// ErrVetoed: whose key is replaced objects to that, in time.
	ErrVetoed = errors.New("lookup: the holder objects to this change")
	// ErrURI: what was named is not the URI of a node. The text is not repeated, since it
	// may hold a token.
	ErrURI = errors.New("lookup: not the URI of a node")
	// ErrNotDelegated: a part of a full name is attested, and is no delegation.
	ErrNotDelegated = errors.New("lookup: the name is not delegated to a namespace")
	// ErrPetname: the petname stands for another namespace already.
	ErrPetname = errors.New("lookup: the name stands for another namespace already")
	// ErrMemory: what was remembered cannot be read.
	ErrMemory = errors.New("lookup: damaged memory")
)
