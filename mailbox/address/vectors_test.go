package address

import (
	"bytes"
	"crypto/hpke"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"testing"
	"testing/cryptotest"
	"time"

	"communicator/wire"
)

var update = flag.Bool("update", false, "write testdata anew")

// sealVectors are for another implementation: everything that goes in, everything that
// comes out, in hex. Sealing draws randomness, so it checks by opening.
type sealVectors struct {
	AgentID     string `json:"agent_id"`
	Seed        string `json:"sealing_key_seed"`
	PublicKey   string `json:"sealing_key_public"`
	KeyID       string `json:"key_id"`
	EpochSecret string `json:"epoch_secret"`
	Payload     string `json:"payload"`
	PayloadHash string `json:"payload_hash"`
	NotAfter    int64  `json:"not_after"`
	Mailbox     string `json:"mailbox"`
	Epoch       uint32 `json:"epoch"`
	Expires     int64  `json:"expires"`
	Caps        uint32 `json:"caps"`
	Counter     uint64 `json:"counter"`
	AddressKey  string `json:"address_key"`
	Tag         string `json:"tag"`
	Plain       string `json:"plain"`
	Sealed      string `json:"sealed"`
	Exported    string `json:"exported_secret"`

	Seals    []refused         `json:"seals_refused"`
	Outcomes []outcomeVector   `json:"outcomes"`
	Signed   []operationVector `json:"operations"`
}

// refused is a seal that does not open, or does not verify.
type refused struct {
	Name   string `json:"name"`
	Sealed string `json:"sealed"`
	Error  string `json:"error"`
}

type outcomeVector struct {
	Name       string `json:"name"`
	Bytes      string `json:"bytes"`
	Code       uint8  `json:"code,omitempty"`
	RetryAfter uint32 `json:"retry_after_seconds,omitempty"`
	Receipt    string `json:"receipt,omitempty"`
	Error      string `json:"error,omitempty"`
}

type operationVector struct {
	ClientPeer string `json:"client_peer"`
	Nonce      string `json:"nonce"`
	Operation  uint8  `json:"operation"`
	Request    string `json:"request"`
	Bytes      string `json:"bytes"`
}

var errorNames = map[string]error{"": nil, "does not open": ErrOpen, "malformed": ErrMalformed, "tag": ErrTag}

// setup is the one agent, mailbox and put that the vectors are about.
type setup struct {
	priv     *SealPrivate
	secret   Secret
	agent    wire.AgentID
	put      Put
	notAfter time.Time
	payload  wire.PayloadHash
}

func pattern(start byte, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = start + byte(i)
	}
	return b
}

func newSetup(t testing.TB) setup {
	t.Helper()
	priv, err := ParseSealPrivate(pattern(1, 32))
	if err != nil {
		t.Fatal(err)
	}
	secret, err := ParseSecret(pattern(2, 32))
	if err != nil {
		t.Fatal(err)
	}
	s := setup{priv: priv, secret: secret, agent: wire.AgentID(pattern(3, 32))}
	a := wire.Address{
		Generation: 1, Agent: s.agent, Mailbox: wire.MailboxID(pattern(4, 16)), Epoch: 2968,
		Expires: wire.Epoch(2968).End(), Caps: wire.CapContact,
		Pin: wire.PinOf(s.agent, 2968, priv.Public().Marshal()),
	}
	a.Key = Mint(secret, a.Mailbox, a.Epoch, a.Expires, a.Caps)
	s.notAfter = a.Expires.Add(-time.Hour)
	s.payload = wire.HashPayload([]byte("the wrapped ciphertext"))
	s.put = Put{Address: a, Counter: 1 << 33, NotAfter: s.notAfter, Payload: s.payload}
	return s
}

// sealPlain seals any plaintext, as a careless or hostile sender might.
func (s setup) sealPlain(t testing.TB, plain []byte) []byte {
	t.Helper()
	pub := s.priv.Public()
	enc, sender, err := hpke.NewSender(pub.key, hpke.HKDFSHA256(), hpke.ChaCha20Poly1305(), sealInfo(s.agent, pub.id))
	if err != nil {
		t.Fatal(err)
	}
	box, err := sender.Seal(binding(s.payload, s.notAfter), plain)
	if err != nil {
		t.Fatal(err)
	}
	return append(enc, box...)
}

func makeVectors(t *testing.T) sealVectors {
	cryptotest.SetGlobalRandom(t, 1)
	s := newSetup(t)
	a := s.put.Address
	sealed, secret, err := Seal(s.priv.Public(), s.put)
	if err != nil {
		t.Fatal(err)
	}
	tag := Tag(a.Key, s.agent, s.put.Counter, s.notAfter, s.payload)
	plain := appendPlain(nil, s.put, tag)
	id, hx := s.priv.KeyID(), hex.EncodeToString
	return sealVectors{
		AgentID: hx(s.agent[:]), Seed: hx(pattern(1, 32)), PublicKey: hx(s.priv.Public().Marshal()),
		KeyID: hx(id[:]), EpochSecret: hx(s.secret.Bytes()), Payload: hx([]byte("the wrapped ciphertext")),
		PayloadHash: hx(s.payload[:]), NotAfter: s.notAfter.Unix(), Mailbox: hx(a.Mailbox[:]),
		Epoch: uint32(a.Epoch), Expires: a.Expires.Unix(), Caps: uint32(a.Caps), Counter: s.put.Counter,
		AddressKey: hx(a.Key[:]), Tag: hx(tag[:]), Plain: hx(plain), Sealed: hx(sealed),
		Exported: hx(secret.exported[:]),
		Seals:    refusedSeals(t, s, sealed, plain),
		Outcomes: outcomeVectors(t, s, sealed),
		Signed: []operationVector{operationOf(t, operationVector{
			ClientPeer: hx(pattern(5, 38)), Nonce: hx(pattern(6, 32)), Operation: 2, Request: "0801",
		})},
	}
}

func refusedSeals(t *testing.T, s setup, sealed, plain []byte) []refused {
	hx := hex.EncodeToString
	edit := func(b []byte, at int, xor byte) []byte {
		b = bytes.Clone(b)
		b[at] ^= xor
		return b
	}
	forged := s.put
	forged.Address.Key[0] ^= 1
	wrongKey, _, err := Seal(s.priv.Public(), forged)
	if err != nil {
		t.Fatal(err)
	}
	return []refused{
		{"encapsulation changed", hx(edit(sealed, 0, 1)), "does not open"},
		{"X25519 part of the encapsulation changed", hx(edit(sealed, encSize-1, 1)), "does not open"},
		{"ciphertext changed", hx(edit(sealed, encSize, 1)), "does not open"},
		{"tag of the AEAD changed", hx(edit(sealed, wire.SealedSize-1, 1)), "does not open"},
		{"a byte short", hx(sealed[:wire.SealedSize-1]), "malformed"},
		{"a byte long", hx(append(bytes.Clone(sealed), 0)), "malformed"},
		{"padding not zero", hx(s.sealPlain(t, edit(plain, plainUsed, 1))), "malformed"},
		{"last byte of the padding not zero", hx(s.sealPlain(t, edit(plain, wire.SealedPlainSize-1, 1))), "malformed"},
		{"unknown capability", hx(s.sealPlain(t, edit(plain, 31, 4))), "malformed"},
		{"expiry after the year 9999", hx(s.sealPlain(t, edit(plain, 20, 0x40))), "malformed"},
		{"another expiry than K was made for", hx(s.sealPlain(t, edit(plain, 27, 1))), "tag"},
		{"another counter than the tag was made for", hx(s.sealPlain(t, edit(plain, 39, 1))), "tag"},
		{"sealed with another address key", hx(wrongKey), "tag"},
	}
}

func outcomeVectors(t *testing.T, s setup, sealed []byte) []outcomeVector {
	opened, err := Open(s.priv, s.agent, sealed, s.payload, s.notAfter)
	if err != nil {
		t.Fatal(err)
	}
	n32 := pattern(7, 32)
	seal := func(o Outcome) []byte {
		return opened.Reply.Seal(bytes.NewReader(n32), o, s.payload, s.notAfter)
	}
	raw := func(change func([]byte)) string {
		plain := Outcome{Code: Stored}.plain()
		change(plain)
		aead, nonce := outcomeCipher(opened.Reply.exported[:], opened.Reply.enc, n32)
		return hex.EncodeToString(aead.Seal(bytes.Clone(n32), nonce, plain, binding(s.payload, s.notAfter)))
	}
	stored := seal(Outcome{Code: Stored, Receipt: pattern(8, 200)})
	hx := hex.EncodeToString
	damaged := bytes.Clone(stored)
	damaged[0] ^= 1
	return []outcomeVector{
		{Name: "stored, with a receipt", Bytes: hx(stored), Code: 1, Receipt: hx(pattern(8, 200))},
		{Name: "closed", Bytes: hx(seal(Outcome{Code: Closed})), Code: 2},
		{Name: "full", Bytes: hx(seal(Outcome{Code: Full, RetryAfter: time.Hour})), Code: 3, RetryAfter: 3600},
		{Name: "random bytes", Bytes: hx(RandomOutcome(bytes.NewReader(pattern(9, wire.OutcomeSize)))), Error: "does not open"},
		{Name: "salt changed", Bytes: hx(damaged), Error: "does not open"},
		{Name: "a byte short", Bytes: hx(stored[:wire.OutcomeSize-1]), Error: "malformed"},
		{Name: "code 0", Bytes: raw(func(b []byte) { b[0] = 0 }), Error: "malformed"},
		{Name: "code 4", Bytes: raw(func(b []byte) { b[0] = 4 }), Error: "malformed"},
		{Name: "receipt over its maximum", Bytes: raw(func(b []byte) { b[5] = 0xff }), Error: "malformed"},
		{Name: "padding not zero", Bytes: raw(func(b []byte) { b[100] = 1 }), Error: "malformed"},
	}
}

func operationOf(t *testing.T, v operationVector) operationVector {
	b := OperationBytes(wire.AgentID(pattern(3, 32)), unhex(t, v.ClientPeer), [32]byte(unhex(t, v.Nonce)),
		v.Operation, unhex(t, v.Request))
	v.Bytes = hex.EncodeToString(b)
	return v
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func readVectors(t *testing.T) sealVectors {
	t.Helper()
	const path = "testdata/sealing.json"
	if *update {
		b, err := json.MarshalIndent(makeVectors(t), "", " ")
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
	var v sealVectors
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// TestVectors checks the file as another implementation would: from its inputs alone.
func TestVectors(t *testing.T) {
	v := readVectors(t)
	priv, err := ParseSealPrivate(unhex(t, v.Seed))
	if err != nil {
		t.Fatal(err)
	}
	id := priv.KeyID()
	same(t, "public key", priv.Public().Marshal(), v.PublicKey)
	same(t, "key id", id[:], v.KeyID)
	secret, err := ParseSecret(unhex(t, v.EpochSecret))
	if err != nil {
		t.Fatal(err)
	}
	payload := wire.HashPayload(unhex(t, v.Payload))
	same(t, "payload hash", payload[:], v.PayloadHash)
	agent, notAfter := wire.AgentID(unhex(t, v.AgentID)), time.Unix(v.NotAfter, 0)
	mb, exp := wire.MailboxID(unhex(t, v.Mailbox)), time.Unix(v.Expires, 0)
	key := Mint(secret, mb, wire.Epoch(v.Epoch), exp, wire.Caps(v.Caps))
	same(t, "address key", key[:], v.AddressKey)
	tag := Tag(key, agent, v.Counter, notAfter, payload)
	same(t, "tag", tag[:], v.Tag)

	opened, err := Open(priv, agent, unhex(t, v.Sealed), payload, notAfter)
	if err != nil {
		t.Fatal(err)
	}
	if opened.Mailbox != mb || opened.Epoch != wire.Epoch(v.Epoch) || opened.Expires.Unix() != v.Expires ||
		opened.Caps != wire.Caps(v.Caps) || opened.Counter != v.Counter || opened.Tag != tag {
		t.Errorf("opened %+v", opened)
	}
	if err := opened.Verify(secret, agent, payload, notAfter); err != nil {
		t.Error(err)
	}
	same(t, "exported secret", opened.Reply.exported[:], v.Exported)
	for _, r := range v.Seals {
		opened, err := Open(priv, agent, unhex(t, r.Sealed), payload, notAfter)
		if err == nil {
			err = opened.Verify(secret, agent, payload, notAfter)
		}
		if !errors.Is(err, errorNames[r.Error]) {
			t.Errorf("%s: %v, want %q", r.Name, err, r.Error)
		}
	}
	checkOutcomes(t, v, payload, notAfter)
	for _, o := range v.Signed {
		if got := operationOf(t, o); got != o {
			t.Errorf("operation %d: %s", o.Operation, got.Bytes)
		}
	}
}

func checkOutcomes(t *testing.T, v sealVectors, payload wire.PayloadHash, notAfter time.Time) {
	t.Helper()
	kept := append(unhex(t, v.Exported), unhex(t, v.Sealed)[:encSize]...)
	secret, err := ParseOutcomeSecret(kept)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(secret.Marshal(), kept) {
		t.Error("an outcome's secret encodes to other bytes")
	}
	for _, want := range v.Outcomes {
		o, err := secret.Open(unhex(t, want.Bytes), payload, notAfter)
		if !errors.Is(err, errorNames[want.Error]) {
			t.Errorf("%s: %v, want %q", want.Name, err, want.Error)
		}
		if uint8(o.Code) != want.Code || o.RetryAfter != time.Duration(want.RetryAfter)*time.Second ||
			hex.EncodeToString(o.Receipt) != want.Receipt {
			t.Errorf("%s: %+v", want.Name, o)
		}
	}
}

func same(t *testing.T, what string, got []byte, want string) {
	t.Helper()
	if hex.EncodeToString(got) != want {
		t.Errorf("%s: %x, want %s", what, got, want)
	}
}

// TestSealingIsDeterministicGivenItsRandomness makes the vectors again.
func TestSealingIsDeterministicGivenItsRandomness(t *testing.T) {
	v := readVectors(t)
	if made := makeVectors(t); made.Sealed != v.Sealed || made.Exported != v.Exported {
		t.Error("the same randomness gives another seal")
	}
}
