package descriptor

import (
	"crypto/ed25519"
	"crypto/subtle"
	"encoding/binary"
	"fmt"
	"time"

	"communicator/wire"

	"golang.org/x/crypto/cryptobyte"
)

// Signed is a descriptor as its agent encoded and signed it. It is carried and checked
// as it is, never encoded again.
type Signed []byte

const flagDraining = 1

// Sign encodes and signs d. Root must be the public half of the key. Times are cut to
// whole seconds by the caller.
func Sign(d Descriptor, root ed25519.PrivateKey) (Signed, error) {
	public, ok := root.Public().(ed25519.PublicKey)
	if !ok || subtle.ConstantTimeCompare(public, d.Root) != 1 {
		return nil, ErrAgent
	}
	if err := d.validate(); err != nil {
		return nil, err
	}
	body := append(d.appendContent(nil), d.Prev[:]...)
	signed := append(body, ed25519.Sign(root, signedBytes(body))...)
	if len(signed) > wire.MaxDescriptor {
		return nil, wire.ErrTooLarge
	}
	return signed, nil
}

// Parse checks that b is exactly one descriptor, signed by the root key of this agent.
// Errors: wire.ErrTooLarge, wire.ErrMalformed, wire.ErrVersion, [ErrAgent],
// [ErrSignature].
func Parse(b []byte, agent wire.AgentID) (Descriptor, error) {
	if len(b) > wire.MaxDescriptor {
		return Descriptor{}, wire.ErrTooLarge
	}
	if len(b) < chainSize+signatureSize {
		return Descriptor{}, wire.ErrMalformed
	}
	body, signature := b[:len(b)-signatureSize], b[len(b)-signatureSize:]
	d, err := parseContent(body[:len(body)-chainSize])
	if err != nil {
		return Descriptor{}, err
	}
	d.Prev = ChainHash(body[len(body)-chainSize:])
	if d.Agent() != agent {
		return Descriptor{}, ErrAgent
	}
	if !ed25519.Verify(d.Root, signedBytes(body), signature) {
		return Descriptor{}, ErrSignature
	}
	if err := d.validate(); err != nil {
		return Descriptor{}, err
	}
	return d, nil
}

func signedBytes(body []byte) []byte {
	return append([]byte(labelDescriptor), body...)
}

func (d Descriptor) appendContent(b []byte) []byte {
	var flags byte
	if d.Draining {
		flags = flagDraining
	}
	b = append(b, Version)
	b = append(b, d.Root...)
	b = binary.BigEndian.AppendUint64(b, d.Sequence)
	b = binary.BigEndian.AppendUint64(b, uint64(d.Issued.Unix()))
	b = append(b, byte(d.Roles), flags, byte(d.Policy), d.PoWBits)
	b = binary.BigEndian.AppendUint32(b, d.Limits.MaxPayload)
	b = binary.BigEndian.AppendUint32(b, d.Limits.MailboxQuota)
	b = binary.BigEndian.AppendUint32(b, d.Limits.DeliveryQuota)
	b = binary.BigEndian.AppendUint64(b, d.Limits.ByteQuota)
	b = binary.BigEndian.AppendUint32(b, uint32(d.Limits.Retention/time.Second))
	b = append(b, byte(len(d.Addrs)))
	for _, addr := range d.Addrs {
		b = append(b, byte(len(addr)))
		b = append(b, addr...)
	}
	b = append(b, byte(len(d.Epochs)))
	for _, e := range d.Epochs {
		b = binary.BigEndian.AppendUint32(b, uint32(e.Number))
		b = binary.BigEndian.AppendUint64(b, uint64(e.NotBefore.Unix()))
		b = append(b, e.Key...)
	}
	return b
}

func parseContent(b []byte) (Descriptor, error) {
	var d Descriptor
	var version, roles, flags, policy uint8
	var issued uint64
	var retention uint32
	s := cryptobyte.String(b)
	if !s.ReadUint8(&version) {
		return d, wire.ErrMalformed
	}
	if version != Version {
		return d, wire.ErrVersion
	}
	d.Root = make(ed25519.PublicKey, ed25519.PublicKeySize)
	if !s.CopyBytes(d.Root) || !s.ReadUint64(&d.Sequence) ||
		!s.ReadUint64(&issued) || !s.ReadUint8(&roles) || !s.ReadUint8(&flags) ||
		!s.ReadUint8(&policy) || !s.ReadUint8(&d.PoWBits) || !s.ReadUint32(&d.Limits.MaxPayload) ||
		!s.ReadUint32(&d.Limits.MailboxQuota) || !s.ReadUint32(&d.Limits.DeliveryQuota) ||
		!s.ReadUint64(&d.Limits.ByteQuota) || !s.ReadUint32(&retention) {
		return d, wire.ErrMalformed
	}
	if flags&^flagDraining != 0 {
		return d, fmt.Errorf("%w: flags", wire.ErrVersion)
	}
	if issued > maxUnix {
		return d, wire.ErrMalformed
	}
	d.Roles, d.Policy, d.Draining = Roles(roles), Policy(policy), flags&flagDraining != 0
	d.Issued, d.Limits.Retention = unix(issued), time.Duration(retention)*time.Second
	if err := d.readAddrs(&s); err != nil {
		return d, err
	}
	if err := d.readEpochs(&s); err != nil {
		return d, err
	}
	if !s.Empty() {
		return d, wire.ErrMalformed
	}
	return d, nil
}

func (d *Descriptor) readAddrs(s *cryptobyte.String) error {
	var count uint8
	if !s.ReadUint8(&count) {
		return wire.ErrMalformed
	}
	if count > MaxAddrs {
		return wire.ErrTooLarge
	}
	for range count {
		var addr cryptobyte.String
		if !s.ReadUint8LengthPrefixed(&addr) {
			return wire.ErrMalformed
		}
		d.Addrs = append(d.Addrs, string(addr))
	}
	return nil
}

func (d *Descriptor) readEpochs(s *cryptobyte.String) error {
	var count uint8
	if !s.ReadUint8(&count) {
		return wire.ErrMalformed
	}
	if count > MaxEpochs {
		return wire.ErrTooLarge
	}
	for range count {
		var number uint32
		var notBefore uint64
		e := Epoch{Key: make([]byte, SealKeySize)}
		if !s.ReadUint32(&number) || !s.ReadUint64(&notBefore) || !s.CopyBytes(e.Key) || notBefore > maxUnix {
			return wire.ErrMalformed
		}
		e.Number, e.NotBefore = wire.Epoch(number), unix(notBefore)
		d.Epochs = append(d.Epochs, e)
	}
	return nil
}

func unix(v uint64) time.Time { return time.Unix(int64(v), 0).UTC() }
