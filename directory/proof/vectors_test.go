package proof

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"communicator/wire"
)

// errorNames are how vectors name errors.
var errorNames = map[string]error{
	"malformed": wire.ErrMalformed, "too large": wire.ErrTooLarge, "unknown version": wire.ErrVersion,
	"name": ErrName, "namespace": ErrNamespace, "manifest": ErrManifest, "threshold": ErrThreshold,
	"signature": ErrSignature, "signer": ErrSigner, "expired key": ErrExpiredKey, "kind": ErrKind,
	"identity": ErrIdentity, "gap": ErrGap, "stale": ErrStale, "conflict": ErrConflict, "time": ErrTime,
	"replaced": ErrReplaced, "bound": ErrBound, "unbound": ErrUnbound, "revoked": ErrRevoked, "busy": ErrBusy,
	"settled": ErrSettled, "early": ErrEarly, "no dispute": ErrNoDispute, "hold": ErrHold,
	"checkpoint": ErrCheckpoint, "unverifiable": ErrUnverifiable, "witnesses": ErrWitnesses,
	"inclusion": ErrInclusion, "consistency": ErrConsistency, "no fork": ErrNoFork,
}

// named returns the name of an error, which vectors are to have.
func named(t *testing.T, err error) string {
	t.Helper()
	if err == nil {
		return ""
	}
	found := ""
	for name, e := range errorNames {
		if errors.Is(err, e) && (found == "" || name != "malformed") {
			found = name
		}
	}
	if found == "" {
		t.Fatalf("an error without a name: %v", err)
	}
	return found
}

// vectors compares what was computed with the file, or with -update writes it.
func vectors[V any](t *testing.T, file string, computed V) V {
	t.Helper()
	path := filepath.Join("testdata", file)
	b, err := json.MarshalIndent(computed, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	b = append(b, '\n')
	if *update {
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	stored, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(stored, b) {
		t.Errorf("%s: what is computed differs from what is stored", path)
	}
	var want V
	if err := json.Unmarshal(stored, &want); err != nil {
		t.Fatal(err)
	}
	return want
}

type nameVector struct {
	Typed     string `json:"typed"`
	Canonical string `json:"canonical,omitempty"`
	Error     string `json:"error,omitempty"`
}

func TestNameVectors(t *testing.T) {
	var all []nameVector
	for _, typed := range []string{"alice", "Alice", "ａｌｉｃｅ", "jose\u0301", "жанна", "山田はなこ", "김철수", "a.b-c_d", "42",
		"", "alice b", "alice@b", "-alice", "alice.", "a..b", "аlice", "山a", "a\u202eb", "a\u200db", "a/b", "a😀"} {
		name, err := ParseName(typed)
		all = append(all, nameVector{typed, string(name), named(t, err)})
	}
	vectors(t, "names.json", all)
}

type manifestVector struct {
	Name      string   `json:"name"`
	NSID      string   `json:"nsid"`
	Manifests []string `json:"manifests"`
	Hash      string   `json:"hash_of_newest,omitempty"`
	Error     string   `json:"error,omitempty"`
}

func TestManifestVectors(t *testing.T) {
	w := newWorld(t)
	first := w.chain.Signed()[0]
	next := w.m
	next.Issued, next.Roots, next.Listed = t0, roots("root 4", "root 5"), false
	second, err := Amend(w.m, next, privates([]string{"root 1", "root 2", "root 4", "root 5"})...)
	if err != nil {
		t.Fatal(err)
	}
	body := second[:len(second)-1-4*(keySize+signatureSize)]
	sign := func(names ...string) []byte {
		signatures := map[Key]Signature{}
		for _, name := range names {
			signatures[publicNamed(name)] = Signature(keySignBytes(name, ManifestMessage(body)))
		}
		b, err := AssembleManifest(body, signatures)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	var all []manifestVector
	add := func(name string, ns NSID, manifests ...[]byte) {
		v := manifestVector{Name: name, NSID: ns.String()}
		for _, m := range manifests {
			v.Manifests = append(v.Manifests, hex.EncodeToString(m))
		}
		c, err := VerifyChain(ns, manifests...)
		if v.Error = named(t, err); err == nil {
			hash := c.Current().Hash()
			v.Hash = hex.EncodeToString(hash[:])
		}
		all = append(all, v)
	}
	add("genesis", w.ns, first)
	add("amended", w.ns, first, second)
	add("another namespace", NSID{1}, first)
	add("no genesis", w.ns, second)
	add("only the new roots", w.ns, first, sign("root 4", "root 5"))
	add("one old root", w.ns, first, sign("root 1", "root 4", "root 5"))
	add("a stranger besides", w.ns, first, sign("root 1", "root 2", "root 4", "root 5", "stranger"))
	add("a signature changed", w.ns, flip(first, len(first)-1))
	add("a key changed", w.ns, flip(first, 60))
	add("trailing byte", w.ns, append(bytes.Clone(first), 0))
	add("cut", w.ns, first[:len(first)-1])
	add("version 2", w.ns, append([]byte{2}, first[1:]...))
	vectors(t, "manifests.json", all)
}

type statementVector struct {
	Name   string `json:"name"`
	Bytes  string `json:"bytes"`
	Change string `json:"change,omitempty"`
	Hash   string `json:"hash,omitempty"`
	Error  string `json:"error,omitempty"`
}

func TestStatementVectors(t *testing.T) {
	w := newWorld(t)
	samples := samples(t, w)
	var all []statementVector
	add := func(name string, b []byte) {
		v := statementVector{Name: name, Bytes: hex.EncodeToString(b)}
		s, err := ParseStatement(b)
		if err == nil {
			err = s.Verify(w.m)
		}
		if v.Error = named(t, err); err == nil {
			change, _ := s.Change()
			hash := s.Hash()
			v.Change, v.Hash = change.String(), hex.EncodeToString(hash[:])
		}
		all = append(all, v)
	}
	for _, r := range rules {
		sample := samples[r.change]
		b, err := signed(t, sample.s, sample.signers...).Marshal()
		if err != nil {
			t.Fatal(err)
		}
		add(r.change.String(), b)
	}
	b, err := hex.DecodeString(all[0].Bytes)
	if err != nil {
		t.Fatal(err)
	}
	const atSigners = 2 + 32 + 4 + 32 + 8 + 8 + 32*4 + 1 + 3
	add("nothing", nil)
	add("cut", b[:len(b)-1])
	add("trailing byte", append(bytes.Clone(b), 0))
	add("another version", append([]byte{2}, b[1:]...))
	add("an unknown kind", append([]byte{1, 9}, b[2:]...))
	add("an unknown signer", edited(b, atSigners, 0x15))
	add("the attesting key alone", edited(b, atSigners, 4))
	add("a name in capitals", edited(b, atSigners-3, 'B'))
	add("a signature changed", flip(b, len(b)-1))
	add("a signature of zeros", append(bytes.Clone(b[:len(b)-signatureSize]), make([]byte, signatureSize)...))
	add("the year 10000", edited(b, 2+32+4+32, 1))
	vectors(t, "statements.json", all)
}

func edited(b []byte, at int, to byte) []byte {
	b = bytes.Clone(b)
	b[at] = to
	return b
}

type historyVector struct {
	Name  string        `json:"name"`
	Steps []historyStep `json:"steps"`
}

type historyStep struct {
	Seen      int64  `json:"seen"` // Unix seconds
	Statement string `json:"statement"`
	Error     string `json:"error,omitempty"`
	// What follows is so at the time seen, after the statement.
	Holder  string `json:"holder_key,omitempty"`
	Settled bool   `json:"settled"`
	State   string `json:"state"`
}

// history records what happens to one name.
type history struct {
	t  *testing.T
	w  world
	st NameState
	v  historyVector
}

func newHistory(t *testing.T, name string) *history {
	w := newWorld(t)
	h := &history{t, w, NewName(w.ns, "alice"), historyVector{Name: name}}
	h.do(0, h.st.FirstBind(idDocNamed("alice"), commitmentNamed("alice"), at(0)), "alice", "attesting")
	return h
}

func (h *history) do(when time.Duration, s Statement, signers ...string) {
	h.t.Helper()
	b, err := signed(h.t, s, signers...).Marshal()
	if err != nil {
		h.t.Fatal(err)
	}
	parsed, err := ParseStatement(b)
	if err != nil {
		h.t.Fatal(err)
	}
	next, err := Apply(h.st, parsed, h.w.m, t0.Add(when))
	h.st = next
	holder, settled := next.Current(t0.Add(when))
	step := historyStep{Seen: t0.Add(when).Unix(), Statement: hex.EncodeToString(b), Error: named(h.t, err),
		Settled: settled, State: hex.EncodeToString(next.Marshal())}
	if holder.Kind == Person {
		step.Holder = hex.EncodeToString(holder.Key[:])
	}
	h.v.Steps = append(h.v.Steps, step)
}

func TestHistoryVectors(t *testing.T) {
	var all []historyVector
	undo := newHistory(t, "a rotation undone, then one that settles")
	undo.do(day, undo.st.Rotate(idDocNamed("thief"), Hash{}, at(day)), "alice", "thief", "attesting")
	undo.do(2*day, undo.st.UndoTo(undo.st.Base, at(2*day)), "alice", "attesting")
	undo.do(3*day, undo.st.Rotate(idDocNamed("alice 2"), Hash{}, at(3*day)), "alice", "alice 2", "attesting")
	undo.do(6*day, undo.st.UndoTo(undo.st.Base, at(6*day)), "alice", "attesting")
	all = append(all, undo.v)

	veto := newHistory(t, "a reset vetoed, the roots decide")
	veto.do(day, veto.st.Reset(idDocNamed("owner"), Hash{}, DefaultHold, at(day)), "owner", "attesting")
	veto.do(2*day, veto.st.VetoOf(0, t0.Add(2*day)), "alice")
	decide := func(d time.Duration) Statement {
		return veto.st.RootReset(idDocNamed("owner"), Hash{}, roots("root 1", "root 2"), t0.Add(d))
	}
	veto.do(15*day, decide(15*day), "owner", "root 1", "root 2")
	veto.do(16*day, decide(16*day), "owner", "root 1", "root 2")
	veto.do(17*day, veto.st.Rotate(idDocNamed("thief"), Hash{}, at(17*day)).with(func(s *Statement) { s.Replaced = publicNamed("alice") }), "alice", "thief", "attesting")
	all = append(all, veto.v)

	revoke := newHistory(t, "a key revoked, a reset that it cannot veto")
	revoke.do(day, Revocation(revoke.w.ns, "alice", publicNamed("alice"), codeNamed("thief"), t0), "alice")
	revoke.do(day, Revocation(revoke.w.ns, "alice", publicNamed("alice"), codeNamed("alice"), t0), "alice")
	revoke.do(day, revoke.st.Reset(idDocNamed("owner"), Hash{}, DefaultHold, at(day)), "owner", "attesting")
	revoke.do(2*day, revoke.st.VetoOf(0, t0.Add(2*day)), "alice")
	revoke.do(4*day, revoke.st.Rotate(idDocNamed("owner 2"), Hash{}, at(4*day)), "owner", "owner 2", "attesting")
	all = append(all, revoke.v)

	release := newHistory(t, "a name given up and bound again")
	release.do(day, release.st.Release(at(day)), "alice", "attesting")
	release.do(2*day, release.st.FirstBind(idDocNamed("bob"), Hash{}, at(2*day)), "bob", "attesting")
	release.do(4*day, release.st.FirstBind(idDocNamed("bob"), Hash{}, at(4*day)), "bob", "attesting")
	release.do(5*day, release.st.FirstBind(idDocNamed("carol"), Hash{}, at(5*day)), "carol", "attesting")
	all = append(all, release.v)
	for i, want := range vectors(t, "histories.json", all) {
		for j, step := range want.Steps {
			state, err := hex.DecodeString(step.State)
			if err != nil {
				t.Fatal(err)
			}
			if st, err := ParseNameState(state); err != nil || !bytes.Equal(st.Marshal(), state) {
				t.Errorf("history %d, step %d: %v", i, j, err)
			}
		}
	}
}

func keySignBytes(name string, message []byte) []byte { return ed25519.Sign(keyNamed(name), message) }

func sortVectors(all []fileVector) {
	slices.SortFunc(all, func(a, b fileVector) int { return strings.Compare(a.Name, b.Name) })
}
