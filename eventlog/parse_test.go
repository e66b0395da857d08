package eventlog

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"testing"
	"time"

	"communicator/wire"
	"communicator/wire/logproof"
)

var parseKey = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{5}, 32))

func sampleBatch(t testing.TB) []byte {
	t.Helper()
	b := batchRow{head: Head{Number: 3, First: 7, Count: 2}, counts: counters{1, 2, 3}, tags: make([]tag, 2)}
	b.tags[1][0] = 9
	for i := range 2 {
		r := Record{Seq: uint64(7 + i), Time: time.Unix(600, 0), Stream: []byte("s")}
		encoded, err := logproof.AppendRecord(nil, &r)
		if err != nil {
			t.Fatal(err)
		}
		b.records = append(b.records, encoded)
	}
	return b.encode()
}

func FuzzParseBatch(f *testing.F) {
	f.Add(sampleBatch(f))
	f.Fuzz(func(t *testing.T, value []byte) {
		b, err := parseBatch(value)
		if err != nil {
			return
		}
		if !bytes.Equal(b.encode(), value) {
			t.Fatal("parses and encodes to other bytes")
		}
		for i, want := range b.records {
			got, err := recordIn(value, b.head.First+uint64(i))
			if b.head.First+uint64(i) >= b.head.First && (err != nil || !bytes.Equal(got, want)) {
				t.Fatalf("header %d is read otherwise alone: %v", i, err)
			}
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
	if err := l.start(true); err != nil {
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
	go func() { done <- g.shut(0) }()
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
