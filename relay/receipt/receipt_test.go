package receipt

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"strings"
	"testing"
	"time"

	"communicator/wire"
	"communicator/wire/logproof"
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

func public() ed25519.PublicKey { return root.Public().(ed25519.PublicKey) }

// proofOf logs an event with a body in a batch of n and proves it.
func proofOf(t testing.TB, kind logproof.Kind, body []byte, n, at int) *logproof.Proof {
	t.Helper()
	salt := [logproof.SaltSize]byte(pattern(2, logproof.SaltSize))
	var leaves [][32]byte
	var record []byte
	for i := range n {
		r := logproof.Record{
			Seq: uint64(100 + i), Time: time.Unix(1795428000, 0), Kind: kind, Version: 1, Stream: pattern(3, 32),
			BodyLen: uint32(len(body)), BodyHash: logproof.HashBody(&salt, body),
		}
		enc, err := logproof.AppendRecord(nil, &r)
		if err != nil {
			t.Fatal(err)
		}
		leaves = append(leaves, logproof.HashRecord(enc))
		if i == at {
			record = enc
		}
	}
	tree := logproof.NewTree(leaves)
	head := logproof.Head{LogID: [32]byte(pattern(4, 32)), Number: 9, Root: tree.Root(), First: 100, Count: uint32(n)}
	head.Sign(root)
	return &logproof.Proof{
		LogID: head.LogID, Number: head.Number, First: head.First, Count: head.Count, Prev: head.Prev,
		Signature: head.Signature, Path: tree.Path(at), Record: record, Salt: salt[:],
	}
}

func sampleBody(t testing.TB) (SubmissionBody, []byte) {
	t.Helper()
	s := SubmissionBody{
		Account: wire.AccountID(pattern(5, 16)), URI: "/dnsaddr/relay.example.org/p2p/12D3KooW",
		KeyID: wire.KeyID(pattern(6, 8)), Sealed: pattern(7, wire.SealedSize), Payload: []byte("the wrapped ciphertext"),
		NotAfter: time.Unix(1795428000, 0).UTC(), Jitter: 1500 * time.Millisecond,
	}
	b, err := s.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return s, b
}

func mustMarshal(t testing.TB, r Receipt) []byte {
	t.Helper()
	b, err := r.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

var errorNames = map[string]error{
	"": nil, "malformed": wire.ErrMalformed, "too large": wire.ErrTooLarge, "unknown version": wire.ErrVersion,
	"invalid": ErrInvalid, "kind": ErrKind, "body": ErrBody, "no salt": ErrNoSalt,
}

type vector struct {
	Name    string `json:"name"`
	Receipt string `json:"receipt"`
	Body    string `json:"body,omitempty"`
	Error   string `json:"error,omitempty"`
	Kind    string `json:"kind,omitempty"`
	Agent   string `json:"agent,omitempty"`
	Seq     uint64 `json:"sequence,omitempty"`
	Time    int64  `json:"time,omitempty"`
}

func makeVectors(t *testing.T) []vector {
	_, body := sampleBody(t)
	payload := []byte("the wrapped ciphertext")
	accepted := Receipt{Accepted, public(), proofOf(t, EventAccepted, body, 64, 37)}
	stored := Receipt{Stored, public(), proofOf(t, EventStored, payload, 1, 0)}
	a, s := mustMarshal(t, accepted), mustMarshal(t, stored)
	saltless := *stored.Proof
	saltless.Salt = nil
	shortened := *accepted.Proof
	shortened.Path = shortened.Path[1:]
	hx := hex.EncodeToString
	agent := wire.AgentIDOf(public())
	edit := func(b []byte, at int, xor byte) string {
		b = bytes.Clone(b)
		b[at] ^= xor
		return hx(b)
	}
	return []vector{
		{Name: "accepted", Receipt: hx(a), Body: hx(body), Kind: "accepted", Agent: hx(agent[:]), Seq: 137, Time: 1795428000},
		{Name: "stored, alone in its batch", Receipt: hx(s), Body: hx(payload), Kind: "stored", Agent: hx(agent[:]), Seq: 100, Time: 1795428000},
		{Name: "without the body", Receipt: hx(s), Kind: "stored", Agent: hx(agent[:]), Seq: 100, Time: 1795428000},
		{Name: "another body", Receipt: hx(a), Body: hx(payload), Error: "body"},
		{Name: "body of a receipt without salt", Receipt: hx(mustMarshal(t, Receipt{Stored, public(), &saltless})), Body: hx(payload), Error: "no salt"},
		{Name: "stored passed off as accepted", Receipt: edit(s, 1, 3), Error: "kind"},
		{Name: "root key changed", Receipt: edit(a, 2, 1), Error: "invalid"},
		{Name: "path shortened", Receipt: hx(mustMarshal(t, Receipt{Accepted, public(), &shortened})), Error: "invalid"},
		{Name: "salt changed", Receipt: edit(s, len(s)-1, 1), Body: hx(payload), Error: "body"},
		{Name: "version 2", Receipt: edit(a, 0, 3), Error: "unknown version"},
		{Name: "unknown kind", Receipt: edit(a, 1, 4), Error: "unknown version"},
		{Name: "nothing", Error: "malformed"},
		{Name: "cut", Receipt: hx(a[:len(a)-1]), Error: "malformed"},
		{Name: "trailing byte", Receipt: hx(append(bytes.Clone(a), 0)), Error: "malformed"},
		{Name: "over the maximum", Receipt: hx(append(bytes.Clone(a), make([]byte, wire.MaxReceipt)...)), Error: "too large"},
	}
}

func TestVectors(t *testing.T) {
	const path = "testdata/receipt.json"
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
			enc, body := unhex(t, v.Receipt), unhex(t, v.Body)
			if len(body) == 0 {
				body = nil
			}
			st, err := Verify(enc, body)
			if !errors.Is(err, errorNames[v.Error]) {
				t.Fatalf("%v, want %q", err, v.Error)
			}
			if v.Error != "" {
				if st.BodyMatches {
					t.Error("the body matches")
				}
				return
			}
			if st.Kind.String() != v.Kind || hex.EncodeToString(st.Agent[:]) != v.Agent || st.Seq != v.Seq ||
				st.Time.Unix() != v.Time || st.BodyMatches != (body != nil) {
				t.Errorf("shows %+v", st)
			}
			r, err := Parse(enc)
			if err != nil || !bytes.Equal(mustMarshal(t, r), enc) {
				t.Errorf("encodes to other bytes, %v", err)
			}
		})
	}
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestReceiptsFitAnOutcome(t *testing.T) {
	// The largest batch that a log commits in one go is far below this.
	b := mustMarshal(t, Receipt{Stored, public(), proofOf(t, EventStored, []byte("x"), 4096, 4095)})
	if len(b) > 900 {
		t.Errorf("a receipt from a batch of 4,096 takes %d bytes", len(b))
	}
	large := proofOf(t, EventStored, []byte("x"), 1, 0)
	r, err := logproof.ParseRecord(large.Record)
	if err != nil {
		t.Fatal(err)
	}
	r.Header = make([]byte, logproof.MaxHeader)
	if large.Record, err = logproof.AppendRecord(nil, &r); err != nil {
		t.Fatal(err)
	}
	large.Path = make([][32]byte, 20)
	if _, err := (Receipt{Stored, public(), large}).Marshal(); !errors.Is(err, wire.ErrTooLarge) {
		t.Errorf("an oversized receipt: %v", err)
	}
	for _, r := range []Receipt{{}, {Kind: 3, Root: public(), Proof: large}, {Kind: Stored, Proof: large}} {
		if _, err := r.Marshal(); !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("an incomplete receipt: %v", err)
		}
	}
}

func TestSubmissionBody(t *testing.T) {
	s, b := sampleBody(t)
	got, err := ParseSubmissionBody(b)
	if err != nil {
		t.Fatal(err)
	}
	if got.Account != s.Account || got.URI != s.URI || got.KeyID != s.KeyID || !bytes.Equal(got.Sealed, s.Sealed) ||
		!bytes.Equal(got.Payload, s.Payload) || !got.NotAfter.Equal(s.NotAfter) || got.Jitter != s.Jitter {
		t.Errorf("read as %+v", got)
	}
	for n := range b {
		if _, err := ParseSubmissionBody(b[:n]); !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("the first %d bytes: %v", n, err)
		}
	}
	if _, err := ParseSubmissionBody(append(bytes.Clone(b), 0)); !errors.Is(err, wire.ErrMalformed) {
		t.Errorf("trailing byte: %v", err)
	}
	if _, err := ParseSubmissionBody(append([]byte{2}, b[1:]...)); !errors.Is(err, wire.ErrVersion) {
		t.Errorf("version 2: %v", err)
	}
	if _, err := ParseSubmissionBody(make([]byte, MaxBody+1)); !errors.Is(err, wire.ErrTooLarge) {
		t.Errorf("oversized: %v", err)
	}
	for name, change := range map[string]func(*SubmissionBody){
		"URI":      func(s *SubmissionBody) { s.URI = strings.Repeat("x", wire.MaxURI+1) },
		"payload":  func(s *SubmissionBody) { s.Payload = make([]byte, wire.MaxPayload+1) },
		"seal":     func(s *SubmissionBody) { s.Sealed = s.Sealed[1:] },
		"time":     func(s *SubmissionBody) { s.NotAfter = time.Unix(-1, 0) },
		"fraction": func(s *SubmissionBody) { s.NotAfter = time.Unix(1, 1) },
		"jitter":   func(s *SubmissionBody) { s.Jitter = -1 },
		"micros":   func(s *SubmissionBody) { s.Jitter = time.Microsecond },
		"months":   func(s *SubmissionBody) { s.Jitter = 60 * 24 * time.Hour },
	} {
		s, _ := sampleBody(t)
		change(&s)
		if _, err := s.Marshal(); err == nil {
			t.Errorf("%s: encoded", name)
		}
	}
}

func TestFile(t *testing.T) {
	for _, body := range [][]byte{nil, {}, []byte("body"), make([]byte, MaxBody)} {
		f, err := MarshalFile(make([]byte, wire.MaxReceipt), body)
		if err != nil {
			t.Fatal(err)
		}
		r, b, err := ParseFile(f)
		if err != nil || len(r) != wire.MaxReceipt || !bytes.Equal(b, body) || (b == nil) != (body == nil) {
			t.Errorf("a body of %d bytes: %v", len(body), err)
		}
	}
	b64 := base64.StdEncoding.EncodeToString([]byte("receipt!"))
	for text, want := range map[string]error{
		`{"communicator_receipt":1,"receipt":"` + b64 + `"}`:                         nil,
		`  {"receipt":"` + b64 + `", "communicator_receipt":1}` + "\n":               nil,
		`{"communicator_receipt":2,"receipt":"` + b64 + `"}`:                         wire.ErrVersion,
		`{"receipt":"` + b64 + `"}`:                                                  wire.ErrVersion,
		`{"communicator_receipt":1}`:                                                 wire.ErrMalformed,
		`{"communicator_receipt":1,"receipt":"` + b64 + `","x":1}`:                   wire.ErrMalformed,
		`{"communicator_receipt":1,"receipt":"` + b64 + `","receipt":"` + b64 + `"}`: wire.ErrMalformed,
		`{"communicator_receipt":1,"Receipt":"` + b64 + `"}`:                         wire.ErrMalformed,
		`{"communicator_receipt":1,"receipt":"` + b64 + `","body":null}`:             wire.ErrMalformed,
		`{"communicator_receipt":1,"receipt":["` + b64 + `"]}`:                       wire.ErrMalformed,
		`{"communicator_receipt":1,"receipt":7}`:                                     wire.ErrMalformed,
		`{"communicator_receipt":"1","receipt":"` + b64 + `"}`:                       wire.ErrMalformed,
		`{"communicator_receipt":1,"receipt":"` + b64 + `"}{}`:                       wire.ErrMalformed,
		`{"communicator_receipt":1,"receipt":"` + b64 + `"} x`:                       wire.ErrMalformed,
		`{"communicator_receipt":1,"receipt":"` + b64 + `"`:                          wire.ErrMalformed,
		`{"communicator_receipt":1,"receipt":"` + strings.TrimRight(b64, "=") + `"}`: wire.ErrMalformed,
		`{"communicator_receipt":1,"receipt":"` + b64[:4] + `\n` + b64[4:] + `"}`:    wire.ErrMalformed,
		`{"communicator_receipt":1,"receipt":"QR=="}`:                                wire.ErrMalformed,
		`[]`: wire.ErrMalformed, ``: wire.ErrMalformed, `null`: wire.ErrMalformed, `{`: wire.ErrMalformed,
		strings.Repeat(" ", MaxFile+1): wire.ErrTooLarge,
	} {
		if _, _, err := ParseFile([]byte(text)); !errors.Is(err, want) {
			t.Errorf("%.100s: %v, want %v", text, err, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(mustMarshal(f, Receipt{Stored, public(), proofOf(f, EventStored, []byte("x"), 3, 1)}))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := Parse(b)
		if err != nil {
			return
		}
		if again, err := r.Marshal(); err != nil || !bytes.Equal(again, b) {
			t.Errorf("%x encodes to %x, %v", b, again, err)
		}
	})
}

func FuzzParseSubmissionBody(f *testing.F) {
	_, b := sampleBody(f)
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := ParseSubmissionBody(b)
		if err != nil {
			return
		}
		if again, err := s.Marshal(); err != nil || !bytes.Equal(again, b) {
			t.Errorf("%x encodes to %x, %v", b, again, err)
		}
	})
}

func FuzzParseFile(f *testing.F) {
	b, err := MarshalFile([]byte("receipt"), []byte("body"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		receipt, body, err := ParseFile(b)
		if err != nil {
			return
		}
		again, err := MarshalFile(receipt, body)
		if err != nil {
			t.Fatal(err)
		}
		r2, b2, err := ParseFile(again)
		if err != nil || !bytes.Equal(r2, receipt) || !bytes.Equal(b2, body) {
			t.Errorf("%q does not survive: %v", b, err)
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	_, body := sampleBody(b)
	enc := mustMarshal(b, Receipt{Accepted, public(), proofOf(b, EventAccepted, body, 64, 37)})
	for b.Loop() {
		if _, err := Verify(enc, body); err != nil {
			b.Fatal(err)
		}
	}
}
