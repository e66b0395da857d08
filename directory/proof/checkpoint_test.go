package proof

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"communicator/wire"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

func TestCheckpointsAreNotesForEveryone(t *testing.T) {
	w := newWorld(t)
	signed := w.checkpoint(t, 5, tlog.Hash{1}, 0, 1, 2)
	vkey, err := w.m.LogVerifier(w.ns)
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := note.NewVerifier(vkey)
	if err != nil {
		t.Fatal(err)
	}
	opened, err := note.Open(signed, note.VerifierList(verifier))
	if err != nil || len(opened.Sigs) != 1 || len(opened.UnverifiedSigs) != 3 {
		t.Fatalf("sumdb/note: %v", err)
	}
	want := fmt.Sprintf("%s\n5\n%s\ntime %d\n", w.ns, base64.StdEncoding.EncodeToString((&tlog.Hash{1})[:]), t0.Unix())
	if opened.Text != want {
		t.Errorf("%q", opened.Text)
	}
	c, err := OpenCheckpoint(signed, w.ns, w.m)
	if err != nil || c.Size != 5 || c.Root != (tlog.Hash{1}) || !c.Time.Equal(t0) || len(c.Cosignatures) != 3 {
		t.Fatalf("%+v, %v", c, err)
	}
	if c.Cosignatures[1].Witness != w.m.Witnesses[1].Name || !c.Cosignatures[1].Time.Equal(t0.Add(2*time.Minute)) {
		t.Errorf("%+v", c.Cosignatures)
	}
	// Two witnesses of three vouch for 12:02, one alone for 12:03.
	if at := c.Witnessed(w.m); !at.Equal(t0.Add(2 * time.Minute)) {
		t.Errorf("witnessed at %v", at)
	}
	if at := (Checkpoint{Time: t0}).Witnessed(Manifest{}); !at.Equal(t0) {
		t.Errorf("without witnesses: %v", at)
	}
}

// lines takes a note apart into text and signature lines.
func lines(signed []byte) (text string, below []string) {
	parts := strings.SplitN(string(signed), "\n\n", 2)
	return parts[0] + "\n\n", strings.SplitAfter(strings.TrimSuffix(parts[1], "\n"), "\n")
}

func TestOpenCheckpointRefuses(t *testing.T) {
	w := newWorld(t)
	signed := w.checkpoint(t, 5, tlog.Hash{1}, 0, 1)
	text, below := lines(signed)
	below[2] += "\n"
	log, w1, w2 := below[0], below[1], below[2]
	stranger, err := SignCheckpoint(Checkpoint{NS: w.ns, Size: 5, Root: tlog.Hash{1}, Time: t0}, keyNamed("stranger"))
	if err != nil {
		t.Fatal(err)
	}
	_, strange := lines(stranger)
	unknown, err := Cosign(signed, Witness{"witness.example.com/other", publicNamed("other")}, keyNamed("other"), t0)
	if err != nil {
		t.Fatal(err)
	}
	w3, err := Cosign(signed, w.m.Witnesses[2], keyNamed(w.m.Witnesses[2].Name), t0)
	if err != nil {
		t.Fatal(err)
	}
	spare := func(line string) string { // the same bits in another base64
		i := strings.LastIndexByte(line, '=') - 1
		for line[i] == '=' {
			i--
		}
		const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
		return line[:i] + string(alphabet[strings.IndexByte(alphabet, line[i])+1]) + line[i+1:]
	}
	other := func(c Checkpoint) string {
		b := c.text()
		return b + "\n" + signatureLine(w.ns.String(), keyHash(w.ns.String(), algorithmEd25519, w.m.Log), keySign("log", b))
	}
	witness := w.m.Witnesses[1]
	body := []byte(good(w).text())
	stamp := binary.BigEndian.AppendUint64(nil, maxUnix+1)
	endOfTime := signatureLine(witness.Name, witness.verifier().hash,
		append(stamp, ed25519.Sign(keyNamed(witness.Name), cosigned(body, time.Unix(maxUnix+1, 0)))...))
	resigned := func(text string) string {
		return text + "\n" + signatureLine(w.ns.String(), keyHash(w.ns.String(), algorithmEd25519, w.m.Log), keySign("log", text))
	}
	good := good(w)
	for what, test := range map[string]struct {
		note string
		want error
	}{
		"two witnesses":              {text + log + w1 + w2, nil},
		"two others":                 {text + log + w2 + string(w3), nil},
		"nothing":                    {"", ErrCheckpoint},
		"no signatures":              {text, ErrCheckpoint},
		"one witness":                {text + log + w1, ErrWitnesses},
		"no witness":                 {text + log, ErrWitnesses},
		"witnesses without the log":  {text + w1 + w2, ErrCheckpoint},
		"a witness in front":         {text + w1 + log + w2, ErrCheckpoint},
		"witnesses out of order":     {text + log + w2 + w1, ErrCheckpoint},
		"one witness twice":          {text + log + w1 + w1, ErrCheckpoint},
		"the log twice":              {text + log + log + w1 + w2, ErrCheckpoint},
		"a line nobody can verify":   {text + log + w1 + w2 + string(unknown), ErrUnverifiable},
		"a stranger as the log":      {text + strange[0] + "\n" + w1 + w2, ErrUnverifiable},
		"and a stranger as the log":  {text + log + w1 + w2 + strange[0] + "\n", ErrUnverifiable},
		"only strangers":             {text + strange[0] + "\n", ErrUnverifiable},
		"another base64 of a line":   {text + log + w1 + spare(w2), ErrCheckpoint},
		"an empty line below":        {text + log + w1 + w2 + "\n", ErrCheckpoint},
		"no line break at the end":   {strings.TrimSuffix(text+log+w1+w2, "\n"), ErrCheckpoint},
		"a witness's later time":     {text + log + w1 + flipTime(w2), ErrSignature},
		"a time after the year 9999": {text + log + w1 + endOfTime, ErrSignature},
		"another size":               {strings.Replace(text+log+w1+w2, "\n5\n", "\n6\n", 1), ErrSignature},
		"too large":                  {text + log + strings.Repeat(w1, 20), wire.ErrTooLarge},
		"size with a zero in front":  {resigned(strings.Replace(good.text(), "\n5\n", "\n05\n", 1)), ErrCheckpoint},
		"size with a plus":           {resigned(strings.Replace(good.text(), "\n5\n", "\n+5\n", 1)), ErrCheckpoint},
		"negative size":              {resigned(strings.Replace(good.text(), "\n5\n", "\n-5\n", 1)), ErrCheckpoint},
		"a further extension line":   {resigned(good.text() + "more\n"), ErrCheckpoint},
		"no time":                    {resigned(strings.Join(strings.Split(good.text(), "\n")[:3], "\n") + "\n"), ErrCheckpoint},
		"another extension":          {resigned(strings.Replace(good.text(), "time ", "date ", 1)), ErrCheckpoint},
		"entries, but an empty head": {other(Checkpoint{NS: w.ns, Root: tlog.Hash{1}, Time: t0}), ErrCheckpoint},
		"another namespace":          {other(Checkpoint{NS: NSID{1}, Size: 5, Root: tlog.Hash{1}, Time: t0}), ErrNamespace},
		"size over the maximum":      {other(Checkpoint{NS: w.ns, Size: MaxTreeSize + 1, Time: t0}), ErrCheckpoint},
		"origin of another spelling": {resigned(strings.ToUpper(good.text()[:3]) + good.text()[3:]), ErrCheckpoint},
	} {
		if _, err := OpenCheckpoint([]byte(test.note), w.ns, w.m); !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", what, err, test.want)
		}
	}
	if _, err := SignCheckpoint(Checkpoint{NS: w.ns, Size: -1}, keyNamed("log")); !errors.Is(err, ErrCheckpoint) {
		t.Errorf("negative size is signed: %v", err)
	}
	if _, err := Cosign(signed, w.m.Witnesses[0], keyNamed("stranger"), t0); !errors.Is(err, ErrSigner) {
		t.Errorf("a stranger cosigns: %v", err)
	}
	if _, err := AddCosignatures(signed, w.ns, w.m, unknown); !errors.Is(err, ErrUnverifiable) {
		t.Errorf("a line nobody can verify is added: %v", err)
	}
	if again, err := AddCosignatures([]byte(text+log+w2), w.ns, w.m, []byte(w1)); err != nil || !bytes.Equal(again, signed) {
		t.Errorf("added in the order of the manifest: %v", err)
	}
}

func good(w world) Checkpoint {
	return Checkpoint{NS: w.ns, Size: 5, Root: tlog.Hash{1}, Time: t0}
}

func keySign(name, text string) []byte { return ed25519.Sign(keyNamed(name), []byte(text)) }

// flipTime moves a cosignature's time.
func flipTime(line string) string {
	at := strings.LastIndexByte(line, ' ') + 1
	b, err := base64.StdEncoding.DecodeString(strings.TrimSuffix(line[at:], "\n"))
	if err != nil {
		panic(err)
	}
	b[11] ^= 1
	return line[:at] + base64.StdEncoding.EncodeToString(b) + "\n"
}

func TestInclusionAndConsistency(t *testing.T) {
	w := newWorld(t)
	var tr tree
	tr.fill(t, 40, "log")
	leaf := Leaf(secretNamed("alice"), 1, Commit(Opening{1}, []byte("statement")))
	index := tr.add(t, leaf)
	tr.fill(t, 100, "log")
	c := Checkpoint{NS: w.ns, Size: 100, Root: tr.root(t, 100), Time: t0}
	p, err := tlog.ProveRecord(100, index, &tr)
	if err != nil {
		t.Fatal(err)
	}
	if err := VerifyInclusion(c, index, leaf, p); err != nil {
		t.Errorf("%v", err)
	}
	for what, err := range map[string]error{
		"another place":    VerifyInclusion(c, index+1, leaf, p),
		"outside the tree": VerifyInclusion(c, 100, leaf, p),
		"before the tree":  VerifyInclusion(c, -1, leaf, p),
		"another leaf":     VerifyInclusion(c, index, Leaf(secretNamed("alice"), 2, Hash{}), p),
		"a short leaf":     VerifyInclusion(c, index, leaf[1:], p),
		"a hash too few":   VerifyInclusion(c, index, leaf, p[1:]),
		"a hash too many":  VerifyInclusion(c, index, leaf, append(p[:len(p):len(p)], tlog.Hash{})),
		"endless proof":    VerifyInclusion(c, index, leaf, make(tlog.RecordProof, MaxProof+1)),
	} {
		if !errors.Is(err, ErrInclusion) {
			t.Errorf("%s: %v", what, err)
		}
	}
	for _, size := range []int64{0, 1, 32, 63, 64, 99, 100} {
		older := Checkpoint{NS: w.ns, Size: size, Root: tr.root(t, size)}
		var p tlog.TreeProof
		if size > 0 && size < 100 {
			if p, err = tlog.ProveTree(100, size, &tr); err != nil {
				t.Fatal(err)
			}
		}
		if err := VerifyConsistency(older, c, p); err != nil {
			t.Errorf("from %d: %v", size, err)
		}
		if size > 0 {
			older.Root[0] ^= 1
			if err := VerifyConsistency(older, c, p); !errors.Is(err, ErrConsistency) {
				t.Errorf("from another %d: %v", size, err)
			}
		}
		if err := VerifyConsistency(older, c, append(p[:len(p):len(p)], tlog.Hash{})); !errors.Is(err, ErrConsistency) {
			t.Errorf("from %d with a hash too many: %v", size, err)
		}
	}
	if err := VerifyConsistency(c, Checkpoint{NS: w.ns, Size: 50, Root: tr.root(t, 50)}, nil); !errors.Is(err, ErrConsistency) {
		t.Errorf("backwards: %v", err)
	}
	if err := VerifyConsistency(Checkpoint{NS: NSID{1}}, c, nil); !errors.Is(err, ErrNamespace) {
		t.Errorf("another namespace: %v", err)
	}
}
