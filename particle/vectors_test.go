package particle

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"testing"
)

// The vectors in testdata are for other implementations too; docs/session.md says how to
// read them. They are made by this package ("go test -run Vectors -update") and then
// replayed from the file, so a change that breaks the format fails.
var update = flag.Bool("update", false, "make the files in testdata anew")

// vectors returns the vectors of a file, made anew first if asked to.
func vectors[T any](t *testing.T, name string, generate func() T) T {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		b, err := json.MarshalIndent(generate(), "", " ")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, append(b, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	var v T
	if err := d.Decode(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

// errorNames are what the vectors call errors.
var errorNames = map[string]error{
	"malformed": ErrMalformed, "version": ErrVersion, "too large": ErrTooLarge,
	"undecryptable": ErrUndecryptable, "duplicate": ErrDuplicate, "too far": ErrTooFar,
	"padding": ErrPadding, "signature": ErrSignature, "bad key": ErrBadKey,
	"expired": ErrExpired, "address set": ErrAddressSet, "claim": ErrClaim,
}

func errorName(t *testing.T, err error) string {
	t.Helper()
	if fork := new(ForkError); errors.As(err, &fork) {
		return "fork"
	}
	for name, e := range errorNames {
		if errors.Is(err, e) {
			return name
		}
	}
	t.Fatalf("no name for error %v", err)
	return ""
}

func same(t *testing.T, what string, got, want []byte) {
	t.Helper()
	if !bytes.Equal(got, want) {
		t.Errorf("%s:\n got %.80x\nwant %.80x", what, got, want)
	}
}

// parseVector is one input of a parser and what comes of it.
type parseVector struct {
	Name  string   `json:"name"`
	Bytes hexBytes `json:"bytes"`
	Error string   `json:"error,omitempty"` // empty: valid
}

// flipped returns a copy with bits of one byte changed; a negative index counts from the
// end.
func flipped(b []byte, i int, bits byte) []byte {
	b = bytes.Clone(b)
	if i < 0 {
		i += len(b)
	}
	b[i] ^= bits
	return b
}

func TestVectorsContent(t *testing.T) {
	file := vectors(t, "content.json", func() (v []parseVector) {
		add := func(name string, b []byte) {
			_, err := parseContent(b)
			p := parseVector{Name: name, Bytes: b}
			if err != nil {
				p.Error = errorName(t, err)
			}
			v = append(v, p)
		}
		encode := func(c content) []byte {
			c.id, c.sent, c.setAck, c.recoveryAck = MessageID{1, 2, 3}, 1767323045000, 7, 2
			body, spare := c.marshal()
			return append(body, spare...)
		}
		e, _ := exchange{}.offer(addresses(1, 2), start)
		text := encode(content{text: "grüß dich"})
		item := bytes.Clone(text[contentFixed:])
		with := func(count byte, items ...[]byte) []byte {
			b := append(bytes.Clone(text[:contentFixed-1]), count)
			return append(b, bytes.Join(items, nil)...)
		}
		add("empty", encode(content{}))
		add("text", text)
		add("alarm", encode(content{alarm: &ForkPoint{258, 3}}))
		add("previous session and addresses", encode(content{previous: &SessionID{9}, addresses: e.carried()}))
		add("text and recovery package", encode(content{text: "x", recovery: &recoveryOffer{5, []byte("a package")}}))
		add("version 2", flipped(text, 0, 3))
		add("trailing byte", append(bytes.Clone(text), 0))
		add("truncated", text[:len(text)-1])
		add("sent after year 9999", flipped(text, 17, 0x80))
		add("count too high", flipped(text, contentFixed-1, 3))
		add("text twice", with(2, item, item))
		add("kinds descending", with(2, encode(content{alarm: &ForkPoint{1, 1}})[contentFixed:], item))
		add("empty text", with(1, []byte{1, 0, 0}))
		add("text not UTF-8", with(1, []byte{1, 0, 2, 0xc3, 0x28}))
		add("claim", encode(content{claim: &Claim{[32]byte{1, 2}, [32]byte{3, 4}}}))
		add("claim of 63 bytes", with(1, append([]byte{4, 0, 63}, make([]byte, 63)...)))
		add("checkpoint", encode(content{checkpoint: []byte("a signed note\n")}))
		add("empty checkpoint", with(1, []byte{5, 0, 0}))
		add("checkpoint of 1153 bytes", with(1, append([]byte{5, 4, 0x81}, make([]byte, 1153)...)))
		relation := bytes.Repeat([]byte{7}, RelationSize)
		add("relation", encode(content{relation: relation}))
		add("relation after a previous session", encode(content{previous: &SessionID{9}, relation: relation}))
		add("relation of 265 bytes", with(1, append([]byte{7, 1, 9}, relation[1:]...)))
		add("relation of 267 bytes", with(1, append([]byte{7, 1, 11, 0}, relation...)))
		add("empty relation", with(1, []byte{7, 0, 0}))
		add("veto", encode(content{veto: []byte("a statement")}))
		add("empty veto", with(1, []byte{8, 0, 0}))
		add("veto of 1025 bytes", with(1, append([]byte{8, 4, 1}, make([]byte, 1025)...)))
		for _, x := range introductionSteps() {
			add("introduction: "+x.name, encode(content{introduction: encodeIntroduction(t, x.is)}))
		}
		ask := encodeIntroduction(t, testAsk())
		introduction := func(value []byte) []byte {
			return with(1, append([]byte{2, byte(len(value) >> 8), byte(len(value))}, value...))
		}
		add("introduction: ask, trailing byte", introduction(append(bytes.Clone(ask), 0)))
		add("introduction: ask, truncated", introduction(ask[:len(ask)-1]))
		add("introduction: ask, expiry after year 9999", introduction(flipped(ask, 17, 0x80)))
		add("introduction: ask without a name", introduction(append(bytes.Clone(ask[:25]), 0, 0, 0)))
		add("introduction: ask, name not UTF-8", introduction(flipped(ask, 26, 0x80)))
		add("introduction: ask, name of 129 bytes", introduction(append(append(bytes.Clone(ask[:25]), 129), make([]byte, 131)...)))
		add("introduction: accept without a package", introduction(append([]byte{2}, make([]byte, 18)...)))
		add("introduction: decline with a package", introduction(append([]byte{3}, make([]byte, 19)...)))
		add("introduction: step 0", introduction(make([]byte, 17)))
		add("introduction: step 6", introduction(append([]byte{6}, make([]byte, 16)...)))
		add("introduction: nothing", introduction(nil))
		add("kind 200, unknown", with(1, []byte{200, 0, 0}))
		add("alarm of 11 bytes", with(1, append([]byte{3, 0, 11}, make([]byte, 11)...)))
		return v
	})
	for _, v := range file {
		c, err := parseContent(v.Bytes)
		if v.Error != "" {
			if err == nil || errorName(t, err) != v.Error {
				t.Errorf("%s: %v, want %s", v.Name, err, v.Error)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", v.Name, err)
			continue
		}
		body, spare := c.marshal()
		same(t, v.Name, append(body, spare...), v.Bytes)
	}
}

func TestVectorsPackage(t *testing.T) {
	file := vectors(t, "package.json", func() (v []parseVector) {
		random := seeded(20)
		id := must[Identity](t)(NewIdentity(random))
		contact := testAddress(200, 0)
		add := func(name string, b []byte) {
			_, err := ParsePackage(b)
			p := parseVector{Name: name, Bytes: b}
			if err != nil {
				p.Error = errorName(t, err)
			}
			v = append(v, p)
		}
		build := func(o PackageOptions) []byte {
			o.Expires = start
			pkg, _, err := newPackage(random, id, o)
			if err != nil {
				t.Fatal(err)
			}
			return pkg.raw
		}
		resign := func(b []byte) []byte {
			signed := b[:len(b)-signatureSize]
			return append(bytes.Clone(signed), id.keys().signing.sign(labelled(labelPackage, signed))...)
		}
		whole := build(PackageOptions{Contact: &contact, OneTime: true, Attestation: []byte("attested")})
		lastResort := build(PackageOptions{Contact: &contact})
		add("one-time prekey and attestation", whole)
		add("last resort", lastResort)
		add("recovery", build(PackageOptions{}))
		add("suite 2", flipped(lastResort, 0, 3))
		add("identity's signature wrong", flipped(lastResort, idDocSize, 1))
		add("identity of suite 2", flipped(lastResort, 1, 3))
		add("package's signature wrong", flipped(lastResort, -1, 1))
		add("prekey's signature wrong, package signed again", resign(flipped(lastResort, idDocSize+prekeySize, 1)))
		add("presence byte 2", resign(flipped(lastResort, 1+idDocSize+prekeySize, 2)))
		add("trailing byte, signed", resign(append(bytes.Clone(lastResort), make([]byte, 1)...)))
		add("truncated", lastResort[:len(lastResort)-1])
		add("expiry after year 9999", resign(flipped(lastResort, -signatureSize-10, 0x80)))
		return v
	})
	for _, v := range file {
		p, err := ParsePackage(v.Bytes)
		switch {
		case v.Error == "" && err != nil, v.Error != "" && err == nil, err != nil && errorName(t, err) != v.Error:
			t.Errorf("%s: %v, want %q", v.Name, err, v.Error)
		case err == nil:
			same(t, v.Name, p.Bytes(), v.Bytes)
		}
	}
}

type wrapVector struct {
	Name       string   `json:"name"`
	Key        hexBytes `json:"key"`
	Nonce      hexBytes `json:"nonce"`
	Ciphertext hexBytes `json:"ciphertext"`
	Payload    hexBytes `json:"payload"`
	Delivery   hexBytes `json:"delivery_id"`
	Error      string   `json:"error,omitempty"`
}

func TestVectorsWrap(t *testing.T) {
	file := vectors(t, "wrap.json", func() []wrapVector {
		key := newKey[WrapKey](bytes.Repeat([]byte{0x42}, 32))
		nonce := bytes.Repeat([]byte{0x24}, 24)
		ciphertext := []byte("any bytes; in use one of the bucket sizes")
		payload := must[[]byte](t)(key.Wrap(bytes.NewReader(nonce), ciphertext))
		id := DeliveryIDOf(ciphertext)
		return []wrapVector{
			{"valid", key.bytes(), nonce, ciphertext, payload, id[:], ""},
			{"nonce changed", key.bytes(), nonce, nil, flipped(payload, 0, 1), nil, "undecryptable"},
			{"ciphertext changed", key.bytes(), nonce, nil, flipped(payload, 30, 1), nil, "undecryptable"},
			{"tag changed", key.bytes(), nonce, nil, flipped(payload, -1, 1), nil, "undecryptable"},
			{"too short", key.bytes(), nonce, nil, payload[:39], nil, "malformed"},
		}
	})
	for _, v := range file {
		key := newKey[WrapKey](v.Key)
		got, err := key.Unwrap(v.Payload)
		if v.Error != "" {
			if err == nil || errorName(t, err) != v.Error {
				t.Errorf("%s: %v, want %s", v.Name, err, v.Error)
			}
			continue
		}
		same(t, v.Name, got, v.Ciphertext)
		same(t, v.Name, must[[]byte](t)(key.Wrap(bytes.NewReader(v.Nonce), v.Ciphertext)), v.Payload)
		id := DeliveryIDOf(v.Ciphertext)
		same(t, v.Name, id[:], v.Delivery)
	}
}

type safetyVector struct {
	A, B   hexBytes
	Number string
}

func TestVectorsSafetyNumber(t *testing.T) {
	file := vectors(t, "safety.json", func() (v []safetyVector) {
		random := seeded(30)
		for range 2 {
			a := must[Identity](t)(NewIdentity(random)).Doc()
			b := must[Identity](t)(NewIdentity(random)).Doc()
			v = append(v, safetyVector{a[:], b[:], SafetyNumber(a, b)}, safetyVector{b[:], a[:], SafetyNumber(a, b)})
		}
		return v
	})
	for i, v := range file {
		a, b := must[IdDoc](t)(ParseIdDoc(v.A)), must[IdDoc](t)(ParseIdDoc(v.B))
		if got := SafetyNumber(a, b); got != v.Number {
			t.Errorf("%d: %s, want %s", i, got, v.Number)
		}
	}
}
