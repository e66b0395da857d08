package directory

import (
	"bytes"
	"testing"
	"time"

	"communicator/directory/proof"
	"communicator/directory/vend"
	"communicator/eventlog"
	"communicator/wire"
)

// A log that was put back to an earlier state signs nothing: it would show two faces.
func TestRestoredLogIsFrozen(t *testing.T) {
	dir := t.TempDir()
	w := newWorld(t, func(c *Config) { c.Checkpoints = CheckpointFiles(dir) })
	entries := w.names(3)
	if _, err := w.authority().Submit(t.Context(), entries...); err != nil {
		t.Fatal(err)
	}
	c := w.dial("anybody")
	note, _, err := c.Checkpoint(t.Context(), w.chain)
	if err != nil {
		t.Fatal(err)
	}
	restored := newWorld(t, func(c *Config) { c.Checkpoints = CheckpointFiles(dir) })
	if _, err := restored.authority().Submit(t.Context(), entries[0]); err != nil {
		t.Fatal(err)
	}
	if err := restored.Directory.Close(); err != nil {
		t.Fatal(err)
	}
	if restored.Directory, err = New(restored.cfg); err != nil {
		t.Fatal(err)
	}
	restored.clock.move(time.Hour)
	c = restored.dial("anybody")
	_, _, err = c.Checkpoint(t.Context(), w.chain)
	wantStatus(t, "a log that lacks an entry", err, wire.StatusReadOnly)
	list, err := restored.Namespaces()
	if err != nil || !list[0].Frozen {
		t.Errorf("%+v, %v", list, err)
	}
	if s, err := c.Space(t.Context(), w.ns); err != nil || !s.Frozen {
		t.Errorf("space %+v, %v", s, err)
	}
	p := restored.person("dora", "dora")
	token := restored.token(vend.Registration)
	_, err = p.Client.Register(t.Context(), p.Key, p.firstBind(), &token)
	wantStatus(t, "a registration meanwhile", err, wire.StatusReadOnly)

	// The authority brings back what is missing; the log goes on where it was.
	if _, err := restored.authority().Submit(t.Context(), entries...); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Client.Register(t.Context(), p.Key, p.firstBind(), &token); err != nil {
		t.Fatal(err)
	}
	if _, cp, fork, err := c.Continue(t.Context(), w.chain, note); err != nil || fork != nil || cp.Size != 4 {
		t.Errorf("continued to %d, %v", cp.Size, err)
	}
}

// A directory that goes on from a backup vends nothing of the stock in it.
func TestBackupDoesNotVendTwice(t *testing.T) {
	w := newWorldOn(t, func(o eventlog.Options) (eventlog.Log, error) { return eventlog.Open(t.TempDir(), o) })
	p := w.registered("alice")
	p.rule(vend.Open, 10)
	p.upload(p.pack("once", true, 48*time.Hour))
	var backup bytes.Buffer
	if err := w.log.Backup(t.Context(), &backup); err != nil {
		t.Fatal(err)
	}
	if w.contact(w.dial("asker"), p.request()) == nil {
		t.Fatal("not granted")
	}
	again := newWorldOn(t, func(o eventlog.Options) (eventlog.Log, error) {
		return eventlog.Restore(t.Context(), t.TempDir()+"/log", &backup, o)
	})
	p.w, p.Client = again, again.dial("alice")
	if again.contact(again.dial("asker"), p.request()) != nil {
		t.Error("the package was vended a second time")
	}
	p.rule(vend.Open, 10)
	p.upload(p.pack("fresh", true, 48*time.Hour))
	if again.contact(again.dial("asker"), p.request()) == nil {
		t.Error("what was uploaded since is not vended")
	}
}

// A new log key signs the same tree anew.
func TestLogKeyIsReplaced(t *testing.T) {
	w := newWorld(t)
	w.registered("alice")
	c := w.dial("anybody")
	if _, _, err := c.Checkpoint(t.Context(), w.chain); err != nil {
		t.Fatal(err)
	}
	m := w.chain.Current()
	m.Issued, m.Log = m.Issued.Add(time.Minute), publicNamed("log 2")
	amended, err := proof.Amend(w.chain.Current(), m, keyNamed("root"))
	if err != nil {
		t.Fatal(err)
	}
	wantStatus(t, "a log key that is not here", c.PutManifest(t.Context(), w.ns, amended), wire.StatusUnsupported)
	w.keys.log = "log 2"
	if err := c.PutManifest(t.Context(), w.ns, amended); err != nil {
		t.Fatal(err)
	}
	chain, err := c.Chain(t.Context(), w.ns, &w.chain)
	if err != nil {
		t.Fatal(err)
	}
	if _, cp, err := c.Checkpoint(t.Context(), chain); err != nil || cp.Size != 1 {
		t.Errorf("checkpoint of %d under the new key, %v", cp.Size, err)
	}
}

// The client makes a fork proof of two faces that it is shown.
func TestForkIsCaught(t *testing.T) {
	one, two := newWorld(t), newWorld(t)
	one.registered("alice")
	note, _, err := one.dial("reader").Checkpoint(t.Context(), one.chain)
	if err != nil {
		t.Fatal(err)
	}
	two.registered("bob")
	two.registered("carol")
	_, _, fork, err := two.dial("reader").Continue(t.Context(), one.chain, note)
	if err == nil || fork == nil {
		t.Fatalf("two faces went unnoticed: %v", err)
	}
	if _, err := fork.Verify(one.chain); err != nil {
		t.Errorf("the fork does not verify: %v", err)
	}
}

func TestWitnesses(t *testing.T) {
	w := newWorld(t)
	m := w.chain.Current()
	m.Issued = m.Issued.Add(time.Minute)
	m.WitnessThreshold = 2
	for _, name := range []string{"witness.example.com/1", "witness.example.com/2", "witness.example.com/3"} {
		m.Witnesses = append(m.Witnesses, proof.Witness{Name: name, Key: publicNamed(name)})
	}
	m.Sort()
	amended, err := proof.Amend(w.chain.Current(), m, keyNamed("root"))
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	c := w.dial("anybody")
	if err := c.PutManifest(ctx, w.ns, amended); err != nil {
		t.Fatal(err)
	}
	chain, err := c.Chain(ctx, w.ns, nil)
	if err != nil {
		t.Fatal(err)
	}
	w.registered("alice")
	attest := func() error {
		_, _, err := c.Attestation(ctx, chain, "alice", secretOf(w.ns, "alice"), w.clock.now())
		return err
	}
	wantStatus(t, "before the witnesses", attest(), wire.StatusTryAgain)
	note, _, err := c.Checkpoint(ctx, chain)
	if err != nil {
		t.Fatal(err)
	}
	for i, witness := range chain.Current().Witnesses[:2] {
		line, err := proof.Cosign(note, witness, keyNamed(witness.Name), w.clock.now())
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Cosign(ctx, w.ns, note, line); err != nil {
			t.Fatalf("witness %d: %v", i, err)
		}
	}
	if err := attest(); err != nil {
		t.Errorf("with two witnesses: %v", err)
	}
	forged, err := proof.Cosign(note, chain.Current().Witnesses[2], keyNamed("mallory"), w.clock.now())
	if err == nil {
		wantStatus(t, "a forged cosignature", c.Cosign(ctx, w.ns, note, forged), wire.StatusAuth)
	}
	wantStatus(t, "for another checkpoint", c.Cosign(ctx, w.ns, note[1:], []byte("line")), wire.StatusNotFound)
	w.registered("bob")
	if err := attest(); err != nil {
		t.Errorf("an older cosigned checkpoint still covers alice: %v", err)
	}
}
