package logproof

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"testing"
	"time"

	"communicator/wire"

	"golang.org/x/mod/sumdb/tlog"
)

var update = flag.Bool("update", false, "write testdata/vectors.json anew")

func testKey() ed25519.PrivateKey { return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, 32)) }

// batchOf makes n linked records with bodies, their tree and signed head.
func batchOf(t testing.TB, n int) ([][]byte, *Tree, Head) {
	t.Helper()
	var encoded [][]byte
	var leaves [][32]byte
	var prev [32]byte
	for i := range n {
		salt := sha256.Sum256([]byte{byte(i)})
		r := Record{
			Seq: uint64(i + 1), Time: time.Unix(1_800_000_000, 0), Kind: 5, Version: 2,
			Stream: []byte("stream"), Header: []byte("header"), BodyLen: 4, BodyHash: HashBody(&salt, []byte("body")), Prev: prev,
		}
		enc, err := AppendRecord(nil, &r)
		if err != nil {
			t.Fatal(err)
		}
		prev = HashRecord(enc)
		encoded, leaves = append(encoded, enc), append(leaves, prev)
	}
	tree := NewTree(leaves)
	h := Head{LogID: sha256.Sum256([]byte("log")), Number: 1, Root: tree.Root(), First: 1, Count: uint32(n)}
	h.Sign(testKey())
	return encoded, tree, h
}

func proofOf(encoded [][]byte, tree *Tree, h Head, i int) *Proof {
	salt := sha256.Sum256([]byte{byte(i)})
	return &Proof{
		LogID: h.LogID, Number: h.Number, First: h.First, Count: h.Count, Prev: h.Prev, Signature: h.Signature,
		Path: tree.Path(i), Record: encoded[i], Salt: salt[:],
	}
}

func TestTreeIsRFC6962(t *testing.T) {
	for n := 1; n <= 70; n++ {
		encoded, tree, h := batchOf(t, n)
		want := naiveRoot(encoded)
		if tree.Root() != want {
			t.Fatalf("root of %d leaves", n)
		}
		for i := range n {
			p := proofOf(encoded, tree, h, i)
			if err := tlog.CheckRecord(asHashes(p.Path), int64(n), tlog.Hash(want), int64(i), tlog.Hash(HashRecord(encoded[i]))); err != nil {
				t.Fatalf("tlog refuses the path of %d of %d: %v", i, n, err)
			}
			r, err := VerifyProof(testKey().Public().(ed25519.PublicKey), p)
			if err != nil || r.Seq != uint64(i+1) {
				t.Fatalf("proof %d of %d: %v", i, n, err)
			}
		}
	}
}

func asHashes(path [][32]byte) (p tlog.RecordProof) {
	for _, h := range path {
		p = append(p, h)
	}
	return p
}

// naiveRoot is RFC 6962's definition.
func naiveRoot(leaves [][]byte) [32]byte {
	if len(leaves) == 1 {
		return HashRecord(leaves[0])
	}
	k := 1
	for k*2 < len(leaves) {
		k *= 2
	}
	return tlog.NodeHash(naiveRoot(leaves[:k]), naiveRoot(leaves[k:]))
}

func TestVerifyProofRefuses(t *testing.T) {
	encoded, tree, h := batchOf(t, 5)
	pub := testKey().Public().(ed25519.PublicKey)
	for name, change := range map[string]func(*Proof){
		"another log":        func(p *Proof) { p.LogID[0]++ },
		"another batch":      func(p *Proof) { p.Number++ },
		"batch zero":         func(p *Proof) { p.Number = 0 },
		"another first":      func(p *Proof) { p.First++ },
		"another count":      func(p *Proof) { p.Count++ },
		"too small a count":  func(p *Proof) { p.Count = 2 },
		"another past":       func(p *Proof) { p.Prev[0]++ },
		"another signature":  func(p *Proof) { p.Signature[0]++ },
		"a shorter path":     func(p *Proof) { p.Path = p.Path[1:] },
		"a longer path":      func(p *Proof) { p.Path = append(p.Path, [32]byte{}) },
		"another sibling":    func(p *Proof) { p.Path[0][0]++ },
		"another record":     func(p *Proof) { p.Record = encoded[3] },
		"a changed record":   func(p *Proof) { p.Record[len(p.Record)-1]++ },
		"a path that is far": func(p *Proof) { p.Path = make([][32]byte, MaxPath+1) },
	} {
		p := proofOf(encoded, tree, h, 2)
		p.Record = bytes.Clone(p.Record)
		change(p)
		if _, err := VerifyProof(pub, p); err == nil {
			t.Errorf("verifies with %s", name)
		}
	}
	other := ed25519.NewKeyFromSeed(make([]byte, 32)).Public().(ed25519.PublicKey)
	if _, err := VerifyProof(other, proofOf(encoded, tree, h, 2)); !errors.Is(err, ErrProof) {
		t.Errorf("verifies under another key: %v", err)
	}
	if _, err := VerifyProof(nil, proofOf(encoded, tree, h, 2)); !errors.Is(err, ErrProof) {
		t.Errorf("verifies under no key: %v", err)
	}
}

func TestRecordRefuses(t *testing.T) {
	good := Record{Seq: 2, Time: time.Unix(60, 0)}
	for name, c := range map[string]struct {
		change func(*Record)
		want   error
	}{
		"sequence zero":         {func(r *Record) { r.Seq = 0 }, wire.ErrMalformed},
		"off the grain":         {func(r *Record) { r.Time = time.Unix(61, 0) }, wire.ErrMalformed},
		"before 1970":           {func(r *Record) { r.Time = time.Unix(-60, 0) }, wire.ErrMalformed},
		"after 9999":            {func(r *Record) { r.Time = time.Unix(maxTime+60, 0) }, wire.ErrMalformed},
		"a hash without a body": {func(r *Record) { r.BodyHash[0] = 1 }, wire.ErrMalformed},
		"a first with a past":   {func(r *Record) { r.Seq, r.Prev[0] = 1, 1 }, wire.ErrMalformed},
		"a long stream":         {func(r *Record) { r.Stream = make([]byte, MaxStream+1) }, wire.ErrTooLarge},
		"a long header":         {func(r *Record) { r.Header = make([]byte, MaxHeader+1) }, wire.ErrTooLarge},
	} {
		r := good
		c.change(&r)
		if _, err := AppendRecord(nil, &r); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestMatchesBody(t *testing.T) {
	salt := [SaltSize]byte{1}
	r := Record{BodyLen: 4, BodyHash: HashBody(&salt, []byte("body"))}
	if !r.MatchesBody(&salt, []byte("body")) {
		t.Error("does not match its own body")
	}
	if r.MatchesBody(&salt, []byte("bodz")) || r.MatchesBody(&[SaltSize]byte{}, []byte("body")) || r.MatchesBody(&salt, nil) {
		t.Error("matches another body or salt")
	}
}

// vectors are what another implementation checks itself against.
type vectors struct {
	Comment  string         `json:"comment"`
	RootKey  string         `json:"root_key"`
	Body     string         `json:"body"`
	Records  []string       `json:"records"`
	HeadHash string         `json:"head_hash"`
	Proofs   []proofVector  `json:"proofs"`
	Refused  []failedVector `json:"refused"`
}

type proofVector struct {
	Proof string `json:"proof"`
	Seq   uint64 `json:"sequence"`
	Kind  Kind   `json:"kind"`
	Time  int64  `json:"time"`
}

type failedVector struct {
	Why   string `json:"why"`
	Proof string `json:"proof"`
}

func makeVectors(t *testing.T) vectors {
	encoded, tree, h := batchOf(t, 3)
	sum := h.Hash()
	v := vectors{
		Comment:  "signed event log: headers, head and proofs; see the package comment for the layouts",
		RootKey:  hex.EncodeToString(testKey().Public().(ed25519.PublicKey)),
		Body:     hex.EncodeToString([]byte("body")),
		HeadHash: hex.EncodeToString(sum[:]),
	}
	for i, enc := range encoded {
		v.Records = append(v.Records, hex.EncodeToString(enc))
		p := proofOf(encoded, tree, h, i)
		v.Proofs = append(v.Proofs, proofVector{hex.EncodeToString(p.Marshal()), uint64(i + 1), 5, 1_800_000_000})
	}
	good := proofOf(encoded, tree, h, 1).Marshal()
	refuse := func(why string, b []byte) { v.Refused = append(v.Refused, failedVector{why, hex.EncodeToString(b)}) }
	flip := func(at int) []byte {
		b := bytes.Clone(good)
		b[at] ^= 1
		return b
	}
	refuse("empty", nil)
	refuse("unknown layout", flip(0))
	refuse("another log id", flip(1))
	refuse("another batch number", flip(40))
	refuse("another signature", flip(90))
	refuse("another sibling", flip(151))
	refuse("another header", flip(len(good)-40))
	refuse("trailing byte", append(bytes.Clone(good), 0))
	refuse("cut short", good[:len(good)-1])
	refuse("salt mark 2", append(bytes.Clone(good[:len(good)-33]), 2))
	return v
}

func TestVectors(t *testing.T) {
	const path = "testdata/vectors.json"
	if *update {
		out, err := json.MarshalIndent(makeVectors(t), "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, append(out, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var v vectors
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatal(err)
	}
	made, _ := json.Marshal(makeVectors(t))
	kept, _ := json.Marshal(v)
	if !bytes.Equal(made, kept) {
		t.Error("this build makes other bytes than the vectors")
	}
	pub, body := unhex(t, v.RootKey), unhex(t, v.Body)
	for _, p := range v.Proofs {
		proof, err := ParseProof(unhex(t, p.Proof))
		if err != nil {
			t.Fatal(err)
		}
		r, err := VerifyProof(pub, proof)
		if err != nil || r.Seq != p.Seq || r.Kind != p.Kind || r.Time.Unix() != p.Time || !r.MatchesBody((*[32]byte)(proof.Salt), body) {
			t.Errorf("vector %d shows %+v: %v", p.Seq, r, err)
		}
	}
	for _, p := range v.Refused {
		proof, err := ParseProof(unhex(t, p.Proof))
		if err == nil {
			_, err = VerifyProof(pub, proof)
		}
		if err == nil {
			t.Errorf("accepted: %s", p.Why)
		}
	}
}

func unhex(t *testing.T, s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func FuzzParseProof(f *testing.F) {
	encoded, tree, h := batchOf(f, 6)
	for i := range encoded {
		f.Add(proofOf(encoded, tree, h, i).Marshal())
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := ParseProof(b)
		if err == nil && !bytes.Equal(p.Marshal(), b) {
			t.Fatal("parses and encodes to other bytes")
		}
	})
}

func FuzzParseRecord(f *testing.F) {
	encoded, _, _ := batchOf(f, 2)
	f.Add(encoded[0])
	f.Add(encoded[1])
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := ParseRecord(b)
		if err != nil {
			return
		}
		again, err := AppendRecord(nil, &r)
		if err != nil || !bytes.Equal(again, b) {
			t.Fatal("parses and encodes to other bytes")
		}
	})
}
