package admit

import (
	"bytes"
	"cmp"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"reflect"
	"slices"
	"testing"

	"communicator/wire"
)

var update = flag.Bool("update", false, "write testdata anew")

// golden is testdata/facts.json: layouts that must decode for ever.
type golden struct {
	Comment string
	Facts   []goldenFact
	Refused []goldenFact
}

type goldenFact struct {
	Name    string
	Kind    uint16
	Version uint8
	Stream  string // hex
	Header  string // hex
}

func sequence[T ~[16]byte | ~[32]byte](from byte) T {
	var v T
	b := reflect.ValueOf(&v).Elem()
	for i := range b.Len() {
		b.Index(i).SetUint(uint64(from + byte(i)))
	}
	return v
}

func exampleFacts() map[string]Fact {
	mb := sequence[wire.MailboxID](0x10)
	return map[string]Fact{
		"mailbox created":  MailboxCreated{mb, wire.CapContact, 491000, sequence[Slot](0x20)},
		"delivered":        Delivered{mb, sequence[ReplayID](0x30), 491336},
		"collected":        Collected{mb, []uint64{1, 2, 1 << 40}},
		"expired":          Expired{mb, []uint64{7}},
		"revoked loudly":   AddressRevoked{mb, Closed, true},
		"revoked silently": AddressRevoked{mb, Silent, false},
		"mailbox removed":  MailboxRemoved{mb},
		"replay forgotten": ReplayForgotten{2922, 1024},
		"blob put":         BlobPut{sequence[BlobID](0x40), 491100, sequence[[32]byte](0x60), sequence[[32]byte](0x80)},
		"blob deleted":     BlobDeleted{sequence[BlobID](0x40)},
		"blob expired":     BlobExpired{sequence[BlobID](0x40)},
	}
}

func readGolden(t testing.TB) golden {
	t.Helper()
	var g golden
	b, err := os.ReadFile("testdata/facts.json")
	if err == nil {
		err = json.Unmarshal(b, &g)
	}
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func TestFactsKeepTheirLayout(t *testing.T) {
	if *update {
		writeGolden(t)
	}
	g := readGolden(t)
	want := exampleFacts()
	for _, e := range g.Facts {
		stream, header := unhex(t, e.Stream), unhex(t, e.Header)
		f, err := ParseFact(e.Kind, e.Version, stream, header)
		if err != nil {
			t.Errorf("%s: %v", e.Name, err)
			continue
		}
		if !reflect.DeepEqual(f, want[e.Name]) {
			t.Errorf("%s decodes as %+v, want %+v", e.Name, f, want[e.Name])
		}
		if f.Kind() != e.Kind || !bytes.Equal(f.Stream(), stream) || !bytes.Equal(f.Header(), header) {
			t.Errorf("%s encodes to something else", e.Name)
		}
		delete(want, e.Name)
	}
	if len(want) > 0 {
		t.Errorf("facts without a golden layout: %v", want)
	}
	for _, e := range g.Refused {
		f, err := ParseFact(e.Kind, e.Version, unhex(t, e.Stream), unhex(t, e.Header))
		if !errors.Is(err, wire.ErrMalformed) && !errors.Is(err, wire.ErrVersion) {
			t.Errorf("%s: got %+v, %v", e.Name, f, err)
		}
	}
	if len(g.Refused) < 10 {
		t.Errorf("only %d refused examples", len(g.Refused))
	}
}

func writeGolden(t *testing.T) {
	g := golden{Comment: "Events of a receiving agent; see the package comment. Hex. Refused ones must not decode."}
	for name, f := range exampleFacts() {
		g.Facts = append(g.Facts, goldenFact{name, f.Kind(), Version, hex.EncodeToString(f.Stream()), hex.EncodeToString(f.Header())})
	}
	slices.SortFunc(g.Facts, func(a, b goldenFact) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name))
	})
	mb, id := hex.EncodeToString(make([]byte, 16)), hex.EncodeToString(make([]byte, 32))
	zeros := func(n int) string { return hex.EncodeToString(make([]byte, n)) }
	g.Refused = []goldenFact{
		{"unknown kind", 0x02ff, 1, mb, ""},
		{"newer version", KindDelivered, 2, mb, zeros(20)},
		{"delivered: trailing byte", KindDelivered, 1, mb, zeros(21)},
		{"delivered: short", KindDelivered, 1, mb, zeros(19)},
		{"delivered: short stream", KindDelivered, 1, zeros(15), zeros(20)},
		{"delivered: long stream", KindDelivered, 1, zeros(17), zeros(20)},
		{"collected: none", KindCollected, 1, mb, "00"},
		{"collected: position 0", KindCollected, 1, mb, "01" + zeros(8)},
		{"collected: twice the same", KindCollected, 1, mb, "0200000000000000010000000000000001"},
		{"collected: descending", KindCollected, 1, mb, "0200000000000000020000000000000001"},
		{"collected: count too large", KindCollected, 1, mb, "41" + zeros(8*65)},
		{"revoked: open", KindAddressRevoked, 1, mb, "0100"},
		{"revoked: purge 2", KindAddressRevoked, 1, mb, "0202"},
		{"removed: header", KindMailboxRemoved, 1, mb, "00"},
		{"forgotten: stream", KindReplayForgotten, 1, mb, zeros(8)},
		{"blob put: short", KindBlobPut, 1, id, zeros(67)},
		{"blob deleted: mailbox stream", KindBlobDeleted, 1, mb, ""},
	}
	b, err := json.MarshalIndent(g, "", "\t")
	if err == nil {
		err = os.WriteFile("testdata/facts.json", append(b, '\n'), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func unhex(t testing.TB, s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func FuzzParseFact(f *testing.F) {
	g := readGolden(f)
	for _, e := range append(g.Facts, g.Refused...) {
		f.Add(e.Kind, e.Version, unhex(f, e.Stream), unhex(f, e.Header))
	}
	f.Fuzz(func(t *testing.T, kind uint16, version uint8, stream, header []byte) {
		fact, err := ParseFact(kind, version, stream, header)
		if err != nil {
			return
		}
		if fact.Kind() != kind || !bytes.Equal(fact.Stream(), stream) || !bytes.Equal(fact.Header(), header) {
			t.Fatalf("%T does not encode back", fact)
		}
	})
}

func FuzzParseRows(f *testing.F) {
	f.Add(Mailbox{Mode: Open, Caps: 1, Expires: 7, Count: 3, Bytes: 99}.Marshal())
	f.Add(Blob{Position: 5, Size: 3}.Marshal())
	f.Fuzz(func(t *testing.T, row []byte) {
		if m, err := ParseMailbox(row); err == nil && !bytes.Equal(m.Marshal(), row) {
			t.Fatal("mailbox row does not encode back")
		}
		if b, err := ParseBlob(row); err == nil && !bytes.Equal(b.Marshal(), row) {
			t.Fatal("blob row does not encode back")
		}
	})
}
