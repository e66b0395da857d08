package node

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"communicator/mailbox/address"
)

// TestCollectedLeavesTheFilesOfBothAgents searches the whole directories of a sending and a
// receiving agent for messages that were delivered, collected and acknowledged.
func TestCollectedLeavesTheFilesOfBothAgents(t *testing.T) {
	sendDir, receiveDir := initDir(t), initDir(t)
	sender, receiver := run(t, onDisk(sendDir)), run(t, onDisk(receiveDir))
	defer sender.end()
	defer receiver.end()
	ctx := t.Context()
	p := newPerson(t, nil, time.Now)
	defer p.close()
	b := p.makeBox(ctx, receiver.token(1))
	out := p.at(ctx, sender.token(1))
	mark := make([]byte, 16)
	_, _ = rand.Read(mark) // never fails: crypto/rand
	canary := hex.AppendEncode(nil, mark)
	for _, size := range []int{40, 400, 20_000} {
		a := p.prepare(b, append(bytes.Clone(canary), make([]byte, size)...))
		if _, err := out.Submit(ctx, a.Submission); err != nil {
			t.Fatal(err)
		}
		if o := p.outcome(ctx, out, a); o.Code != address.Stored {
			t.Fatalf("outcome %v", o.Code)
		}
	}
	if holding(t, sendDir, canary)+holding(t, receiveDir, canary) < 2 {
		t.Fatal("the search finds nothing even before")
	}
	in := p.at(ctx, receiver.URI())
	payloads, positions := p.collect(ctx, in, b)
	if len(payloads) != 3 {
		t.Fatalf("collected %d", len(payloads))
	}
	if err := in.Ack(ctx, b.owner, positions); err != nil {
		t.Fatal(err)
	}
	for _, n := range []*running{sender, receiver} {
		if err := n.LogReclaim(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if at, left := holding(t, receiveDir, canary), holding(t, sendDir, canary); at+left > 0 {
		t.Errorf("messages are in %d files of the receiving and %d of the sending agent", at, left)
	}
}

// holding counts the files under dir that have what somewhere in them.
func holding(t *testing.T, dir string, what []byte) (n int) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		content, err := os.ReadFile(path)
		if bytes.Contains(content, what) {
			n++
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}
