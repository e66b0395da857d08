package record

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"testing"
	"time"

	"communicator/wire"
)

var update = flag.Bool("update", false, "write testdata anew")

// vectors are for other implementations: everything in hex but names and numbers.
type vectors struct {
	Secrets []secretVector `json:"secrets"`
	Blind   []blindVector  `json:"blind"`
	Zones   []zoneVector   `json:"zone_keys_refused"`
	Records []recordVector `json:"records"`
	Checks  []checkVector  `json:"validate"`
}

type secretVector struct {
	Name      string `json:"name"`
	Namespace string `json:"namespace"`
	Secret    string `json:"secret"`
}

type blindVector struct {
	ZoneSeed string   `json:"zone_seed"`
	Zone     string   `json:"zone_key"`
	Secret   string   `json:"secret"`
	Epoch    uint64   `json:"epoch"`
	Factor   string   `json:"factor"`
	Prefix   string   `json:"nonce_prefix"`
	Blind    string   `json:"blinded_key"`
	Keys     []string `json:"keys"`
}

type zoneVector struct {
	Why string `json:"why"`
	Key string `json:"key"`
}

type recordVector struct {
	Name      string `json:"name"`
	ZoneSeed  string `json:"zone_seed"`
	Secret    string `json:"secret"`
	Epoch     uint64 `json:"epoch"`
	Version   uint32 `json:"version"`
	Refresh   uint32 `json:"refresh"`
	NotBefore int64  `json:"not_before"`
	NotAfter  int64  `json:"not_after"`
	Payload   string `json:"payload"`
	WorkBits  int    `json:"work_bits"`
	Record    string `json:"record"`
}

type checkVector struct {
	Name     string `json:"name"`
	Key      string `json:"key"`
	Value    string `json:"value"`
	Now      int64  `json:"now"`
	WorkBits int    `json:"work_bits"`
	Error    string `json:"error,omitempty"`
}

var errorNames = map[string]error{
	"": nil, "malformed": wire.ErrMalformed, "too large": wire.ErrTooLarge, "unknown kind of key": ErrNamespace,
	"another place": ErrLocation, "times": ErrTimes, "stamp": ErrStamp, "signature": ErrSignature,
}

func makeVectors(t *testing.T) vectors {
	var v vectors
	ns := [32]byte(pattern(5, 32))
	for _, name := range []string{"alice", "jürgen", ""} {
		s := Secret(name, ns)
		v.Secrets = append(v.Secrets, secretVector{name, hex.EncodeToString(ns[:]), hex.EncodeToString(s[:])})
	}
	for _, e := range []wire.Epoch{0, epoch, epoch + 1} {
		signer, err := blindPrivate(zone, alice, e)
		if err != nil {
			t.Fatal(err)
		}
		f, _ := factor(public(zone), alice, e)
		b := blindVector{ZoneSeed: hex.EncodeToString(zone.Seed()), Zone: hex.EncodeToString(public(zone)),
			Secret: hex.EncodeToString(alice[:]), Epoch: uint64(e), Factor: hex.EncodeToString(f[:]),
			Prefix: hex.EncodeToString(signer.prefix[:]), Blind: hex.EncodeToString(signer.public[:])}
		for _, key := range signer.public.Locations() {
			b.Keys = append(b.Keys, hex.EncodeToString([]byte(key)))
		}
		v.Blind = append(v.Blind, b)
	}
	v.Zones = []zoneVector{
		{"identity", "0100000000000000000000000000000000000000000000000000000000000000"},
		{"order 8", "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"},
		{"not canonical", "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"},
		{"not a point", "0200000000000000000000000000000000000000000000000000000000000000"},
	}
	from, _ := Window(epoch)
	for _, r := range []recordVector{
		{Name: "whole window", Version: 1, Payload: hex.EncodeToString([]byte("statement")), WorkBits: WorkBits},
		{Name: "empty", Version: 2, Refresh: 7, WorkBits: testBits},
		{Name: "3 KiB, one day", Version: 2, Refresh: 8, NotBefore: from.Unix(), NotAfter: from.Unix() + 86400,
			Payload: hex.EncodeToString(pattern(0, 2047)), WorkBits: testBits},
	} {
		r.ZoneSeed, r.Secret, r.Epoch = hex.EncodeToString(zone.Seed()), hex.EncodeToString(alice[:]), uint64(epoch)
		b, err := Sign(zone, alice, r.draft(t), r.WorkBits)
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := Parse(b)
		if err != nil {
			t.Fatal(err)
		}
		r.NotBefore, r.NotAfter, r.Record = parsed.NotBefore.Unix(), parsed.NotAfter.Unix(), hex.EncodeToString(b)
		v.Records = append(v.Records, r)
	}
	v.Checks = makeChecks(t)
	return v
}

func makeChecks(t *testing.T) []checkVector {
	good := mustSign(t, draft("statement"))
	keys := mustBlind(t, epoch).Locations()
	_, to := Window(epoch)
	edited := func(at int) []byte {
		b := bytes.Clone(good)
		b[at] ^= 1
		return b
	}
	check := func(name, key string, value []byte, now time.Time, bits int, err string) checkVector {
		return checkVector{name, hex.EncodeToString([]byte(key)), hex.EncodeToString(value), now.Unix(), bits, err}
	}
	agent := AgentKey(wire.AgentIDOf(public(zone)))
	d := signDescriptor(t, sampleDescriptor(1, during))
	return []checkVector{
		check("first place", keys[0], good, during, testBits, ""),
		check("second place", keys[1], good, during, testBits, ""),
		check("third place", keys[2], good, during, testBits, ""),
		check("descriptor", agent, d, during, testBits, ""),
		check("descriptor, old", agent, d, during.Add(MaxDescriptorAge+time.Second), testBits, "times"),
		check("unknown kind of key", "/pk/"+keys[0][21:], good, during, testBits, "unknown kind of key"),
		check("a byte short", keys[0], good[:len(good)-1], during, testBits, "malformed"),
		check("oversized", keys[0], make([]byte, MaxSize+1), during, testBits, "too large"),
		check("another epoch's place", mustBlind(t, epoch+1).Locations()[0], good, during, testBits, "another place"),
		check("expired", keys[0], good, to, testBits, "times"),
		check("not yet", keys[0], good, during.Add(-wire.EpochLength), testBits, "times"),
		check("too little work", keys[0], good, during, MaxWorkBits, "stamp"),
		check("box changed", keys[0], edited(boxOffset), during, 0, "signature"),
		check("stamp changed", keys[0], edited(headerSize+7), during, 0, "signature"),
		check("signature changed", keys[0], edited(len(good)-1), during, testBits, "signature"),
	}
}

func (r recordVector) draft(t *testing.T) Draft {
	d := Draft{Epoch: wire.Epoch(r.Epoch), Version: r.Version, Refresh: r.Refresh, Payload: unhex(t, r.Payload)}
	if r.NotAfter != 0 {
		d.NotBefore, d.NotAfter = time.Unix(r.NotBefore, 0).UTC(), time.Unix(r.NotAfter, 0).UTC()
	}
	return d
}

func TestVectors(t *testing.T) {
	const path = "testdata/record.json"
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
	var v vectors
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatal(err)
	}
	for _, s := range v.Secrets {
		if got := Secret(s.Name, [32]byte(unhex(t, s.Namespace))); hex.EncodeToString(got[:]) != s.Secret {
			t.Errorf("secret of %q is %x", s.Name, got)
		}
	}
	for _, b := range v.Blind {
		checkBlindVector(t, b)
	}
	for _, z := range v.Zones {
		if err := CheckZoneKey(unhex(t, z.Key)); !errors.Is(err, ErrZoneKey) {
			t.Errorf("zone key, %s: %v", z.Why, err)
		}
	}
	for _, r := range v.Records {
		key := ed25519.NewKeyFromSeed(unhex(t, r.ZoneSeed))
		b, err := Sign(key, NameSecret(unhex(t, r.Secret)), r.draft(t), r.WorkBits)
		if err != nil || hex.EncodeToString(b) != r.Record {
			t.Errorf("record %q: %v", r.Name, err)
		}
		payload, _, err := Open(public(key), NameSecret(unhex(t, r.Secret)), wire.Epoch(r.Epoch), unhex(t, r.Record))
		if err != nil || hex.EncodeToString(payload) != r.Payload {
			t.Errorf("record %q opens as %x, %v", r.Name, payload, err)
		}
	}
	for _, c := range v.Checks {
		want, known := errorNames[c.Error]
		err := Validate(string(unhex(t, c.Key)), unhex(t, c.Value), time.Unix(c.Now, 0), c.WorkBits)
		if !known || !errors.Is(err, want) {
			t.Errorf("%s: %v, want %q", c.Name, err, c.Error)
		}
	}
}

func checkBlindVector(t *testing.T, b blindVector) {
	t.Helper()
	key, s, e := ed25519.NewKeyFromSeed(unhex(t, b.ZoneSeed)), NameSecret(unhex(t, b.Secret)), wire.Epoch(b.Epoch)
	signer, err := blindPrivate(key, s, e)
	if err != nil {
		t.Fatal(err)
	}
	f, _ := factor(unhex(t, b.Zone), s, e)
	if hex.EncodeToString(f[:]) != b.Factor || hex.EncodeToString(signer.prefix[:]) != b.Prefix ||
		hex.EncodeToString(signer.public[:]) != b.Blind {
		t.Errorf("epoch %d blinds to %x", e, signer.public)
	}
	for r, key := range signer.public.Locations() {
		if hex.EncodeToString([]byte(key)) != b.Keys[r] {
			t.Errorf("epoch %d, place %d: %x", e, r, key)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(mustSign(f, draft("statement")))
	d := draft("")
	d.Payload = pattern(0, MaxPayload)
	f.Add(mustSign(f, d))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := Parse(b)
		if err != nil {
			return
		}
		if !bytes.Equal(r.Marshal(), b) {
			t.Error("encodes to other bytes")
		}
		// A fuzzer does not find signatures; whatever it finds is refused, not fallen over.
		sequence, err := Check(r.Blind.Locations()[0], b, during, 0)
		if err == nil && sequence != r.Sequence() {
			t.Error("another sequence")
		}
	})
}

func BenchmarkSecret(b *testing.B) {
	for b.Loop() {
		Secret("alice", [32]byte{})
	}
}

func BenchmarkBlind(b *testing.B) {
	for b.Loop() {
		if _, err := Blind(public(zone), alice, epoch); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkSign is without the stamp, whose price is the network's choice.
func BenchmarkSign(b *testing.B) {
	d := draft("statement")
	for b.Loop() {
		if _, err := Sign(zone, alice, d, 0); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkStampAttempt(b *testing.B) {
	content, n := [32]byte{1}, uint64(0)
	for b.Loop() {
		n++
		work(content, n)
	}
}

func BenchmarkValidate(b *testing.B) {
	value, key := mustSign(b, draft("statement")), mustBlind(b, epoch).Locations()[0]
	for b.Loop() {
		if err := Validate(key, value, during, testBits); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOpen(b *testing.B) {
	value := mustSign(b, draft("statement"))
	for b.Loop() {
		if _, _, err := Open(public(zone), alice, epoch, value); err != nil {
			b.Fatal(err)
		}
	}
}
