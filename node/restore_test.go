package node

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"communicator/wire"
)

func TestBackupAndRestore(t *testing.T) {
	dir := initDir(t)
	n := run(t, onDisk(dir))
	ctx := t.Context()
	p := newPerson(t, nil, time.Now)
	b := p.makeBox(ctx, n.token(2))
	out := p.at(ctx, n.URI())
	other := run(t, onDisk(initDir(t)))
	defer other.end()
	a := p.prepare(p.makeBox(ctx, other.token(1)), []byte("for elsewhere"))
	if _, err := out.Submit(ctx, a.Submission); err != nil {
		t.Fatal(err)
	}
	var backup bytes.Buffer
	if err := n.Backup(ctx, &backup); err != nil {
		t.Fatal(err)
	}
	agent := n.Agent()
	p.close()
	n.end()
	keys, err := os.ReadDir(filepath.Join(dir, keysName))
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range keys {
		secret, err := os.ReadFile(filepath.Join(dir, keysName, k.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if body := secret[len(secret)-64 : len(secret)-32]; bytes.Contains(backup.Bytes(), body) {
			t.Errorf("the backup holds %s", k.Name())
		}
	}

	same := filepath.Join(t.TempDir(), "same")
	root, err := os.ReadFile(filepath.Join(dir, keysName, rootKeyName))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.MkdirAll(filepath.Join(same, keysName), 0o700),
		os.WriteFile(filepath.Join(same, keysName, rootKeyName), root, 0o600)); err != nil {
		t.Fatal(err)
	}
	restored, err := Restore(ctx, same, bytes.NewReader(backup.Bytes()))
	if err != nil || restored.Agent != agent || restored.NewIdentity {
		t.Fatalf("restored %+v, %v", restored, err)
	}
	again := run(t, onDisk(same))
	defer again.end()
	if status, err := again.Status(ctx); err != nil || status.Accounts != 1 || status.TokenUses != 1 || len(status.Stat.Eras) < 2 {
		t.Errorf("status after a restore: %+v, %v", status, err)
	}
	// What was made before is refused: its secrets are gone.
	q := newPerson(t, nil, time.Now)
	defer q.close()
	old := b
	old.address.URI = again.URI()
	sender := q.at(ctx, other.token(1))
	stale := q.prepare(old, []byte("to an address of before"))
	if _, err := sender.Submit(ctx, stale.Submission); err != nil {
		t.Fatal(err)
	}
	sealed := q.sealedOutcome(ctx, sender, stale)
	if _, err := stale.secret.Open(sealed, wire.HashPayload(stale.Payload), stale.NotAfter); err == nil {
		t.Error("the restored agent opened a seal of before")
	}
	p2 := newPerson(t, nil, time.Now)
	p2.secrets = p.secrets
	defer p2.close()
	if payloads, _ := p2.collect(ctx, p2.at(ctx, again.URI()), b); len(payloads) != 0 {
		t.Error("an address of before the restore still works")
	}

	fresh := filepath.Join(t.TempDir(), "fresh")
	if restored, err := Restore(ctx, fresh, bytes.NewReader(backup.Bytes())); err != nil || restored.Agent == agent || !restored.NewIdentity {
		t.Errorf("restored %+v, %v", restored, err)
	}
	if _, err := Restore(ctx, fresh, bytes.NewReader(backup.Bytes())); !errors.Is(err, ErrNotEmpty) {
		t.Errorf("over another: %v", err)
	}
	for _, n := range []int{0, 5, len(backupMagic), len(backupMagic) + 10} {
		if _, err := Restore(ctx, filepath.Join(t.TempDir(), "x"), bytes.NewReader(backup.Bytes()[:n])); !errors.Is(err, ErrNotBackup) {
			t.Errorf("%d bytes of it: %v", n, err)
		}
	}
}
