package descriptor

import (
	"bytes"
	"crypto/ed25519"
	"fmt"
	"strings"
	"time"

	"communicator/wire"
)

// Labels that this package alone uses.
const (
	labelDescriptor wire.Label = "comm/1/descriptor"
	labelContent    wire.Label = "comm/1/descriptor-content"
	labelChain      wire.Label = "comm/1/descriptor-chain"
)

// Roles are what an agent does.
type Roles uint8

// Roles of an agent; unknown bits are refused.
const (
	Sending Roles = 1 << iota
	Receiving
	Directory
	rolesKnown = Sending | Receiving | Directory
)

// Policy is whom an agent serves.
type Policy uint8

// Policies.
const (
	PolicyOpen  Policy = 1 // anyone, with proof of work
	PolicyToken Policy = 2 // holders of an invitation token
	PolicyPeers Policy = 3 // listed peers
)

// Epoch is one week's sealing key.
type Epoch struct {
	Number    wire.Epoch
	Key       []byte    // X-Wing public key, 1,216 bytes
	NotBefore time.Time // when the agent first publishes it; whole seconds
}

// Limits are what the agent grants, for clients to plan with; the agent enforces its
// own figures whatever this says.
type Limits struct {
	MaxPayload    uint32        // bytes of a put's payload
	MailboxQuota  uint32        // mailboxes an account may have
	DeliveryQuota uint32        // deliveries a mailbox may hold
	ByteQuota     uint64        // bytes a mailbox may hold
	Retention     time.Duration // how long a delivery is kept; whole seconds
}

// ChainHash names a descriptor together with everything before it.
type ChainHash [32]byte

// Descriptor is what an agent says about itself.
type Descriptor struct {
	Root     ed25519.PublicKey
	Roles    Roles
	Addrs    []string // multiaddrs without /p2p/…, at most [MaxAddrs]
	Epochs   []Epoch  // ascending, at most [MaxEpochs]
	Limits   Limits
	Policy   Policy
	PoWBits  uint8 // leading zero bits that an open agent asks for
	Draining bool  // the agent is leaving: no new mailboxes
	Sequence uint64
	Prev     ChainHash // chain hash of the one before; zeros for sequence 1
	Issued   time.Time // whole seconds
}

// Agent is the id of the agent that the descriptor describes.
func (d Descriptor) Agent() wire.AgentID { return wire.AgentIDOf(d.Root) }

// Link is the hash of everything but Prev and the signature: one step of a chain.
func (d Descriptor) Link() [32]byte { return wire.Hash(labelContent, d.appendContent(nil)) }

// Chain is the chain hash of this descriptor: the Prev of the next.
func (d Descriptor) Chain() ChainHash { return d.Prev.next(d.Link()) }

func (c ChainHash) next(link [32]byte) ChainHash { return wire.Hash(labelChain, c[:], link[:]) }

// VerifyLinks checks that d follows from the descriptor whose chain hash is known. Each
// link is the [Descriptor.Link] of one successor, the last is d's own; no links means
// that d is the known one. The signature on d covers Prev and so vouches for them all.
func VerifyLinks(known ChainHash, links [][32]byte, d Descriptor) error {
	if len(links) > MaxLinks || uint64(len(links)) > d.Sequence {
		return ErrChain
	}
	for _, link := range links {
		known = known.next(link)
	}
	if known != d.Chain() {
		return ErrChain
	}
	return nil
}

// SealKey returns the sealing key of an epoch, or [ErrNoEpoch].
func (d Descriptor) SealKey(e wire.Epoch) ([]byte, error) {
	for _, epoch := range d.Epochs {
		if epoch.Number == e {
			return epoch.Key, nil
		}
	}
	return nil, ErrNoEpoch
}

// Newest returns the epoch with the highest number, or [ErrNoEpoch].
func (d Descriptor) Newest() (Epoch, error) {
	if len(d.Epochs) == 0 {
		return Epoch{}, ErrNoEpoch
	}
	return d.Epochs[len(d.Epochs)-1], nil
}

// CheckPin returns the key to which a put to the address is sealed. For an ordinary
// address that is its epoch's key, which must be the one that the address pins. For a
// lifeline it is the newest key; the caller has checked with [VerifyLinks] that d
// follows from the chain hash in a.Pin.
//
// Errors: [ErrAgent], [ErrNoEpoch], [ErrPin].
func (d Descriptor) CheckPin(a wire.Address) (key []byte, id wire.KeyID, err error) {
	agent := d.Agent()
	if agent != a.Agent {
		return nil, id, ErrAgent
	}
	if a.Caps&wire.CapLifeline != 0 {
		newest, err := d.Newest()
		if err != nil {
			return nil, id, err
		}
		return newest.Key, wire.KeyIDOf(newest.Key), nil
	}
	if key, err = d.SealKey(a.Epoch); err != nil {
		return nil, id, err
	}
	if wire.PinOf(agent, a.Epoch, key) != a.Pin {
		return nil, id, ErrPin
	}
	return key, wire.KeyIDOf(key), nil
}

// validate holds what Sign makes and what Parse reads to the same rules.
func (d Descriptor) validate() error {
	switch {
	case len(d.Root) != ed25519.PublicKeySize:
		return fmt.Errorf("%w: root key", wire.ErrMalformed)
	case d.Roles == 0:
		return fmt.Errorf("%w: no roles", wire.ErrMalformed)
	case d.Roles&^rolesKnown != 0:
		return fmt.Errorf("%w: roles", wire.ErrVersion)
	case d.Policy < PolicyOpen || d.Policy > PolicyPeers:
		return fmt.Errorf("%w: policy", wire.ErrVersion)
	case d.PoWBits > MaxWorkBits:
		return fmt.Errorf("%w: work bits", wire.ErrTooLarge)
	case len(d.Addrs) > MaxAddrs || len(d.Epochs) > MaxEpochs:
		return wire.ErrTooLarge
	case d.Roles&Receiving != 0 && len(d.Epochs) == 0:
		return fmt.Errorf("%w: receives without a sealing key", wire.ErrMalformed)
	case d.Sequence == 0 || (d.Sequence == 1) != (d.Prev == ChainHash{}):
		return fmt.Errorf("%w: sequence and previous hash", wire.ErrMalformed)
	case !wholeSeconds(d.Issued) || d.Limits.Retention < 0 || d.Limits.Retention%time.Second != 0 ||
		d.Limits.Retention/time.Second > 1<<32-1:
		return fmt.Errorf("%w: times", wire.ErrMalformed)
	}
	for i, addr := range d.Addrs {
		if err := checkAddr(addr); err != nil {
			return err
		}
		if i > 0 && addr == d.Addrs[i-1] {
			return fmt.Errorf("%w: address given twice", wire.ErrMalformed)
		}
	}
	for i, e := range d.Epochs {
		if len(e.Key) != SealKeySize || !wholeSeconds(e.NotBefore) || i > 0 && e.Number <= d.Epochs[i-1].Number {
			return fmt.Errorf("%w: epochs", wire.ErrMalformed)
		}
	}
	return nil
}

// checkAddr looks at the form alone: a reader passes over an address whose protocols
// it does not know, instead of refusing the whole descriptor.
func checkAddr(addr string) error {
	if len(addr) > wire.MaxURI {
		return wire.ErrTooLarge
	}
	if !strings.HasPrefix(addr, "/") || strings.Contains(addr, "/p2p/") || strings.Contains(addr, "/p2p-circuit") ||
		bytes.ContainsFunc([]byte(addr), func(r rune) bool { return r <= ' ' || r > '~' }) {
		return fmt.Errorf("%w: address", wire.ErrMalformed)
	}
	return nil
}

func wholeSeconds(t time.Time) bool {
	return t.Unix() >= 0 && t.Unix() <= maxUnix && t.Nanosecond() == 0
}
