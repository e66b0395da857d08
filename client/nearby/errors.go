package nearby

import "errors"

// Errors. None of them holds a name, a package or a peer id.
var (
	// ErrProtocol: the other side does not follow the protocol.
	ErrProtocol = errors.New("nearby: the other side does not follow the protocol")
	// ErrVersion: the other side speaks another version; the older one has to upgrade.
	ErrVersion = errors.New("nearby: the other side speaks another version")
	// ErrCommitment: what was opened is not what was committed to: somebody cheats.
	ErrCommitment = errors.New("nearby: the other side opened something else than it had committed to")
	// ErrPackage: the other side's key package is not fit for first contact.
	ErrPackage = errors.New("nearby: the other side's key package is not usable")
	// ErrMirror: what came back is one's own.
	ErrMirror = errors.New("nearby: the other side sent your own key package back")
	// ErrGone: the other side has gone away.
	ErrGone = errors.New("nearby: the other side has gone")
	// ErrNoPeer: nobody of that id is near.
	ErrNoPeer = errors.New("nearby: nobody of that id is near")
	// ErrSpent: an exchange was begun before; a new one takes a new package.
	ErrSpent = errors.New("nearby: one exchange was begun already")
	// ErrBadName: a name is at most 32 bytes of printable UTF-8.
	ErrBadName = errors.New("nearby: a name is at most 32 bytes of printable text")
	// ErrNoNetwork: no network on which others could be found.
	ErrNoNetwork = errors.New("nearby: no local network with multicast: connect both devices to the same network")
)
