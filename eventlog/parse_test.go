package eventlog

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"communicator/wire"
	"communicator/wire/logproof"
)

var parseKey = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{5}, 32))

// stagedEvents are some as a batch has them.
func stagedEvents(head *Head) []stagedEvent {
	at := time.Unix(600, 0).UTC()
	bodied := prepared{kind: 3, version: 1, stream: []byte("s"), header: []byte("head"), bodyLen: 300, bodyHash: [32]byte{4}}
	keyed := prepared{kind: 4, stream: []byte("other"), key: tag{9}}
	all := []stagedEvent{{prepared: bodied, at: at}, {prepared: keyed, at: at.Add(time.Minute)}, {prepared: bodied, at: at.Add(time.Hour)}}
	for i := range all {
		all[i].seq = head.First + uint64(i)
	}
	return all
}

func sampleBatch(testing.TB) []byte {
	head := Head{Number: 3, First: 7, Count: 3}
	return encodeBatch(&head, &counters{1, 2, 3}, stagedEvents(&head), &[32]byte{8})
}

func TestBatchRowsGiveTheHeadersBack(t *testing.T) {
	b, err := parseBatch(sampleBatch(t))
	if err != nil {
		t.Fatal(err)
	}
	prev := [32]byte{8}
	for i, e := range stagedEvents(&b.head) {
		want := Record{Seq: e.seq, Time: e.at, Kind: e.kind, Version: e.version, Stream: e.stream, Header: e.header,
			BodyLen: e.bodyLen, BodyHash: e.bodyHash, Prev: prev}
		encoded, err := logproof.AppendRecord(nil, &want)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(b.encoded[i], encoded) || b.tags[i] != e.key {
			t.Errorf("header %d is %+v", i, b.records[i])
		}
		prev = logproof.HashRecord(encoded)
	}
}

func FuzzParseBatch(f *testing.F) {
	f.Add(sampleBatch(f))
	f.Fuzz(func(t *testing.T, value []byte) {
		b, err := parseBatch(value)
		if err != nil {
			return
		}
		events := make([]stagedEvent, len(b.records))
		for i, r := range b.records {
			events[i] = stagedEvent{seq: r.Seq, at: r.Time, prepared: prepared{kind: r.Kind, version: r.Version,
				stream: r.Stream, header: r.Header, bodyLen: r.BodyLen, bodyHash: r.BodyHash, key: b.tags[i]}}
			alone, err := bodyOf(held(value), b.head.First, r.Seq)
			if r.Seq >= b.head.First && (err != nil || alone.BodyLen != r.BodyLen || alone.BodyHash != r.BodyHash) {
				t.Fatalf("the body of %d is read otherwise alone: %v", r.Seq, err)
			}
		}
		if !bytes.Equal(encodeBatch(&b.head, &b.counts, events, &b.prev), value) {
			t.Fatal("parses and encodes to other bytes")
		}
	})
}

func FuzzParseSlot(f *testing.F) {
	s := slot{clean: true, generation: 4, head: Head{Number: 2}, manifest: manifestMark{length: 1}}
	f.Add(s.encode())
	f.Fuzz(func(t *testing.T, buf []byte) {
		if s := parseSlot(buf); s != nil && !bytes.Equal(s.encode(), buf) {
			t.Fatal("parses and encodes to other bytes")
		}
	})
}

func FuzzParseEras(f *testing.F) {
	f.Add(encodeEras([]Era{{LogID: [32]byte{1}, Opened: time.Unix(9, 0)}, {After: 3}}))
	f.Fuzz(func(t *testing.T, value []byte) {
		if eras, err := parseEras(value); err == nil && !bytes.Equal(encodeEras(eras), value) {
			t.Fatal("parses and encodes to other bytes")
		}
	})
}

func FuzzReadBackup(f *testing.F) {
	var whole bytes.Buffer
	w := newBackupWriter(&whole, parseKey.Public().(ed25519.PublicKey))
	if err := errors.Join(w.row([]byte("mlog"), []byte("value")), w.row([]byte("k"), nil), w.finish(parseKey)); err != nil {
		f.Fatal(err)
	}
	f.Add(whole.Bytes())
	f.Fuzz(func(t *testing.T, data []byte) {
		var again bytes.Buffer
		r, err := newBackupReader(bytes.NewReader(data))
		if err != nil {
			return
		}
		w := newBackupWriter(&again, r.pub)
		for {
			key, value, err := r.next()
			if err != nil {
				return
			}
			if key == nil {
				break
			}
			if err := w.row(key, value); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.finish(parseKey); err != nil {
			t.Fatal(err)
		}
		// The reader stops at the end; all before the signature is the same.
		if n := again.Len() - ed25519.SignatureSize; !bytes.HasPrefix(data, again.Bytes()[:n]) {
			t.Fatal("reads and writes other bytes")
		}
	})
}

func TestSignedRowsAreRefusedChanged(t *testing.T) {
	pub := parseKey.Public().(ed25519.PublicKey)
	a := anchor{number: 1, seq: 2, head: [32]byte{3}, record: [32]byte{4}, logID: [32]byte{5}, volume: 6}
	sealed := sealAnchor(&a, parseKey)
	if got, err := openAnchor(sealed, pub); err != nil || *got != a {
		t.Errorf("anchor: %+v, %v", got, err)
	}
	info := snapshotInfo{generation: 1, chunks: 2, digest: [32]byte{3}, at: a, pruned: a}
	named := info.seal(parseKey)
	if got, err := openSnapshotInfo(named, pub); err != nil || *got != info {
		t.Errorf("snapshot: %+v, %v", got, err)
	}
	if _, err := openAnchor(named, pub); !errors.Is(err, wire.ErrMalformed) {
		t.Errorf("a snapshot's name passes as a checkpoint: %v", err)
	}
	for i := range sealed {
		changed := bytes.Clone(sealed)
		changed[i] ^= 1
		if _, err := openAnchor(changed, pub); err == nil {
			t.Fatalf("a checkpoint with byte %d changed passes", i)
		}
	}
	future := signed(labelCheckpoint, []byte{anchorLayout + 1}, parseKey)
	if _, err := openAnchor(future, pub); !errors.Is(err, wire.ErrVersion) {
		t.Errorf("a later layout: %v", err)
	}
}

// failingEngine fails commits from the nth on.
type failingEngine struct {
	memoryEngine
	left int
}

var errDisk = errors.New("input/output error")

func (e *failingEngine) commit(rows []row) error {
	if e.left--; e.left < 0 {
		return errDisk
	}
	return e.memoryEngine.commit(rows)
}

func TestNothingIsAcknowledgedAfterAFailedCommit(t *testing.T) {
	told := make(chan error, 1)
	o, err := Options{Signer: parseKey, OnFail: func(err error) { told <- err }}.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	m := new(Memory)
	l := newEventLog(o, "", &failingEngine{memoryEngine{m}, 8}, memoryHead{m})
	if err := l.start(); err != nil {
		t.Fatal(err)
	}
	good := 0
	for range 20 {
		_, err := l.Append(t.Context(), Event{Kind: 1})
		if err == nil {
			good++
			continue
		}
		if !errors.Is(err, ErrFailed) || !errors.Is(err, errDisk) {
			t.Errorf("append: %v", err)
		}
	}
	if err := <-told; !errors.Is(err, errDisk) {
		t.Errorf("told: %v", err)
	}
	if head := l.Head(); good == 0 || good == 20 || head.Last() != uint64(good) {
		t.Errorf("%d were acknowledged, the head covers %d", good, head.Last())
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}

func TestALaterLayoutRefusesToStart(t *testing.T) {
	o, err := Options{Signer: parseKey}.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	o.Memory = new(Memory)
	l, err := OpenMemory(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := (memoryEngine{o.Memory}).commit([]row{{metaLog, []byte{eraLayout + 1}}}); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenMemory(o); !errors.Is(err, wire.ErrVersion) {
		t.Errorf("open: %v", err)
	}
}

func TestHeadFileKeepsTheOlderSlotWhole(t *testing.T) {
	pub := parseKey.Public().(ed25519.PublicKey)
	path := t.TempDir() + "/head"
	h, err := openHeadFile(path, pub)
	if err != nil {
		t.Fatal(err)
	}
	for n := range uint64(3) {
		head := Head{Number: n + 1, First: n + 1, Count: 1}
		head.Sign(parseKey)
		if err := h.write(&head); err != nil {
			t.Fatal(err)
		}
	}
	// The third is torn.
	if _, err := h.f.WriteAt([]byte("torn"), slotOffset+50); err != nil {
		t.Fatal(err)
	}
	if err := h.f.Close(); err != nil {
		t.Fatal(err)
	}
	h, err = openHeadFile(path, pub)
	if err != nil {
		t.Fatal(err)
	}
	defer h.f.Close()
	if head, err := h.read(); err != nil || head.Number != 2 {
		t.Errorf("the newest whole slot is %+v, %v", head, err)
	}
	if _, err := h.f.WriteAt([]byte("torn"), 50); err != nil {
		t.Fatal(err)
	}
	again, err := openHeadFile(path, pub)
	if err != nil {
		t.Fatal(err)
	}
	defer again.f.Close()
	var damage *DamageError
	if _, err := again.read(); !errors.As(err, &damage) {
		t.Errorf("two torn slots: %v", err)
	}
}

func TestGateWaitsForReadersAndNotForEver(t *testing.T) {
	var g gate
	g.enter()
	if g.shut(time.Millisecond) {
		t.Fatal("shut with a reader inside")
	}
	g.enter() // it opened again, and readers nest
	g.leave()
	done := make(chan bool)
	go func() { done <- g.shut(time.Minute) }()
	g.leave()
	if !<-done {
		t.Fatal("did not shut")
	}
	entered := make(chan struct{})
	go func() {
		g.enter()
		close(entered)
	}()
	g.open()
	<-entered
}

// TestManifestRewrittenIsNotCut: Badger writes its list of tables anew once much of it
// is history, and the new one may be short.
func TestManifestRewrittenIsNotCut(t *testing.T) {
	path := filepath.Join(t.TempDir(), manifestName)
	write := func(data string) {
		if err := os.WriteFile(path, []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	h := &headFile{}
	h.path = path
	old := "Bdgr\x00\x00\x00\x08\x00\x00\x00\x00\x00\x00\x00\x00" + strings.Repeat("history ", 300)
	write(old)
	if err := h.look(); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		data string
		cut  bool
	}{
		"as it was":           {old, false},
		"longer":              {old + "more", false},
		"written anew, short": {"Bdgr\x00\x00\x00\x08\x00\x00\x00\x20\x12\x34\x56\x78 new", false},
		"cut":                 {old[:len(old)-1], true},
		"cut to its start":    {old[:16], true},
		"cut in its start":    {old[:9], true},
		"empty":               {"", true},
		"changed":             {strings.Replace(old, "history", "mystery", 1), true},
	} {
		write(c.data)
		if err := checkManifest(path, h.manifest); (err != nil) != c.cut {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestHexReadsWhatItPrints(t *testing.T) {
	var in, out Era
	in.LogID, in.Head = Hex{1, 0xff}, Hex{31: 7}
	b, err := json.Marshal(in)
	if err != nil || json.Unmarshal(b, &out) != nil || out != in || !strings.Contains(string(b), `"log_id":"01ff00`) {
		t.Errorf("%s, %v", b, err)
	}
	for _, bad := range []string{"", "01", strings.Repeat("0", 66), strings.Repeat("x", 64)} {
		if new(Hex).UnmarshalText([]byte(bad)) == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}
