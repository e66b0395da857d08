package directory

import (
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"reflect"
	"testing"
	"time"

	"communicator/directory/proof"
	"communicator/directory/vend"
	"communicator/eventlog"
)

var update = flag.Bool("update", false, "write testdata anew")

// golden are headers of every kind of event as they were first written: they decode for
// ever.
type golden struct {
	Logged     string // of a statement
	Revocation string // of a veto
	Rows       map[string]string
}

func sampleLogged() logged {
	return logged{
		decided: time.Unix(1_764_000_000, 0).UTC(), hold: 72 * time.Hour, secret: proof.NameSecret{1}, opening: proof.Opening{2},
		identity: make([]byte, proof.MaxIdentity), statement: []byte("statement"),
	}
}

func makeGolden() golden {
	h := hex.EncodeToString
	return golden{
		Logged: h(sampleLogged().marshal(true)), Revocation: h(sampleLogged().marshal(false)),
		Rows: map[string]string{
			"namespace": h(spaceRow{3, 2, 1_000_000}.marshal()),
			"leaf":      h(leafRow{[]byte("statement"), []byte("identity"), proof.Opening{5}}.marshal()),
			"name": h(nameRow{
				secret: proof.NameSecret{6}, leaf: 7, version: 8, state: proof.NewName(proof.NSID{9}, "alice"),
			}.marshal()),
		},
	}
}

func TestGolden(t *testing.T) {
	const path = "testdata/golden.json"
	if *update {
		b, err := json.MarshalIndent(makeGolden(), "", "  ")
		if err == nil {
			err = os.WriteFile(path, append(b, '\n'), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var want golden
	if err := json.Unmarshal(b, &want); err != nil {
		t.Fatal(err)
	}
	if got := makeGolden(); !reflect.DeepEqual(got, want) {
		t.Error("layouts have changed without a version")
	}
	for leaf, text := range map[bool]string{true: want.Logged, false: want.Revocation} {
		content, err := hex.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		l, err := parseLogged(content, leaf)
		if err != nil || l.hold != 72*time.Hour || string(l.statement) != "statement" || string(l.marshal(leaf)) != string(content) {
			t.Errorf("%+v, %v", l, err)
		}
	}
	for i, kind := range []eventlog.Kind{
		KindPart, KindManifestAccepted, KindStatementLogged, KindRevocationKept, KindCheckpointCosigned,
		KindRelationKept,
	} {
		if kind != eventlog.Kind(0x0301+i) {
			t.Errorf("kind %d is %#x", i, uint16(kind))
		}
	}
}

func FuzzParseLogged(f *testing.F) {
	f.Add(sampleLogged().marshal(true))
	f.Add(sampleLogged().marshal(false))
	f.Fuzz(func(t *testing.T, content []byte) {
		for _, leaf := range []bool{true, false} {
			if l, err := parseLogged(content, leaf); err == nil && string(l.marshal(leaf)) != string(content) {
				t.Errorf("leaf %v encodes to other bytes", leaf)
			}
		}
	})
}

func FuzzRows(f *testing.F) {
	f.Add(spaceRow{3, 2, 1}.marshal())
	f.Add(leafRow{[]byte("statement"), []byte("identity"), proof.Opening{5}}.marshal())
	f.Add(nameRow{version: 8, state: proof.NewName(proof.NSID{9}, "alice")}.marshal())
	f.Fuzz(func(t *testing.T, row []byte) {
		if v, err := parseSpace(row); err == nil && string(v.marshal()) != string(row) {
			t.Error("namespace")
		}
		if v, err := parseLeaf(row); err == nil && string(v.marshal()) != string(row) {
			t.Error("leaf")
		}
		if v, err := parseName(row); err == nil && string(v.marshal()) != string(row) {
			t.Error("name")
		}
	})
}

func FuzzReadPackage(f *testing.F) {
	w := &world{t: f, clock: &clock{at: begin}}
	p := w.person0("alice")
	holder := vend.Identity(p.doc.Hash())
	f.Add(p.pack("one", true, time.Hour))
	f.Add(p.pack("two", false, time.Hour))
	f.Fuzz(func(t *testing.T, b []byte) {
		pkg, err := readPackage(b, holder)
		if err != nil {
			return
		}
		if string(pkg.Bytes) != string(b) || pkg.Kind != vend.OneTime && pkg.Kind != vend.LastResort || len(b) > vend.MaxPackage {
			t.Errorf("package of kind %d", pkg.Kind)
		}
		if _, err := readPackage(append(b, 0), holder); err == nil {
			t.Error("a byte more is taken too")
		}
	})
}

// person0 is somebody without a directory.
func (w *world) person0(key string) *person { return &person{w: w, doc: idDocNamed(w.t, key)} }
