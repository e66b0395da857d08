package wire_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"communicator/wire"
)

func testAddress() wire.Address {
	return wire.Address{
		Generation: 7,
		Agent:      wire.AgentID(pattern(0x10, 32)),
		Pin:        wire.EpochPin(pattern(0x30, 32)),
		Mailbox:    wire.MailboxID(pattern(0x50, 16)),
		Key:        [32]byte(pattern(0x60, 32)),
		Epoch:      2968,
		Expires:    time.Unix(1800000000, 0).UTC(),
		Caps:       wire.CapContact,
		URI:        "/dns4/relay.example.org/tcp/4001/p2p/12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN",
	}
}

// Offsets in an encoded address.
const (
	atVersion = 0
	atExpires = 1 + 4 + 32 + 32 + 16 + 32 + 4
	atCaps    = atExpires + 8
	atLength  = atCaps + 4
)

type addressVector struct {
	Name  string         `json:"name"`
	Bytes string         `json:"bytes"`
	Error string         `json:"error,omitempty"`
	Is    *addressFields `json:"address,omitempty"`
}

type addressFields struct {
	Generation uint32 `json:"generation"`
	Agent      string `json:"agent"`
	Pin        string `json:"pin"`
	Mailbox    string `json:"mailbox"`
	Key        string `json:"key"`
	Epoch      uint32 `json:"epoch"`
	Expires    int64  `json:"expires"`
	Caps       uint32 `json:"caps"`
	URI        string `json:"uri"`
}

func fieldsOf(a wire.Address) *addressFields {
	return &addressFields{a.Generation, hex.EncodeToString(a.Agent[:]), hex.EncodeToString(a.Pin[:]),
		hex.EncodeToString(a.Mailbox[:]), hex.EncodeToString(a.Key[:]), uint32(a.Epoch), a.Expires.Unix(),
		uint32(a.Caps), a.URI}
}

// changed returns b with one byte set.
func changed(b []byte, at int, to byte) []byte {
	b = slices.Clone(b)
	b[at] = to
	return b
}

func addressVectors() []addressVector {
	a := testAddress()
	lifeline := a
	lifeline.Caps, lifeline.URI, lifeline.Epoch = wire.CapLifeline, "", 56
	long := a
	long.URI = "/" + strings.Repeat("x", wire.MaxURI-1)
	b := a.Marshal()
	ok := func(name string, a wire.Address) addressVector {
		return addressVector{Name: name, Bytes: hex.EncodeToString(a.Marshal()), Is: fieldsOf(a)}
	}
	bad := func(name, err string, b []byte) addressVector {
		return addressVector{Name: name, Bytes: hex.EncodeToString(b), Error: err}
	}
	return []addressVector{
		ok("contact mailbox", a), ok("lifeline without a URI", lifeline), ok("longest URI", long),
		bad("nothing", "malformed", nil),
		bad("version 0", "unknown version", changed(b, atVersion, 0)),
		bad("version 2", "unknown version", changed(b, atVersion, 2)),
		bad("unknown capability", "unknown version", changed(b, atCaps+3, 4)),
		bad("unknown high capability", "unknown version", changed(b, atCaps, 0x80)),
		bad("expiry after the year 9999", "malformed", changed(b, atExpires, 1)),
		bad("trailing byte", "malformed", append(slices.Clone(b), 0)),
		bad("cut in the URI", "malformed", b[:len(b)-1]),
		bad("cut before the URI", "malformed", b[:atLength]),
		bad("URI of 161 bytes", "too large", append(changed(long.Marshal(), atLength, wire.MaxURI+1), 'x')),
	}
}

func TestAddressVectors(t *testing.T) {
	for _, v := range vectors(t, "address.json", addressVectors()) {
		t.Run(v.Name, func(t *testing.T) {
			input := unhex(t, v.Bytes)
			a, err := wire.ParseAddress(input)
			if !errors.Is(err, errorNames[v.Error]) {
				t.Fatalf("%v, want %q", err, v.Error)
			}
			if v.Error != "" {
				return
			}
			if got := fieldsOf(a); *got != *v.Is {
				t.Errorf("got %+v, want %+v", got, v.Is)
			}
			if !bytes.Equal(a.Marshal(), input) {
				t.Error("encodes to other bytes")
			}
		})
	}
}

func TestEveryCutOfAnAddressIsRefused(t *testing.T) {
	b := testAddress().Marshal()
	for n := range b {
		if _, err := wire.ParseAddress(b[:n]); !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("the first %d bytes: %v", n, err)
		}
	}
}

type setVector struct {
	Name   string           `json:"name"`
	Bytes  string           `json:"bytes"`
	Error  string           `json:"error,omitempty"`
	Number uint64           `json:"number,omitempty"`
	Is     []*addressFields `json:"addresses,omitempty"`
}

func setVectors(t *testing.T) []setVector {
	t.Helper()
	a, second := testAddress(), testAddress()
	second.Generation, second.Caps = 8, 0
	encode := func(s wire.AddressSet) []byte {
		b, err := s.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	two := encode(wire.AddressSet{Number: 1 << 40, Addresses: []wire.Address{a, second}})
	empty := encode(wire.AddressSet{Number: 3})
	long := a
	long.URI = "/" + strings.Repeat("x", wire.MaxURI-1)
	entry := append([]byte{1, byte(len(long.Marshal()) - 256)}, long.Marshal()...)
	bad := func(name, err string, b []byte) setVector {
		return setVector{Name: name, Bytes: hex.EncodeToString(b), Error: err}
	}
	return []setVector{
		{Name: "two addresses", Bytes: hex.EncodeToString(two), Number: 1 << 40,
			Is: []*addressFields{fieldsOf(a), fieldsOf(second)}},
		{Name: "no addresses", Bytes: hex.EncodeToString(empty), Number: 3},
		bad("nothing", "malformed", nil),
		bad("trailing byte", "malformed", append(slices.Clone(two), 0)),
		bad("count over the entries", "malformed", changed(two, 8, 3)),
		bad("count under the entries", "malformed", changed(two, 8, 1)),
		bad("count over the maximum", "too large", changed(two, 8, 5)),
		bad("entry's length too short", "malformed", changed(two, 10, two[10]-1)),
		bad("entry of an unknown version", "unknown version", changed(two, 11, 9)),
		bad("over 1,000 bytes", "too large",
			append(changed(empty, 8, 4), bytes.Repeat(entry, 4)...)),
	}
}

func TestAddressSetVectors(t *testing.T) {
	for _, v := range vectors(t, "address_set.json", setVectors(t)) {
		t.Run(v.Name, func(t *testing.T) {
			input := unhex(t, v.Bytes)
			set, err := wire.ParseAddressSet(input)
			if !errors.Is(err, errorNames[v.Error]) {
				t.Fatalf("%v, want %q", err, v.Error)
			}
			if v.Error != "" {
				return
			}
			var got []*addressFields
			for _, a := range set.Addresses {
				got = append(got, fieldsOf(a))
			}
			if set.Number != v.Number || !reflect.DeepEqual(got, v.Is) {
				t.Errorf("set %d of %d addresses", set.Number, len(got))
			}
			if again, err := set.Marshal(); err != nil || !bytes.Equal(again, input) {
				t.Errorf("encodes to other bytes: %v", err)
			}
		})
	}
}

func TestAddressSetLimits(t *testing.T) {
	a := testAddress()
	if _, err := (wire.AddressSet{Addresses: make([]wire.Address, wire.MaxAddresses+1)}).Marshal(); !errors.Is(err, wire.ErrTooLarge) {
		t.Errorf("five addresses: %v", err)
	}
	a.URI = strings.Repeat("x", wire.MaxURI)
	if _, err := (wire.AddressSet{Addresses: []wire.Address{a, a, a, a}}).Marshal(); !errors.Is(err, wire.ErrTooLarge) {
		t.Errorf("four of the largest: %v", err)
	}
	if _, err := (wire.AddressSet{Addresses: []wire.Address{a, a, a}}).Marshal(); err != nil {
		t.Errorf("three of the largest: %v", err)
	}
	defer func() {
		if recover() == nil {
			t.Error("an overlong URI was encoded")
		}
	}()
	a.URI += "x"
	a.Marshal()
}

func FuzzParseAddress(f *testing.F) {
	f.Add(testAddress().Marshal())
	f.Fuzz(func(t *testing.T, b []byte) {
		if a, err := wire.ParseAddress(b); err == nil && !bytes.Equal(a.Marshal(), b) {
			t.Errorf("%x encodes to %x", b, a.Marshal())
		}
	})
}

func FuzzParseAddressSet(f *testing.F) {
	a := testAddress()
	seed, err := wire.AddressSet{Number: 9, Addresses: []wire.Address{a, a}}.Marshal()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Fuzz(func(t *testing.T, b []byte) {
		set, err := wire.ParseAddressSet(b)
		if err != nil {
			return
		}
		if again, err := set.Marshal(); err != nil || !bytes.Equal(again, b) {
			t.Errorf("%x encodes to %x, %v", b, again, err)
		}
	})
}

func FuzzParseToken(f *testing.F) {
	f.Add(wire.Token(pattern(1, 16)).String())
	f.Fuzz(func(t *testing.T, s string) {
		if token, err := wire.ParseToken(s); err == nil && token.String() != s {
			t.Errorf("%q encodes to %q", s, token)
		}
	})
}
