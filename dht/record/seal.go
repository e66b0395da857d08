package record

import (
	"bytes"
	"crypto/ed25519"
	"encoding/binary"
	"time"

	"communicator/wire"

	"golang.org/x/crypto/chacha20poly1305"
)

// Draft is what a namespace says about a name in one epoch.
type Draft struct {
	Epoch wire.Epoch
	// Version and Refresh make the sequence. Whoever signs never uses one sequence
	// for two payloads or two times of validity: that is what equivocation looks like.
	Version, Refresh uint32
	// NotBefore and NotAfter are whole seconds within [Window]; both zero stand for
	// all of it.
	NotBefore, NotAfter time.Time
	Payload             []byte // opaque, at most MaxPayload bytes
}

func (d *Draft) fill() error {
	from, to := Window(d.Epoch)
	if d.NotBefore.IsZero() && d.NotAfter.IsZero() {
		d.NotBefore, d.NotAfter = from, to
	}
	switch {
	case len(d.Payload) > MaxPayload:
		return wire.ErrTooLarge
	case d.NotBefore.Before(from), d.NotAfter.After(to), !d.NotBefore.Before(d.NotAfter),
		d.NotBefore.Nanosecond() != 0, d.NotAfter.Nanosecond() != 0, d.NotBefore.Unix() < 0:
		return ErrTimes
	}
	return nil
}

// Sign seals and signs a record, and finds its stamp of workBits zero bits, which
// takes 2^workBits hashes; a network asks for [WorkBits] unless its operators agreed
// on others. The same arguments always give the same bytes.
//
// Errors: [ErrZoneKey], [ErrTimes], wire.ErrTooLarge for the payload, [ErrStamp] for
// a workBits over [MaxWorkBits] or below 0.
func Sign(zone ed25519.PrivateKey, s NameSecret, d Draft, workBits int) ([]byte, error) {
	if workBits < 0 || workBits > MaxWorkBits {
		return nil, ErrStamp
	}
	if err := d.fill(); err != nil {
		return nil, err
	}
	signer, err := blindPrivate(zone, s, d.Epoch)
	if err != nil {
		return nil, err
	}
	r := Record{Header: Header{
		Blind: signer.public, Version: d.Version, Refresh: d.Refresh,
		NotBefore: d.NotBefore, NotAfter: d.NotAfter,
	}}
	header := r.append(nil)
	nonce := wire.MAC(s[:], wire.LabelDHTNonce, header, d.Payload)
	copy(r.Nonce[:], nonce[:])
	box, err := chacha20poly1305.NewX(boxKey(s, r.Blind))
	if err != nil {
		return nil, err
	}
	r.Box = box.Seal(nil, r.Nonce[:], pad(d.Payload), header)
	r.Stamp = findStamp(r.content(), workBits)
	r.Signature = [signatureSize]byte(signer.sign(r.message()))
	return r.Marshal(), nil
}

// Open checks that a record is the zone's about the name in the epoch, signature
// included, and returns what it says. Whether it is valid now is [Validate]'s
// question, as is its stamp.
//
// Errors: those of [Parse], [ErrZoneKey], [ErrLocation] for another name's, zone's or
// epoch's record, [ErrTimes] if it claims validity outside its epoch, [ErrSignature],
// [ErrSealed].
func Open(zone ed25519.PublicKey, s NameSecret, e wire.Epoch, record []byte) ([]byte, Header, error) {
	r, err := Parse(record)
	if err != nil {
		return nil, Header{}, err
	}
	blind, err := Blind(zone, s, e)
	if err != nil {
		return nil, Header{}, err
	}
	from, to := Window(e)
	switch {
	case r.Blind != blind:
		return nil, Header{}, ErrLocation
	case r.NotBefore.Before(from), r.NotAfter.After(to), !r.NotBefore.Before(r.NotAfter):
		return nil, Header{}, ErrTimes
	}
	if err := r.verify(); err != nil {
		return nil, Header{}, err
	}
	box, err := chacha20poly1305.NewX(boxKey(s, blind))
	if err != nil {
		return nil, Header{}, err
	}
	plain, err := box.Open(nil, r.Nonce[:], r.Box, r.append(nil))
	if err != nil {
		return nil, Header{}, ErrSealed
	}
	payload, err := unpad(plain)
	if err != nil {
		return nil, Header{}, err
	}
	return payload, r.Header, nil
}

func boxKey(s NameSecret, blind BlindKey) []byte {
	key := wire.MAC(s[:], wire.LabelDHTSeal, blind[:])
	return key[:]
}

// bucketOf returns the padded size of a payload.
func bucketOf(payload int) int {
	for _, size := range buckets {
		if lengthSize+payload <= size {
			return size
		}
	}
	return 0
}

func pad(payload []byte) []byte {
	b := make([]byte, bucketOf(len(payload)))
	binary.BigEndian.PutUint16(b, uint16(len(payload)))
	copy(b[lengthSize:], payload)
	return b
}

// unpad refuses padding that is not zero or larger than needed.
func unpad(b []byte) ([]byte, error) {
	n := int(binary.BigEndian.Uint16(b))
	if bucketOf(n) != len(b) || len(bytes.TrimLeft(b[lengthSize+n:], "\x00")) > 0 {
		return nil, ErrSealed
	}
	return b[lengthSize : lengthSize+n], nil
}
