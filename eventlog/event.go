package eventlog

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"io"
	"sync"

	"communicator/wire"
	"communicator/wire/logproof"
)

const (
	labelTags    wire.Label = "comm/1/log-tags"
	labelKey     wire.Label = "comm/1/log-key"
	labelContent wire.Label = "comm/1/log-content"
)

// prepared is an event with everything that can be computed before it has its
// place in the log, so that callers do it and not the writer.
type prepared struct {
	kind     Kind
	version  uint8
	stream   []byte
	header   []byte
	bodyLen  uint32
	bodyHash [32]byte
	bodyRow  []byte // nil if there is no body; see bodyOffset
	key      tag    // zeros if there is no key
	content  tag
}

func (p *prepared) body() []byte {
	if p.bodyRow == nil {
		return nil
	}
	return p.bodyRow[bodyOffset:]
}

// tagsKey derives what keys and content are tagged with. It hangs on the node's
// root key alone: the database holds no value that another one shares, and a
// restored log still knows its keys.
func tagsKey(signer ed25519.PrivateKey) [32]byte {
	return wire.MAC(signer.Seed(), labelTags)
}

// prepare checks the event and copies what it needs of it.
func (l *eventLog) prepare(e *Event) (p prepared, err error) {
	switch {
	case len(e.Stream) > MaxStream:
		return p, fmt.Errorf("%w: stream of %d bytes", ErrTooLarge, len(e.Stream))
	case len(e.Key) > MaxKey:
		return p, fmt.Errorf("%w: key of %d bytes", ErrTooLarge, len(e.Key))
	case len(e.Header) > MaxHeader:
		return p, fmt.Errorf("%w: header of %d bytes", ErrTooLarge, len(e.Header))
	case len(e.Body) > MaxBody:
		return p, fmt.Errorf("%w: body of %d bytes", ErrTooLarge, len(e.Body))
	}
	if !l.opts.Knows(e.Kind, e.Version) {
		return p, &UnknownKindsError{[]KindVersion{{e.Kind, e.Version}}}
	}
	p.kind, p.version = e.Kind, e.Version
	copied := make([]byte, len(e.Stream)+len(e.Header))
	n := copy(copied, e.Stream)
	copy(copied[n:], e.Header)
	p.stream, p.header = copied[:n:n], copied[n:]
	var digest [32]byte
	if len(e.Body) > 0 {
		p.bodyLen = uint32(len(e.Body))
		p.bodyRow = make([]byte, bodyOffset+len(e.Body))
		p.bodyRow[0] = bodyStored
		copy(p.bodyRow[bodyOffset:], e.Body)
		salt := (*[logproof.SaltSize]byte)(p.bodyRow[9:bodyOffset])
		if _, err := io.ReadFull(l.opts.Rand, salt[:]); err != nil {
			return p, fmt.Errorf("eventlog: no randomness for a salt: %w", err)
		}
		digest = sha256.Sum256(e.Body)
		p.bodyHash = logproof.SaltDigest(salt, &digest)
	}
	if len(e.Key) > 0 {
		p.key, p.content = l.tags(e, &digest)
	}
	return p, nil
}

// tagger computes the MACs under which keys are filed and content is compared.
// Setting one up costs as much as using it.
type tagger struct{ idle sync.Pool }

func newTagger(key [32]byte) *tagger {
	t := new(tagger)
	t.idle.New = func() any { return hmac.New(sha256.New, key[:]) }
	return t
}

// mac is [wire.MAC] under the tagger's key, cut to a tag.
func (t *tagger) mac(label wire.Label, parts ...[]byte) (out tag) {
	h := t.idle.Get().(hash.Hash)
	defer t.idle.Put(h)
	h.Reset()
	var buf [sha256.Size]byte
	h.Write(append(buf[:0], label...))
	for _, p := range parts {
		h.Write(p)
	}
	copy(out[:], h.Sum(buf[:0]))
	return out
}

// tags are the MACs of an event's key, and of its content.
func (l *eventLog) tags(e *Event, body *[32]byte) (key, content tag) {
	var fixed [2 + 1 + 1 + 2]byte
	binary.BigEndian.PutUint16(fixed[:], uint16(e.Kind))
	fixed[2] = e.Version
	fixed[3] = byte(len(e.Stream))
	binary.BigEndian.PutUint16(fixed[4:], uint16(len(e.Header)))
	return l.tagger.mac(labelKey, e.Key), l.tagger.mac(labelContent, fixed[:], e.Stream, e.Header, body[:])
}
