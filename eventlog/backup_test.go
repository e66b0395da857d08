package eventlog_test

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"communicator/eventlog"
	"communicator/eventlog/logtest"
	"communicator/wire/logproof"
)

func TestBackupAndRestore(t *testing.T) {
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	o := quiet()
	o.Now = func() time.Time { return now }
	log, err := eventlog.Open(t.TempDir(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	keyed := put("keyed", "", "")
	keyed.Key = []byte("once")
	mustAppend(t, log, keyed)
	for i := range 100 {
		mustAppend(t, log, put(fmt.Sprint(i%30), "h", "body of "+fmt.Sprint(i)+strings.Repeat(".", i*20)))
	}
	now = now.Add(24 * time.Hour)
	mustAppend(t, log, put("late", "", "late body"))
	if err := log.Prune(t.Context(), now); err != nil {
		t.Fatal(err)
	}
	rows := logtest.Rows(t, log, logtest.LedgerID)
	var backup bytes.Buffer
	if err := log.Backup(t.Context(), &backup); err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(backup.Bytes(), []byte("body of 3.")) {
		t.Error("a backup holds what was erased")
	}
	head := log.Head()
	mustAppend(t, log, put("after", "", "")) // the backup does not know this one

	for name, key := range map[string]ed25519.PrivateKey{
		"same key":  testKey,
		"other key": ed25519.NewKeyFromSeed(bytes.Repeat([]byte{9}, 32)),
	} {
		t.Run(name, func(t *testing.T) {
			o := o
			o.Signer = key
			dir := t.TempDir()
			restored, err := eventlog.Restore(t.Context(), dir, bytes.NewReader(backup.Bytes()), o)
			if err != nil {
				t.Fatal(err)
			}
			pub := key.Public().(ed25519.PublicKey)
			if got := logtest.Rows(t, restored, logtest.LedgerID); !bytes.Equal(got, rows) {
				t.Error("restored rows differ")
			}
			if got := restored.Head(); got.Hash() != head.Hash() {
				t.Errorf("restored head is %d, was %d", got.Number, head.Number)
			}
			a := mustAppend(t, restored, put("new", "", "new body"))[0]
			r, err := logproof.VerifyProof(pub, a.Proof)
			if err != nil || r.Seq != head.Last()+1 || a.Proof.LogID == head.LogID || a.Proof.Prev != head.Hash() {
				t.Errorf("the first event of the new era: %+v, %v", a, err)
			}
			stat, err := restored.Stat()
			if err != nil || len(stat.Eras) != 2 || stat.Eras[1].Seq != head.Last() || stat.Eras[1].Head != head.Hash() {
				t.Errorf("the gap is not named: %+v, %v", stat.Eras, err)
			}
			if got := mustAppend(t, restored, keyed)[0]; name == "same key" && got.Duplicate {
				t.Error("a key outlived its pruned header")
			}
			if _, err := restored.Prove(head.Last()); err != nil {
				t.Errorf("a proof of the former era: %v", err)
			}
			if err := restored.Close(); err != nil {
				t.Fatal(err)
			}
			again, err := eventlog.Open(dir, o)
			if err != nil || again.State().Health != eventlog.Healthy {
				t.Fatalf("opening again: %v", err)
			}
			defer again.Close()
			report, err := again.Verify(t.Context())
			if err != nil || len(report.Damage) > 0 {
				t.Errorf("verify: %+v, %v", report, err)
			}
			if _, err := eventlog.Restore(t.Context(), dir, bytes.NewReader(backup.Bytes()), o); !errors.Is(err, os.ErrExist) {
				t.Errorf("restoring over a log: %v", err)
			}
		})
	}
	for _, n := range []int{0, 10, 60, backup.Len() / 2, backup.Len() - 1} {
		dir := t.TempDir()
		if _, err := eventlog.Restore(t.Context(), dir, bytes.NewReader(backup.Bytes()[:n]), o); !errors.Is(err, eventlog.ErrBackup) {
			t.Errorf("the first %d bytes: %v", n, err)
		}
		if left, _ := os.ReadDir(dir); len(left) > 0 {
			t.Errorf("a failed restore leaves %v", left)
		}
	}
	changed := bytes.Clone(backup.Bytes())
	changed[len(changed)/2] ^= 1
	if _, err := eventlog.Restore(t.Context(), t.TempDir(), bytes.NewReader(changed), o); err == nil {
		t.Error("a changed backup is restored")
	}
}
