package store

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"testing/iotest"
	"time"
)

var carry = []byte("for the journey")

// exported makes a profile with one of everything that an import treats.
func exported(t *testing.T) (*Store, []byte) {
	t.Helper()
	s := newStore(t)
	update(t, s, func(tx *Tx) error {
		agent, err := tx.AddAgent(Agent{URI: "a"})
		ok(t, err)
		ok(t, tx.AddContact(Contact{ID: testID(1), Name: "Blair", State: ContactEstablished, Particle: []byte("p"), Trust: 3, Evidence: []byte("e")}))
		ok(t, tx.AddContact(Contact{ID: testID(2), Name: "Casey", State: ContactRevoked}))
		for i, state := range []OutgoingState{OutgoingQueued, OutgoingSubmitted} {
			id := testID(byte(i + 1))
			ok(t, tx.Enqueue(Outgoing{ID: id, Contact: testID(1), Ciphertext: []byte("c"), NotAfter: noon}))
			at, err := tx.AddAttempt(Attempt{Message: id, Agent: agent, Handle: bytes32(byte(i)), Payload: []byte("p"), Sealed: []byte("s")})
			ok(t, err)
			if state == OutgoingSubmitted {
				ok(t, tx.SubmittedAttempt(at, []byte("r"), noon))
			}
			ok(t, tx.SetOutgoingState(id, state))
		}
		_, err = tx.AddMessage(Message{ID: testID(1), Contact: testID(1), Text: canary})
		return err
	})
	// Large enough for several chunks.
	update(t, s, func(tx *Tx) error { return tx.SetSetting("large", make([]byte, 3*exportChunk)) })
	var out bytes.Buffer
	ok(t, s.Export(t.Context(), &out, carry))
	return s, out.Bytes()
}

func TestImportMarksAndResets(t *testing.T) {
	s, export := exported(t)
	o := testOptions()
	o.Now = func() time.Time { return noon.Add(time.Hour) }
	path := filepath.Join(t.TempDir(), "imported")
	c, err := Import(t.Context(), path, bytes.NewReader(export), carry, []byte("new home"), o)
	ok(t, err)
	defer c.Close()
	if c.key == s.key {
		t.Error("the imported profile has the original's key")
	}
	view(t, c, func(tx *Tx) error {
		p, err := tx.Profile()
		ok(t, err)
		same(t, p, Profile{Created: noon, Imported: noon.Add(time.Hour)})
		blair, err := tx.ContactByName("blair")
		ok(t, err)
		if blair.State != ContactNeedsReset || blair.Trust != 0 || len(blair.Evidence) != 0 || string(blair.Particle) != "p" {
			t.Errorf("contact: %+v", blair)
		}
		casey, err := tx.ContactByName("casey")
		ok(t, err)
		same(t, casey.State, ContactRevoked)
		for i, want := range []OutgoingState{OutgoingResend, OutgoingSubmitted} {
			out, err := tx.Outgoing(testID(byte(i + 1)))
			ok(t, err)
			same(t, out.State, want)
			as, err := tx.Attempts(out.ID)
			ok(t, err)
			same(t, len(as), i) // the one that was never submitted is gone
		}
		m, err := tx.Message(testID(1), false, testID(1))
		same(t, m.Text, canary)
		return err
	})
	update(t, c, func(tx *Tx) error { return tx.SetSetting("k", nil) })
	view(t, s, func(tx *Tx) error { // the original is as it was
		p, err := tx.Profile()
		same(t, p, Profile{Created: noon})
		return err
	})
	left, _ := filepath.Glob(filepath.Join(filepath.Dir(s.path), "*.new-*"))
	more, _ := filepath.Glob(filepath.Join(filepath.Dir(path), "*.new-*"))
	if len(left)+len(more) != 0 {
		t.Errorf("temporary files stay behind: %v %v", left, more)
	}
}

func TestExportHoldsNothingDeleted(t *testing.T) {
	s, export := exported(t)
	if bytes.Contains(export, []byte(canary)) || bytes.Contains(export, []byte("SQLite format")) {
		t.Error("plaintext in the export")
	}
	update(t, s, func(tx *Tx) error { _, err := tx.DeleteMessages(testID(1), 9); return err })
	var out bytes.Buffer
	ok(t, s.Export(t.Context(), &out, carry))
	c, err := Import(t.Context(), filepath.Join(t.TempDir(), "p"), &out, carry, secret, testOptions())
	ok(t, err)
	defer c.Close()
	if bytes.Contains(plaintext(t, c), []byte(canary)) {
		t.Error("a deleted message went along")
	}
}

func TestImportRefuses(t *testing.T) {
	s, export := exported(t)
	profile, err := os.ReadFile(s.path)
	ok(t, err)
	flip := func(i int) []byte { b := bytes.Clone(export); b[i] ^= 1; return b }
	chunk := exportChunk + 16
	swapped := bytes.Clone(export)
	copy(swapped[slotSize:], export[slotSize+chunk:slotSize+2*chunk])
	copy(swapped[slotSize+chunk:], export[slotSize:slotSize+chunk])
	cases := map[string]struct {
		in   []byte
		pass []byte
		want error
	}{
		"wrong passphrase": {export, secret, ErrWrongPassphrase},
		"no passphrase":    {export, nil, ErrEmptyPassphrase},
		"a profile":        {profile, secret, ErrNotProfile},
		"nothing":          {nil, carry, ErrNotProfile},
		"half a slot":      {export[:100], carry, ErrNotProfile},
		"slot only":        {export[:slotSize], carry, ErrDamaged},
		"cut at a chunk":   {export[:slotSize+chunk], carry, ErrDamaged},
		"cut inside":       {export[:len(export)-1], carry, ErrDamaged},
		"trailing":         {append(bytes.Clone(export), 0), carry, ErrDamaged},
		"swapped chunks":   {swapped, carry, ErrDamaged},
		"bit in the slot":  {flip(30), carry, ErrDamaged},
		"bit in the first": {flip(slotSize + 5), carry, ErrDamaged},
		"bit in the last":  {flip(len(export) - 1), carry, ErrDamaged},
		"newer":            {flip(8), carry, ErrNewerFormat},
	}
	dir := t.TempDir()
	for name, c := range cases {
		_, err := Import(t.Context(), filepath.Join(dir, "p"), bytes.NewReader(c.in), c.pass, secret, testOptions())
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	boom := errors.New("boom")
	_, err = Import(t.Context(), filepath.Join(dir, "p"), io.MultiReader(bytes.NewReader(export[:5000]), iotest.ErrReader(boom)), carry, secret, testOptions())
	wantErr(t, err, boom)
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
	_, err = Import(t.Context(), s.path, bytes.NewReader(export), carry, secret, testOptions())
	wantErr(t, err, ErrExists)
}
