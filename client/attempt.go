package client

import (
	"encoding/binary"
	"io"
	"time"

	"communicator/client/route"
	"communicator/client/store"
	"communicator/client/transport"
	"communicator/mailbox/address"
	"communicator/wire"

	"golang.org/x/crypto/cryptobyte"
)

// The store keeps an attempt's seal and its result as opaque bytes. The seal is what a
// retry must repeat exactly, with what names it:
//
//	envelope = u8 version ‖ mailbox 16 ‖ key id 8 ‖ u64 notAfter ‖ u32 jitter ms ‖
//	           u8 length ‖ URI ‖ sealed address 1232
//	result   = u8 version ‖ u8 result ‖ mailbox 16 ‖ u64 retry at, Unix seconds
const attemptVersion = 1

// envelope is the part of a submission that the seal decides.
type envelope struct {
	mailbox  wire.MailboxID
	keyID    wire.KeyID
	notAfter time.Time
	jitter   time.Duration
	uri      string
	sealed   []byte
}

func (e envelope) marshal() []byte {
	b := append([]byte{attemptVersion}, e.mailbox[:]...)
	b = append(b, e.keyID[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(e.notAfter.Unix()))
	b = binary.BigEndian.AppendUint32(b, uint32(e.jitter/time.Millisecond))
	b = append(b, byte(len(e.uri)))
	return append(append(b, e.uri...), e.sealed...)
}

func parseEnvelope(b []byte) (envelope, error) {
	var e envelope
	var version uint8
	var notAfter uint64
	var jitter uint32
	var uri cryptobyte.String
	s := cryptobyte.String(b)
	if !s.ReadUint8(&version) || version != attemptVersion || !s.CopyBytes(e.mailbox[:]) || !s.CopyBytes(e.keyID[:]) ||
		!s.ReadUint64(&notAfter) || !s.ReadUint32(&jitter) || !s.ReadUint8LengthPrefixed(&uri) ||
		len(s) != wire.SealedSize {
		return e, store.ErrDamaged
	}
	e.notAfter, e.jitter = time.Unix(int64(notAfter), 0).UTC(), time.Duration(jitter)*time.Millisecond
	e.uri, e.sealed = string(uri), s
	return e, nil
}

// result is how an attempt ended.
type result struct {
	code    route.Result
	mailbox wire.MailboxID
	retryAt time.Time // zero: none
}

func (r result) marshal() []byte {
	b := append([]byte{attemptVersion, byte(r.code)}, r.mailbox[:]...)
	at := int64(0)
	if !r.retryAt.IsZero() {
		at = r.retryAt.Unix()
	}
	return binary.BigEndian.AppendUint64(b, uint64(at))
}

func parseResult(b []byte) (result, error) {
	var r result
	if len(b) != 2+len(r.mailbox)+8 || b[0] != attemptVersion {
		return r, store.ErrDamaged
	}
	r.code, r.mailbox = route.Result(b[1]), wire.MailboxID(b[2:])
	if at := binary.BigEndian.Uint64(b[18:]); at != 0 {
		r.retryAt = time.Unix(int64(at), 0).UTC()
	}
	return r, nil
}

// routed shows an attempt to the decisions.
func routed(a store.Attempt) (route.Attempt, error) {
	out := route.Attempt{
		ID: int64(a.ID), Sender: int64(a.Agent), To: route.Place{Agent: a.Receiver},
		Created: a.Created, NextTry: a.NextTry, Tries: a.Tries,
	}
	switch a.State {
	case store.AttemptDone:
		r, err := parseResult(a.Outcome)
		out.State, out.Result, out.To.Mailbox, out.RetryAt = route.Over, r.code, r.mailbox, r.retryAt
		return out, err
	case store.AttemptSubmitted:
		out.State = route.Submitted
	}
	e, err := parseEnvelope(a.Sealed)
	out.To.Mailbox, out.Jitter = e.mailbox, e.jitter
	return out, err
}

// newAttempt wraps and seals a ciphertext for an address and saves the attempt, before
// anything of it leaves.
func (c *Client) newAttempt(tx *store.Tx, r relation, o store.Outgoing, sender store.AgentID, to wire.Address, key []byte) error {
	now := c.now()
	payload, err := r.particle.Wrap(c.opts.Rand, o.Ciphertext, to)
	if err != nil {
		return err
	}
	counter, err := tx.NextCounter(counterScope(to.Agent, to.Mailbox))
	if err != nil {
		return err
	}
	pub, err := address.ParseSealPublic(key)
	if err != nil {
		return err
	}
	notAfter := putEnd(now, o.NotAfter, to.Expires)
	sealed, secret, err := address.Seal(pub, address.Put{
		Address: to, Counter: counter, NotAfter: notAfter, Payload: wire.HashPayload(payload),
	})
	if err != nil {
		return err
	}
	e := envelope{mailbox: to.Mailbox, keyID: wire.KeyIDOf(key), notAfter: notAfter, uri: to.URI, sealed: sealed}
	if e.jitter, err = jitterOf(tx, o.ID); err != nil {
		return err
	}
	a := store.Attempt{
		Message: o.ID, Agent: sender, Receiver: to.Agent, Counter: counter, Payload: payload,
		Sealed: e.marshal(), Secret: secret.Marshal(), NextTry: now,
	}
	if _, err := io.ReadFull(c.opts.Rand, a.Handle[:]); err != nil {
		return err
	}
	_, err = tx.AddAttempt(a)
	return err
}

// putEnd is the notAfter of a put: as late as the message, its address and the protocol
// allow, in whole hours.
func putEnd(now, message, expires time.Time) time.Time {
	end := message
	for _, t := range []time.Time{expires, now.Add(wire.MaxPutLife)} {
		if t.Before(end) {
			end = t
		}
	}
	return address.NotAfter(now, max(end.Sub(now), 2*address.NotAfterGrain))
}

// submission is what a sending agent is handed.
func submission(a store.Attempt) (transport.Submission, error) {
	e, err := parseEnvelope(a.Sealed)
	return transport.Submission{
		Handle: a.Handle, URI: e.uri, KeyID: e.keyID, Sealed: e.sealed, Payload: a.Payload,
		NotAfter: e.notAfter, Jitter: e.jitter,
	}, err
}
