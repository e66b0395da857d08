package proof

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"flag"
	"fmt"
	"sync"
	"testing"
	"time"

	"communicator/wire"

	"golang.org/x/mod/sumdb/tlog"
)

var update = flag.Bool("update", false, "write testdata anew")

// t0 is when every test begins.
var t0 = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// keyNamed is a private key that depends on its name alone.
func keyNamed(name string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte(name))
	return ed25519.NewKeyFromSeed(seed[:])
}

func publicNamed(name string) Key { return publicOf(keyNamed(name)) }

// idDocNamed is the identity document of keyNamed(name).
func idDocNamed(name string) IdDoc {
	key := keyNamed(name)
	dh := sha256.Sum256([]byte("dh " + name))
	public := publicOf(key)
	b := append([]byte{idDocSuite}, public[:]...)
	b = append(b, dh[:]...)
	return IdDoc(append(b, ed25519.Sign(key, labelled(wire.LabelIdDoc, b))...))
}

func codeNamed(name string) [32]byte { return sha256.Sum256([]byte("code " + name)) }

// world is a namespace with everything that signs for it.
type world struct {
	chain Chain
	ns    NSID
	m     Manifest
}

var rootNames = []string{"root 1", "root 2", "root 3"}

func sampleManifest() Manifest {
	m := Manifest{
		Issued: t0.Add(-time.Hour), Hold: DefaultHold, Listed: true,
		Zone: publicNamed("zone"), Log: publicNamed("log"), Threshold: 2,
		Attesting: []Attesting{
			{Key: publicNamed("attesting"), NotBefore: t0.Add(-time.Hour), NotAfter: t0.AddDate(2, 0, 0)},
			{Key: publicNamed("retired"), NotBefore: t0.AddDate(-1, 0, 0), NotAfter: t0.Add(-time.Hour)},
		},
		WitnessThreshold: 2,
		Peers:            []string{"/dnsaddr/directory.example.org/p2p/12D3KooWExample"},
	}
	for _, name := range rootNames {
		m.Roots = append(m.Roots, publicNamed(name))
	}
	for _, name := range []string{"witness.example.com/w1", "witness.example.net/w2", "witness.example.org/w3"} {
		m.Witnesses = append(m.Witnesses, Witness{Name: name, Key: publicNamed(name)})
	}
	m.Sort()
	return m
}

func newWorld(t testing.TB) world {
	t.Helper()
	ns, genesis, err := Genesis(sampleManifest(), keyNamed("root 1"), keyNamed("root 3"))
	if err != nil {
		t.Fatal(err)
	}
	chain, err := VerifyChain(ns, genesis)
	if err != nil {
		t.Fatal(err)
	}
	return world{chain, ns, chain.Current()}
}

func at(offset time.Duration) By {
	return By{Attesting: publicNamed("attesting"), Issued: t0.Add(offset)}
}

func roots(names ...string) []Key {
	var keys []Key
	for _, name := range names {
		keys = append(keys, publicNamed(name))
	}
	return sortedKeys(keys)
}

// signed signs with the keys of these names.
func signed(t testing.TB, s Statement, names ...string) Statement {
	t.Helper()
	for _, name := range names {
		if err := s.Sign(keyNamed(name)); err != nil {
			t.Fatalf("%s signs: %v", name, err)
		}
	}
	return s
}

// commitmentNamed is what binds the revocation code of a key.
func commitmentNamed(name string) Hash { return RevokeCommitment(codeNamed(name)) }

// bound is alice's name, held by the key "alice", settled.
func (w world) bound(t testing.TB) (NameState, Statement) {
	t.Helper()
	s := signed(t, NewName(w.ns, "alice").FirstBind(idDocNamed("alice"), commitmentNamed("alice"), at(0)), "alice", "attesting")
	st, err := Apply(NewName(w.ns, "alice"), s, w.m, t0)
	if err != nil {
		t.Fatal(err)
	}
	return st, s
}

// tree is a log in memory.
type tree struct {
	hashes []tlog.Hash
	size   int64
}

func (tr *tree) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	var out []tlog.Hash
	for _, i := range indexes {
		if i >= int64(len(tr.hashes)) {
			return nil, fmt.Errorf("no hash %d", i)
		}
		out = append(out, tr.hashes[i])
	}
	return out, nil
}

func (tr *tree) add(t testing.TB, leaf []byte) int64 {
	t.Helper()
	hashes, err := tlog.StoredHashes(tr.size, leaf, tr)
	if err != nil {
		t.Fatal(err)
	}
	tr.hashes = append(tr.hashes, hashes...)
	tr.size++
	return tr.size - 1
}

// fill adds entries that nobody looks at.
func (tr *tree) fill(t testing.TB, upTo int64, salt string) {
	t.Helper()
	for tr.size < upTo {
		h := sha256.Sum256(fmt.Appendf(nil, "%s %d", salt, tr.size))
		tr.add(t, append(h[:], h[:]...))
	}
}

func (tr *tree) root(t testing.TB, size int64) tlog.Hash {
	t.Helper()
	root, err := tlog.TreeHash(size, tr)
	if err != nil {
		t.Fatal(err)
	}
	return root
}

// big is a complete tree of 2^20 entries, built level by level, since adding a million
// entries one by one takes minutes under a race detector.
type big struct{ levels [][]tlog.Hash }

const bigHeight = 20

// newBig is built once; each caller gets it with one entry of its own.
func newBig(index int64, leaf []byte) *big {
	b := builtBig()
	b.levels[0][index] = tlog.RecordHash(leaf)
	for level := 1; level <= bigHeight; level++ {
		index /= 2
		below := b.levels[level-1]
		b.levels[level][index] = tlog.NodeHash(below[2*index], below[2*index+1])
	}
	return b
}

var builtBig = sync.OnceValue(func() *big {
	b := &big{levels: make([][]tlog.Hash, bigHeight+1)}
	b.levels[0] = make([]tlog.Hash, 1<<bigHeight)
	var n [8]byte
	for i := range b.levels[0] {
		binary.BigEndian.PutUint64(n[:], uint64(i))
		b.levels[0][i] = sha256.Sum256(n[:])
	}
	for level := 1; level <= bigHeight; level++ {
		below := b.levels[level-1]
		b.levels[level] = make([]tlog.Hash, len(below)/2)
		for i := range b.levels[level] {
			b.levels[level][i] = tlog.NodeHash(below[2*i], below[2*i+1])
		}
	}
	return b
})

func (b *big) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	var out []tlog.Hash
	for _, i := range indexes {
		level, n := tlog.SplitStoredHashIndex(i)
		out = append(out, b.levels[level][n])
	}
	return out, nil
}

// checkpoint signs and has the witnesses of these numbers cosign.
func (w world) checkpoint(t testing.TB, size int64, root tlog.Hash, witnesses ...int) []byte {
	t.Helper()
	note, err := SignCheckpoint(Checkpoint{NS: w.ns, Size: size, Root: root, Time: t0}, keyNamed("log"))
	if err != nil {
		t.Fatal(err)
	}
	var lines [][]byte
	for _, i := range witnesses {
		witness := w.m.Witnesses[i]
		line, err := Cosign(note, witness, keyNamed(witness.Name), t0.Add(time.Duration(i+1)*time.Minute))
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, line)
	}
	if note, err = AddCosignatures(note, w.ns, w.m, lines...); err != nil {
		t.Fatal(err)
	}
	return note
}

func secretNamed(name string) NameSecret { return sha256.Sum256([]byte("secret " + name)) }

// staple puts a statement into a log of this size and proves it.
func (w world) staple(t testing.TB, s Statement, id *IdDoc, index, size int64) Staple {
	t.Helper()
	b, err := s.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	st := Staple{Statement: b, Opening: sha256.Sum256([]byte("opening")), Index: index,
		Manifest: w.m.Number, ManifestID: w.m.Hash()}
	if id != nil {
		st.IdDoc = bytes.Clone(id[:])
	}
	leaf := Leaf(secretNamed(string(s.Name)), s.Version, Commit(st.Opening, b))
	var tr tree
	tr.fill(t, index, "before")
	tr.add(t, leaf)
	tr.fill(t, size, "after")
	if st.Inclusion, err = tlog.ProveRecord(size, index, &tr); err != nil {
		t.Fatal(err)
	}
	st.Checkpoint = w.checkpoint(t, size, tr.root(t, size), 0, 2)
	return st
}
