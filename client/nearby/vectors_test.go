package nearby

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "make the files in testdata anew")

type exchangeVector struct {
	Name       string   `json:"name"`
	PeerA      string   `json:"peer_a"`
	PeerB      string   `json:"peer_b"`
	NameA      string   `json:"name_a"`
	NameB      string   `json:"name_b"`
	R          string   `json:"r"`
	Nonce      string   `json:"nonce"`
	PackageA   string   `json:"package_a"`
	PackageB   string   `json:"package_b"`
	Commit     string   `json:"commit"` // whole frames from here on
	Reveal     string   `json:"reveal"`
	Open       string   `json:"open"`
	Transcript string   `json:"transcript,omitempty"`
	Words      []string `json:"words,omitempty"`
	Error      string   `json:"error,omitempty"` // at B
}

func frameHex(f frame) string {
	var b bytes.Buffer
	if err := writeFrame(&b, f); err != nil {
		panic(err)
	}
	return hex.EncodeToString(b.Bytes())
}

func makeVector(name string, a, b side) exchangeVector {
	c, tr := commitment(a), transcript(a, b)
	w := wordsOf(tr)
	return exchangeVector{
		Name: name, PeerA: hex.EncodeToString([]byte(a.id)), PeerB: hex.EncodeToString([]byte(b.id)), NameA: a.name, NameB: b.name,
		R: hex.EncodeToString(a.random[:]), Nonce: hex.EncodeToString(b.random[:]),
		PackageA: hex.EncodeToString(a.pkg), PackageB: hex.EncodeToString(b.pkg),
		Commit: frameHex(frame{kindCommit, c[:]}), Reveal: frameHex(frame{kindReveal, append(b.random[:], b.pkg...)}),
		Open: frameHex(frame{kindOpen, append(a.random[:], a.pkg...)}), Transcript: hex.EncodeToString(tr[:]), Words: w[:],
	}
}

// TestVectors replays testdata/exchange.json, which other implementations can use too.
func TestVectors(t *testing.T) {
	const path = "testdata/exchange.json"
	if *update {
		a, b := sides(t)
		a.id, b.id = "\x00\x24\x08\x01\x12\x20"+strings.Repeat("a", 32), "\x00\x24\x08\x01\x12\x20"+strings.Repeat("b", 32)
		a.random, b.random = [32]byte(bytes.Repeat([]byte{0x11}, 32)), [32]byte(bytes.Repeat([]byte{0x22}, 32))
		good := makeVector("one name announced", a, b)
		named := b
		named.name = "Blair Ünal"
		wrong := good
		wrong.Name, wrong.Transcript, wrong.Words, wrong.Error = "opened with another r", "", nil, "commitment"
		wrong.Open = frameHex(frame{kindOpen, append(b.random[:], a.pkg...)})
		mirror := wrong
		mirror.Name, mirror.Error = "B's own package opened", "mirror"
		mirror.Open = frameHex(frame{kindOpen, append(a.random[:], b.pkg...)})
		broken := wrong
		broken.Name, broken.Error = "package changed", "package"
		broken.Open = frameHex(frame{kindOpen, append(a.random[:], flip(a.pkg, 300)...)})
		out, err := json.MarshalIndent([]exchangeVector{good, makeVector("two names", a, named), wrong, mirror, broken}, "", " ")
		check(t, err)
		check(t, os.WriteFile(path, append(out, '\n'), 0o644))
	}
	content, err := os.ReadFile(path)
	check(t, err)
	var file []exchangeVector
	check(t, json.Unmarshal(content, &file))
	kinds := map[string]error{"": nil, "commitment": ErrCommitment, "mirror": ErrMirror, "package": ErrPackage}
	for _, v := range file {
		t.Run(v.Name, func(t *testing.T) { v.replay(t, kinds[v.Error]) })
	}
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	check(t, err)
	return b
}

// replay plays B against the frames of A, with B's nonce.
func (v exchangeVector) replay(t *testing.T, want error) {
	p, q := newPipe()
	for _, s := range []string{v.Commit, v.Open} {
		f, err := readFrame(bytes.NewReader(unhex(t, s)))
		check(t, err)
		check(t, q.send(f))
	}
	own := side{id: string(unhex(t, v.PeerB)), name: v.NameB, pkg: unhex(t, v.PackageB)}
	peer := side{id: string(unhex(t, v.PeerA)), name: v.NameA}
	words, err := exchange(p, bytes.NewReader(unhex(t, v.Nonce)), &own, &peer)
	if !errors.Is(err, want) {
		t.Fatalf("%v, want %v", err, want)
	}
	if got := frameHex(<-q.in); got != v.Reveal {
		t.Error("another reveal")
	}
	if want != nil {
		return
	}
	if tr := transcript(peer, own); hex.EncodeToString(tr[:]) != v.Transcript || !slices.Equal(words[:], v.Words) {
		t.Errorf("transcript %x, words %v", tr, words)
	}
}

func FuzzFrame(f *testing.F) {
	for _, x := range []frame{helloFrame("Alex"), {kindChoose, nil}, {kindCommit, make([]byte, 32)}, {kindVerdict, []byte{1}}} {
		var b bytes.Buffer
		_ = writeFrame(&b, x)
		f.Add(b.Bytes())
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r := bytes.NewReader(b)
		x, err := readFrame(r)
		if err != nil {
			return
		}
		var again bytes.Buffer
		check(t, writeFrame(&again, x))
		if !bytes.Equal(again.Bytes(), b[:len(b)-r.Len()]) {
			t.Fatalf("%x became %x", b, again.Bytes())
		}
		if name, err := parseHello(x.body); err == nil && !bytes.Equal(helloFrame(name).body, x.body) {
			t.Fatalf("hello %x became %q", x.body, name)
		}
		if random, pkg, err := parseOpened(x.body); err == nil && !bytes.Equal(append(random[:], pkg...), x.body) {
			t.Fatalf("opening %x changed", x.body)
		}
	})
}
