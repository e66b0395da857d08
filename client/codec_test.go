package client

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"communicator/client/route"
	"communicator/client/store"
	"communicator/wire"
)

func FuzzParseEnvelope(f *testing.F) {
	e := envelope{mailbox: wire.MailboxID{1}, keyID: wire.KeyID{2}, notAfter: time.Unix(3600, 0), jitter: time.Second,
		uri: "/ip4/203.0.113.7/tcp/4001/p2p/x", sealed: make([]byte, wire.SealedSize)}
	f.Add(e.marshal())
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := parseEnvelope(b)
		if err == nil && !bytes.Equal(e.marshal(), b) {
			t.Errorf("%x encodes back to %x", b, e.marshal())
		}
	})
}

func FuzzParseResult(f *testing.F) {
	f.Add(result{code: route.Full, mailbox: wire.MailboxID{1}, retryAt: time.Unix(3600, 0)}.marshal())
	f.Add(result{code: route.Stored}.marshal())
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := parseResult(b)
		if err == nil && !bytes.Equal(r.marshal(), b) {
			t.Errorf("%x encodes back to %x", b, r.marshal())
		}
	})
}

func TestDamagedAttemptsAreFound(t *testing.T) {
	good := envelope{sealed: make([]byte, wire.SealedSize)}.marshal()
	for name, b := range map[string][]byte{"empty": nil, "short": good[:len(good)-1], "long": append(good, 0), "version": append([]byte{2}, good[1:]...)} {
		if _, err := parseEnvelope(b); !errors.Is(err, store.ErrDamaged) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := parseResult([]byte{1}); !errors.Is(err, store.ErrDamaged) {
		t.Errorf("result: %v", err)
	}
}
