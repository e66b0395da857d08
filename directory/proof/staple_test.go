package proof

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"image/png"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"communicator/internal/testenv"
	"communicator/wire"

	"github.com/skip2/go-qrcode"
	"golang.org/x/mod/sumdb/tlog"
)

// million is a staple of a name in a log of 2^20 entries, cosigned by all witnesses:
// the log is a real one.
func (w world) million(t testing.TB, s Statement, id IdDoc) Staple {
	t.Helper()
	b, err := s.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	const index = 777_777
	st := Staple{Statement: b, IdDoc: id[:], Opening: sha256.Sum256([]byte("opening")), Index: index,
		Manifest: w.m.Number, ManifestID: w.m.Hash()}
	tr := newBig(index, Leaf(secretNamed(string(s.Name)), s.Version, Commit(st.Opening, b)))
	if st.Inclusion, err = tlog.ProveRecord(1<<bigHeight, index, tr); err != nil {
		t.Fatal(err)
	}
	root, err := tlog.TreeHash(1<<bigHeight, tr)
	if err != nil {
		t.Fatal(err)
	}
	all := make([]int, len(w.m.Witnesses))
	for i := range all {
		all[i] = i
	}
	st.Checkpoint = w.checkpoint(t, 1<<bigHeight, root, all...)
	return st
}

// largest is a namespace with as many roots and witnesses, with as long names, as there
// may be, and the largest statement of it: the roots' word about the longest name.
func largest(t testing.TB) (world, Statement, IdDoc) {
	t.Helper()
	m := sampleManifest()
	m.Roots, m.Witnesses, m.WitnessThreshold = nil, nil, MaxWitnesses
	var names []string
	for i := range MaxRoots {
		names = append(names, strings.Repeat("r", i+1))
	}
	m.Roots, m.Threshold = roots(names...), MaxRoots
	for i := range MaxWitnesses {
		name := strings.Repeat(string(rune('a'+i)), MaxWitnessName)
		m.Witnesses = append(m.Witnesses, Witness{name, publicNamed(name)})
	}
	ns, genesis, err := Genesis(m, privates(names)...)
	if err != nil {
		t.Fatal(err)
	}
	chain, err := VerifyChain(ns, genesis)
	if err != nil {
		t.Fatal(err)
	}
	w := world{chain, ns, chain.Current()}
	st := NewName(ns, Name(strings.Repeat("n", MaxName)))
	st.Version, st.Head, st.Base = 1<<32-2, Hash{1}, Holder{Kind: Person, Key: publicNamed("alice")}
	id := idDocNamed("owner")
	return w, signed(t, st.RootReset(id, commitmentNamed("owner"), m.Roots, t0), append(names, "owner")...), id
}

func TestStaplesFitAQRCode(t *testing.T) {
	w := newWorld(t)
	_, ordinary := w.bound(t)
	big, big1, big2 := largest(t)
	for what, test := range map[string]struct {
		w    world
		s    Statement
		id   IdDoc
		most int
	}{
		"an ordinary one":  {w, ordinary, idDocNamed("alice"), 2100},
		"the largest ever": {big, big1, big2, MaxStaple - 1},
	} {
		st := test.w.million(t, test.s, test.id)
		b, err := st.Marshal()
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		t.Logf("%s: %d bytes, of which statement %d, proof %d, checkpoint %d", what, len(b), len(st.Statement), 32*len(st.Inclusion), len(st.Checkpoint))
		if len(b) > test.most {
			t.Errorf("%s: %d bytes, want at most %d", what, len(b), test.most)
		}
		if _, err := VerifyStaple(st, test.w.chain, test.s.Name, secretNamed(string(test.s.Name)), t0.Add(time.Hour)); err != nil {
			t.Errorf("%s: %v", what, err)
		}
		code, err := qrcode.Encode(string(b), qrcode.Low, 1024)
		if err != nil {
			t.Fatalf("%s: no QR code: %v", what, err)
		}
		if image, err := png.Decode(bytes.NewReader(code)); err != nil || image.Bounds().Dx() != 1024 {
			t.Errorf("%s: no picture: %v", what, err)
		}
	}
}

func TestVerifyStaple(t *testing.T) {
	w := newWorld(t)
	_, s := w.bound(t)
	id := idDocNamed("alice")
	st := w.staple(t, s, &id, 20, 50)
	v, err := VerifyStaple(st, w.chain, "alice", secretNamed("alice"), t0.Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	if v.Change != FirstBind || v.IdDoc != id || v.Index != 20 || v.Checkpoint.Size != 50 || v.Statement.Name != "alice" || !v.Settles.IsZero() {
		t.Errorf("%+v", v)
	}
	// Witnesses 1 and 3 have signed, at 12:01 and 12:03; two are needed.
	if !v.LoggedAt.Equal(t0.Add(time.Minute)) {
		t.Errorf("logged at %v", v.LoggedAt)
	}
	if len(v.Checks) != 5 {
		t.Errorf("%q", v.Checks)
	}
	for _, c := range v.Checks {
		if c.What == "" || strings.Contains(c.What, "\n") || strings.Contains(c.What, "current") || strings.Contains(c.What, "verified") {
			t.Errorf("%q", c.What)
		}
	}
	// A newer manifest does not spoil it, as long as the keys are still in force.
	next := w.m
	next.Issued, next.Peers = t0, nil
	amendment, err := Amend(w.m, next, privates(rootNames)...)
	if err != nil {
		t.Fatal(err)
	}
	longer, err := w.chain.Extend(amendment)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := VerifyStaple(st, longer, "alice", secretNamed("alice"), t0.Add(time.Hour)); err != nil {
		t.Errorf("under a newer manifest: %v", err)
	}
	// One without the attesting key does: what the key signed is distrusted.
	next.Attesting = next.Attesting[:0:0]
	if amendment, err = Amend(longer.Current(), next, privates(rootNames)...); err != nil {
		t.Fatal(err)
	}
	if longer, err = longer.Extend(amendment); err != nil {
		t.Fatal(err)
	}
	if _, err := VerifyStaple(st, longer, "alice", secretNamed("alice"), t0.Add(time.Hour)); !errors.Is(err, ErrSigner) {
		t.Errorf("without the attesting key: %v", err)
	}
}

func TestVerifyStapleRefuses(t *testing.T) {
	w := newWorld(t)
	state, s := w.bound(t)
	id, other := idDocNamed("alice"), idDocNamed("bob")
	good := w.staple(t, s, &id, 20, 50)
	foreign := signed(t, NewName(NSID{1}, "alice").FirstBind(id, Hash{}, at(0)), "alice", "attesting")
	strange := signed(t, NewName(w.ns, "alice").FirstBind(id, Hash{}, By{publicNamed("stranger"), t0}), "alice", "stranger")
	// The authority binds the identity key to a document of its own making.
	stolen := NewName(w.ns, "alice").FirstBind(id, Hash{}, at(0))
	stolen.Identity = other.Hash()
	stolen = signed(t, stolen, "alice", "attesting")
	// A document with the same key, but with another X25519 key.
	twin := bytes.Clone(id[:idDocSigned])
	twin[40] ^= 1
	twin = append(twin, keySignBytes("alice", labelled(wire.LabelIdDoc, twin))...)
	late := signed(t, NewName(w.ns, "alice").FirstBind(id, Hash{}, at(2*time.Hour)), "alice", "attesting")
	revocation := signed(t, Revocation(w.ns, "alice", id.Key(), codeNamed("alice"), t0), "alice")
	release := signed(t, state.Release(at(0)), "alice", "attesting")
	change := func(f func(*Staple)) Staple {
		st := good
		f(&st)
		return st
	}
	later := func(note []byte) []byte {
		c, err := OpenCheckpoint(note, w.ns, w.m)
		if err != nil {
			t.Fatal(err)
		}
		c.Time = t0.Add(2 * time.Hour)
		if note, err = SignCheckpoint(c, keyNamed("log")); err != nil {
			t.Fatal(err)
		}
		l1, err1 := Cosign(note, w.m.Witnesses[0], keyNamed(w.m.Witnesses[0].Name), t0)
		l2, err2 := Cosign(note, w.m.Witnesses[1], keyNamed(w.m.Witnesses[1].Name), t0)
		note, err3 := AddCosignatures(note, w.ns, w.m, l1, l2)
		if err := errors.Join(err1, err2, err3); err != nil {
			t.Fatal(err)
		}
		return note
	}
	for what, test := range map[string]struct {
		st   Staple
		want error
	}{
		"an unknown manifest":        {change(func(st *Staple) { st.Manifest = 2 }), ErrManifest},
		"manifest 0":                 {change(func(st *Staple) { st.Manifest = 0 }), ErrManifest},
		"another manifest":           {change(func(st *Staple) { st.ManifestID = Hash{1} }), ErrManifest},
		"another namespace's":        {w.staple(t, foreign, &id, 20, 50), ErrNamespace},
		"attested by a stranger":     {w.staple(t, strange, &id, 20, 50), ErrSigner},
		"another identity document":  {w.staple(t, s, &other, 20, 50), ErrIdentity},
		"a document of another key":  {w.staple(t, stolen, &other, 20, 50), ErrIdentity},
		"a twin of the document":     {change(func(st *Staple) { st.IdDoc = twin }), ErrIdentity},
		"a forged document":          {change(func(st *Staple) { st.IdDoc = flip(id[:], 40) }), ErrIdentity},
		"no identity document":       {w.staple(t, s, nil, 20, 50), wire.ErrMalformed},
		"a document with a release":  {w.staple(t, release, &id, 20, 50), ErrIdentity},
		"issued tomorrow":            {w.staple(t, late, &id, 20, 50), ErrTime},
		"a revocation":               {w.staple(t, revocation, &id, 20, 50), ErrKind},
		"another opening":            {change(func(st *Staple) { st.Opening[0] ^= 1 }), ErrInclusion},
		"another place":              {change(func(st *Staple) { st.Index++ }), ErrInclusion},
		"another tree":               {change(func(st *Staple) { st.Checkpoint = w.checkpoint(t, 50, tlog.Hash{1}, 0, 1) }), ErrInclusion},
		"too few witnesses":          {change(func(st *Staple) { st.Checkpoint = w.checkpoint(t, 50, tlog.Hash{1}, 0) }), ErrWitnesses},
		"a checkpoint of the future": {change(func(st *Staple) { st.Checkpoint = later(st.Checkpoint) }), ErrTime},
	} {
		if v, err := VerifyStaple(test.st, w.chain, "alice", secretNamed("alice"), t0.Add(time.Hour)); !errors.Is(err, test.want) || v.Checks != nil {
			t.Errorf("%s: %v, want %v", what, err, test.want)
		}
	}
	if _, err := VerifyStaple(good, w.chain, "alice", secretNamed("bob"), t0.Add(time.Hour)); !errors.Is(err, ErrInclusion) {
		t.Errorf("another name's secret: %v", err)
	}
	if _, err := VerifyStaple(good, w.chain, "bob", secretNamed("alice"), t0.Add(time.Hour)); !errors.Is(err, ErrName) {
		t.Errorf("another name: %v", err)
	}
	if _, err := VerifyStaple(good, Chain{}, "alice", secretNamed("alice"), t0.Add(time.Hour)); !errors.Is(err, ErrManifest) {
		t.Errorf("no manifests: %v", err)
	}
	if _, err := VerifyStaple(good, w.chain, "alice", secretNamed("alice"), t0.Add(-time.Hour)); !errors.Is(err, ErrTime) {
		t.Errorf("an hour before: %v", err)
	}
}

// The key signs the statement and so the hash of the whole document: nothing hangs on the
// document's own signature, and a directory does not look at it either.
func TestDocumentIsSignedByTheStatement(t *testing.T) {
	w := newWorld(t)
	id := idDocNamed("alice")
	id[MaxIdentity-1] ^= 1
	if _, err := ParseIdDoc(id[:]); !errors.Is(err, ErrSignature) {
		t.Fatal(err)
	}
	s := signed(t, NewName(w.ns, "alice").FirstBind(id, Hash{}, at(0)), "alice", "attesting")
	st := w.staple(t, s, &id, 20, 50)
	if v, err := VerifyStaple(st, w.chain, "alice", secretNamed("alice"), t0.Add(time.Hour)); err != nil || v.IdDoc != id {
		t.Errorf("%v", err)
	}
	for what, change := range map[string]func(*Statement, *IdDoc){
		"another suite":                 func(_ *Statement, d *IdDoc) { d[0]++ },
		"another X25519 key":            func(_ *Statement, d *IdDoc) { d[40]++ },
		"another signature":             func(_ *Statement, d *IdDoc) { d[MaxIdentity-1]++ },
		"another subject":               func(s *Statement, _ *IdDoc) { s.Identity[0]++ },
		"the key has not signed":        func(s *Statement, _ *IdDoc) { s.Signers &^= ByIdentity },
		"a document of another key":     func(s *Statement, _ *IdDoc) { s.Key = publicNamed("bob") },
		"no subject, and zeros instead": func(s *Statement, d *IdDoc) { *s, *d = Statement{}, IdDoc{1} },
	} {
		s, d := s, id
		change(&s, &d)
		if _, err := s.Document(d[:]); !errors.Is(err, ErrIdentity) && (what != "another suite" || !errors.Is(err, wire.ErrVersion)) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := s.Document(id[1:]); !errors.Is(err, wire.ErrMalformed) {
		t.Errorf("a short one: %v", err)
	}
}

func TestStaplesThatWait(t *testing.T) {
	w := newWorld(t)
	state, _ := w.bound(t)
	id := idDocNamed("alice 2")
	reset := signed(t, state.Reset(id, Hash{}, DefaultHold, at(0)), "alice 2", "attesting")
	st := w.staple(t, reset, &id, 3, 9)
	v, err := VerifyStaple(st, w.chain, "alice", secretNamed("alice"), t0.Add(DefaultHold-1))
	if !errors.Is(err, ErrHold) || v.Change != HeldReset || len(v.Checks) == 0 {
		t.Errorf("%v, %+v", err, v)
	}
	if v, err := VerifyStaple(st, w.chain, "alice", secretNamed("alice"), t0.Add(DefaultHold)); err != nil || !v.Settles.Equal(t0.Add(DefaultHold)) {
		t.Errorf("%v", err)
	}
	// A hold that is shorter than the namespace's is as long as the namespace's.
	hasty := signed(t, state.Reset(id, Hash{}, MinHold, at(0)), "alice 2", "attesting")
	if _, err := VerifyStaple(w.staple(t, hasty, &id, 3, 9), w.chain, "alice", secretNamed("alice"), t0.Add(2*MinHold)); !errors.Is(err, ErrHold) {
		t.Errorf("%v", err)
	}
	rotation := signed(t, state.Rotate(id, Hash{}, at(0)), "alice 2", "alice", "attesting")
	if v, err := VerifyStaple(w.staple(t, rotation, &id, 3, 9), w.chain, "alice", secretNamed("alice"), t0.Add(time.Hour)); err != nil || !v.Settles.Equal(t0.Add(DefaultHold)) {
		t.Errorf("%v, %v", err, v.Settles)
	}
	delegation := signed(t, NewName(w.ns, "alice").DelegateTo(NSID{5}, 0, at(0)), "attesting")
	if v, err := VerifyStaple(w.staple(t, delegation, nil, 3, 9), w.chain, "alice", secretNamed("alice"), t0.Add(time.Hour)); err != nil || v.Statement.Delegate != (NSID{5}) {
		t.Errorf("%v", err)
	}
}

// TestEveryChangedByteIsRefused changes each byte of a staple to another value, and
// every eighth in each of its bits; in a soak, each byte to each other value.
func TestEveryChangedByteIsRefused(t *testing.T) {
	w := newWorld(t)
	_, s := w.bound(t)
	id := idDocNamed("alice")
	b, err := w.staple(t, s, &id, 20, 50).Marshal()
	if err != nil {
		t.Fatal(err)
	}
	verify := func(b []byte) error {
		st, err := ParseStaple(b)
		if err == nil {
			_, err = VerifyStaple(st, w.chain, "alice", secretNamed("alice"), t0.Add(time.Hour))
		}
		return err
	}
	if err := verify(b); err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(1, 2))
	tried := 0
	for i := range b {
		changed := bytes.Clone(b)
		once := 1 + random.IntN(255)
		for flip := 1; flip < 256; flip++ {
			oneBit := flip&(flip-1) == 0 && i%8 == 0
			if !testenv.Soak() && !oneBit && flip != once {
				continue
			}
			changed[i] = b[i] ^ byte(flip)
			tried++
			if err := verify(changed); err == nil {
				t.Fatalf("byte %d changed from %#x to %#x, and the staple verifies", i, b[i], changed[i])
			}
		}
	}
	for i := range len(b) + 1 {
		if i < len(b) && verify(append(bytes.Clone(b[:i]), b[i+1:]...)) == nil {
			t.Fatalf("verifies without byte %d", i)
		}
		if verify(append(append(bytes.Clone(b[:i]), '\n'), b[i:]...)) == nil {
			t.Fatalf("verifies with another byte at %d", i)
		}
		if i < len(b) && verify(b[:i]) == nil {
			t.Fatalf("verifies cut to %d bytes", i)
		}
	}
	t.Logf("%d bytes, %d changes", len(b), tried)
}

func TestStapleParserRefuses(t *testing.T) {
	w := newWorld(t)
	_, s := w.bound(t)
	id := idDocNamed("alice")
	st := w.staple(t, s, &id, 20, 50)
	for what, test := range map[string]struct {
		change func(*Staple)
		want   error
	}{
		"41 hashes": {func(st *Staple) { st.Inclusion = make(tlog.RecordProof, MaxProof+1) }, wire.ErrTooLarge},
		"over 2,900 bytes": {func(st *Staple) {
			st.Inclusion = make(tlog.RecordProof, MaxProof)
			st.Checkpoint = make([]byte, MaxCheckpoint)
		}, wire.ErrTooLarge},
		"a large checkpoint":   {func(st *Staple) { st.Checkpoint = make([]byte, MaxCheckpoint+1) }, wire.ErrTooLarge},
		"a large statement":    {func(st *Staple) { st.Statement = make([]byte, MaxStatement+1) }, wire.ErrTooLarge},
		"a short document":     {func(st *Staple) { st.IdDoc = st.IdDoc[1:] }, wire.ErrMalformed},
		"a place before the 1": {func(st *Staple) { st.Index = -1 }, wire.ErrMalformed},
	} {
		bad := st
		test.change(&bad)
		if _, err := bad.Marshal(); !errors.Is(err, test.want) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := ParseStaple(make([]byte, MaxStaple+1)); !errors.Is(err, wire.ErrTooLarge) {
		t.Errorf("%v", err)
	}
}
