package descriptor

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"strings"
	"testing"
	"time"

	"communicator/wire"
	"communicator/wire/pb"

	"google.golang.org/protobuf/proto"
)

var update = flag.Bool("update", false, "write testdata anew")

func pattern(start byte, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = start + byte(i)
	}
	return b
}

var root = ed25519.NewKeyFromSeed(pattern(1, 32))

func public(k ed25519.PrivateKey) ed25519.PublicKey { return k.Public().(ed25519.PublicKey) }

func sample() Descriptor {
	issued := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	return Descriptor{
		Root: public(root), Roles: Sending | Receiving,
		Addrs: []string{"/dns4/relay.example.org/tcp/4001", "/ip6/2001:db8::7/udp/4001/quic-v1"},
		Epochs: []Epoch{
			{Number: 2967, Key: pattern(2, SealKeySize), NotBefore: issued.Add(-wire.EpochLength)},
			{Number: 2968, Key: pattern(3, SealKeySize), NotBefore: issued},
		},
		Limits: Limits{MaxPayload: wire.MaxPayload, MailboxQuota: 1000, DeliveryQuota: 500,
			ByteQuota: 16 << 20, Retention: 14 * 24 * time.Hour},
		Policy: PolicyToken, PoWBits: 20, Sequence: 1, Issued: issued,
	}
}

// successor is a later descriptor of the same agent.
func successor(d Descriptor, key byte) Descriptor {
	d.Prev = d.Chain()
	d.Sequence++
	d.Issued = d.Issued.Add(wire.EpochLength)
	d.Epochs = append(d.Epochs[1:2:2], Epoch{Number: d.Epochs[1].Number + 1, Key: pattern(key, SealKeySize), NotBefore: d.Issued})
	return d
}

func mustSign(t testing.TB, d Descriptor) Signed {
	t.Helper()
	s, err := Sign(d, root)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// resign signs any body, as a faulty agent might.
func resign(body []byte) []byte {
	return append(bytes.Clone(body), ed25519.Sign(root, signedBytes(body))...)
}

// Offsets in an encoded descriptor.
const (
	atSequence = 1 + 32
	atIssued   = atSequence + 8
	atRoles    = atIssued + 8
	atFlags    = atRoles + 1
	atPolicy   = atFlags + 1
	atWork     = atPolicy + 1
	atCount    = atWork + 1 + 4 + 4 + 4 + 8 + 4
)

var errorNames = map[string]error{
	"": nil, "malformed": wire.ErrMalformed, "too large": wire.ErrTooLarge,
	"unknown version": wire.ErrVersion, "another agent": ErrAgent, "signature": ErrSignature,
}

type vector struct {
	Name  string `json:"name"`
	Bytes string `json:"bytes"`
	Error string `json:"error,omitempty"`
	Link  string `json:"link,omitempty"`
	Chain string `json:"chain,omitempty"`
	Pin   string `json:"pin_of_newest_epoch,omitempty"`
}

func makeVectors(t *testing.T) []vector {
	first := sample()
	second := successor(first, 9)
	second.Draining = true
	small := Descriptor{Root: public(root), Roles: Sending, Policy: PolicyOpen, Sequence: 1, Issued: time.Unix(0, 0)}
	ok := func(name string, d Descriptor) vector {
		link, chain := d.Link(), d.Chain()
		v := vector{Name: name, Bytes: hex.EncodeToString(mustSign(t, d)),
			Link: hex.EncodeToString(link[:]), Chain: hex.EncodeToString(chain[:])}
		if e, err := d.Newest(); err == nil {
			pin := wire.PinOf(d.Agent(), e.Number, e.Key)
			v.Pin = hex.EncodeToString(pin[:])
		}
		return v
	}
	signed := mustSign(t, first)
	body := signed[:len(signed)-signatureSize]
	bad := func(name, err string, b []byte) vector {
		return vector{Name: name, Bytes: hex.EncodeToString(b), Error: err}
	}
	edit := func(at int, to byte) []byte {
		b := bytes.Clone(body)
		b[at] = to
		return resign(b)
	}
	last := len(signed) - 1
	damaged := bytes.Clone(signed)
	damaged[last] ^= 1
	foreign := first
	stranger := ed25519.NewKeyFromSeed(pattern(7, 32))
	foreign.Root = public(stranger)
	strange, err := Sign(foreign, stranger)
	if err != nil {
		t.Fatal(err)
	}
	twice := first
	twice.Epochs = []Epoch{first.Epochs[1], first.Epochs[1]}
	unsorted := append(twice.appendContent(nil), make([]byte, chainSize)...)
	return []vector{
		ok("first", first), ok("second, draining", second), ok("smallest", small),
		bad("nothing", "malformed", nil),
		bad("signature changed", "signature", damaged),
		bad("body changed", "signature", func() []byte { b := bytes.Clone(signed); b[atWork] ^= 1; return b }()),
		bad("another agent's", "another agent", strange),
		bad("version 2", "unknown version", edit(0, 2)),
		bad("no roles", "malformed", edit(atRoles, 0)),
		bad("unknown role", "unknown version", edit(atRoles, 9)),
		bad("unknown flag", "unknown version", edit(atFlags, 2)),
		bad("unknown policy", "unknown version", edit(atPolicy, 4)),
		bad("too much work", "too large", edit(atWork, MaxWorkBits+1)),
		bad("sequence 0", "malformed", edit(atSequence+7, 0)),
		bad("sequence 2 without a previous hash", "malformed", edit(atSequence+7, 2)),
		bad("issued after the year 9999", "malformed", edit(atIssued, 1)),
		bad("nine addresses", "too large", edit(atCount, 9)),
		bad("one address fewer than there are", "too large", edit(atCount, 1)),
		bad("address without a slash", "malformed", edit(atCount+2, 'x')),
		bad("address with a space", "malformed", edit(atCount+4, ' ')),
		bad("epochs not ascending", "malformed", resign(unsorted)),
		bad("trailing byte", "malformed", resign(append(bytes.Clone(body), 0))),
		bad("cut", "malformed", signed[:last]),
	}
}

func TestVectors(t *testing.T) {
	const path = "testdata/descriptor.json"
	if *update {
		b, err := json.MarshalIndent(makeVectors(t), "", " ")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, append(b, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var want []vector
	if err := json.Unmarshal(raw, &want); err != nil {
		t.Fatal(err)
	}
	for _, v := range want {
		t.Run(v.Name, func(t *testing.T) {
			b, err := hex.DecodeString(v.Bytes)
			if err != nil {
				t.Fatal(err)
			}
			d, err := Parse(b, wire.AgentIDOf(public(root)))
			if !errors.Is(err, errorNames[v.Error]) {
				t.Fatalf("%v, want %q", err, v.Error)
			}
			if v.Error != "" {
				return
			}
			link, chain := d.Link(), d.Chain()
			if hex.EncodeToString(link[:]) != v.Link || hex.EncodeToString(chain[:]) != v.Chain {
				t.Errorf("link %x, chain %x", link, chain)
			}
			if !bytes.Equal(mustSign(t, d), b) {
				t.Error("encodes to other bytes")
			}
		})
	}
}

func TestChain(t *testing.T) {
	chain := []Descriptor{sample()}
	var links [][32]byte
	for n := byte(10); n < 20; n++ {
		next := successor(chain[len(chain)-1], n)
		chain, links = append(chain, next), append(links, next.Link())
	}
	known, newest := chain[0].Chain(), chain[10]
	if err := VerifyLinks(known, links, newest); err != nil {
		t.Errorf("ten steps: %v", err)
	}
	if err := VerifyLinks(newest.Chain(), nil, newest); err != nil {
		t.Errorf("no steps: %v", err)
	}
	if err := VerifyLinks(ChainHash{}, append([][32]byte{chain[0].Link()}, links...), newest); err != nil {
		t.Errorf("from the beginning: %v", err)
	}
	swapped := append([][32]byte(nil), links...)
	swapped[2], swapped[3] = swapped[3], swapped[2]
	forked := newest
	forked.Epochs = []Epoch{{Number: 1, Key: pattern(99, SealKeySize), NotBefore: newest.Issued}}
	for name, err := range map[string]error{
		"a step missing":         VerifyLinks(known, links[1:], newest),
		"a step too many":        VerifyLinks(known, append(links[:9:9], links[8], links[9]), newest),
		"steps swapped":          VerifyLinks(known, swapped, newest),
		"another beginning":      VerifyLinks(ChainHash{1}, links, newest),
		"another end":            VerifyLinks(known, links, forked),
		"an earlier end":         VerifyLinks(known, links, chain[9]),
		"no steps to another":    VerifyLinks(known, nil, newest),
		"more than the sequence": VerifyLinks(known, make([][32]byte, 12), newest),
		"more than the maximum":  VerifyLinks(known, make([][32]byte, MaxLinks+1), newest),
	} {
		if !errors.Is(err, ErrChain) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTheLongestReplyFitsAFrame(t *testing.T) {
	reply := &pb.DescriptorReply{Status: 1, Descriptor_: make([]byte, wire.MaxDescriptor)}
	for range MaxLinks {
		reply.Links = append(reply.Links, make([]byte, 32))
	}
	const envelope = 64 // the frame's own fields, and those of a submit response around it
	if n := proto.Size(reply) + envelope; n > wire.MaxFrame {
		t.Errorf("%d bytes, a frame holds %d", n, wire.MaxFrame)
	}
}

func TestPins(t *testing.T) {
	d := sample()
	a := wire.Address{Agent: d.Agent(), Epoch: 2967, Pin: wire.PinOf(d.Agent(), 2967, d.Epochs[0].Key)}
	key, id, err := d.CheckPin(a)
	if err != nil || !bytes.Equal(key, d.Epochs[0].Key) || id != wire.KeyIDOf(key) {
		t.Errorf("pinned key: %v", err)
	}
	lifeline := wire.Address{Agent: d.Agent(), Epoch: 56, Caps: wire.CapLifeline, Pin: wire.EpochPin(d.Chain())}
	if key, _, err := d.CheckPin(lifeline); err != nil || !bytes.Equal(key, d.Epochs[1].Key) {
		t.Errorf("lifeline: %v", err)
	}
	other := a
	other.Agent[0]++
	gone := a
	gone.Epoch = 2900
	swapped := d
	swapped.Epochs = []Epoch{{Number: 2967, Key: pattern(50, SealKeySize)}}
	keyless := d
	keyless.Epochs = nil
	for _, test := range []struct {
		name string
		d    Descriptor
		a    wire.Address
		want error
	}{
		{"another agent", d, other, ErrAgent},
		{"an epoch long gone", d, gone, ErrNoEpoch},
		{"a key of the sender's own", swapped, a, ErrPin},
		{"lifeline to an agent without keys", keyless, lifeline, ErrNoEpoch},
	} {
		if _, _, err := test.d.CheckPin(test.a); !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", test.name, err, test.want)
		}
	}
}

func TestSignRefuses(t *testing.T) {
	for name, change := range map[string]func(*Descriptor){
		"another root":            func(d *Descriptor) { d.Root = pattern(0, 32) },
		"receiving without a key": func(d *Descriptor) { d.Epochs = nil },
		"four epochs":             func(d *Descriptor) { d.Epochs = make([]Epoch, 4) },
		"short key":               func(d *Descriptor) { d.Epochs[0].Key = d.Epochs[0].Key[1:] },
		"circuit address":         func(d *Descriptor) { d.Addrs = []string{"/ip4/1.2.3.4/tcp/1/p2p/x/p2p-circuit"} },
		"address with a peer":     func(d *Descriptor) { d.Addrs = []string{"/ip4/1.2.3.4/tcp/1/p2p/x"} },
		"address twice":           func(d *Descriptor) { d.Addrs = []string{"/ip4/1.2.3.4/tcp/1", "/ip4/1.2.3.4/tcp/1"} },
		"overlong address":        func(d *Descriptor) { d.Addrs = []string{"/" + strings.Repeat("x", wire.MaxURI)} },
		"fractions of a second":   func(d *Descriptor) { d.Issued = d.Issued.Add(time.Millisecond) },
		"fractions of retention":  func(d *Descriptor) { d.Limits.Retention++ },
		"endless retention":       func(d *Descriptor) { d.Limits.Retention = 1 << 62 },
	} {
		d := sample()
		change(&d)
		if _, err := Sign(d, root); err == nil {
			t.Errorf("%s: signed", name)
		}
	}
}

func FuzzParse(f *testing.F) {
	small := Descriptor{Root: public(root), Roles: Sending, Policy: PolicyOpen, Sequence: 1, Issued: time.Unix(0, 0)}
	f.Add([]byte(mustSign(f, small))) // a small seed, for speed
	f.Add([]byte(mustSign(f, sample())))
	agent := wire.AgentIDOf(public(root))
	f.Fuzz(func(t *testing.T, b []byte) {
		// A fuzzer does not find signatures: the content's parser is what it tries.
		if len(b) > wire.MaxDescriptor || len(b) < chainSize+signatureSize {
			return
		}
		content := b[:len(b)-chainSize-signatureSize]
		if d, err := parseContent(content); err == nil && !bytes.Equal(d.appendContent(nil), content) {
			t.Errorf("%x encodes to %x", content, d.appendContent(nil))
		}
		if d, err := Parse(b, agent); err == nil && d.Agent() != agent {
			t.Error("another agent's descriptor")
		}
	})
}

func BenchmarkParse(b *testing.B) {
	signed, agent := mustSign(b, sample()), wire.AgentIDOf(public(root))
	for b.Loop() {
		if _, err := Parse(signed, agent); err != nil {
			b.Fatal(err)
		}
	}
}
