package lookup

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"communicator/dht"
	"communicator/dht/record"
	"communicator/directory/proof"
	"communicator/wire"

	"golang.org/x/mod/sumdb/tlog"
)

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// keyOf derives a test key.
func keyOf(what string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte(what))
	return ed25519.NewKeyFromSeed(seed[:])
}

func pub(k ed25519.PrivateKey) proof.Key { return proof.KeyOf(k.Public().(ed25519.PublicKey)) }

// authority is a whole namespace in memory, which may be made to lie.
type authority struct {
	t                      *testing.T
	id                     proof.NSID
	manifests              [][]byte
	root, zone, attest, lg ed25519.PrivateKey
	now                    time.Time
	entries                []entry
	states                 map[proof.Name]proof.NameState
	hashes                 []tlog.Hash
	revocations            []proof.Statement // vetoes and revocations
	relations              []proof.Relation
}

type entry struct {
	name      proof.Name
	statement []byte
	idDoc     []byte
	opening   proof.Opening
}

func newAuthority(t *testing.T, name string, now time.Time) *authority {
	a := &authority{t: t, root: keyOf(name + " root"), zone: keyOf(name + " zone"), attest: keyOf(name + " attest"),
		lg: keyOf(name + " log"), now: now, states: map[proof.Name]proof.NameState{}}
	m := proof.Manifest{Issued: now, Hold: proof.DefaultHold, Zone: pub(a.zone), Log: pub(a.lg),
		Roots: []proof.Key{pub(a.root)}, Threshold: 1, Peers: []string{},
		Attesting: []proof.Attesting{{Key: pub(a.attest), NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(2, 0, 0)}}}
	m.Sort()
	id, signed, err := proof.Genesis(m, a.root)
	check(t, err)
	a.id, a.manifests = id, [][]byte{signed}
	return a
}

// idDoc makes an identity document of a test key.
func idDoc(t *testing.T, who string) (proof.IdDoc, ed25519.PrivateKey) {
	t.Helper()
	key := keyOf(who)
	x := sha256.Sum256([]byte(who + " x25519"))
	b := append([]byte{1}, key.Public().(ed25519.PublicKey)...)
	b = append(b, x[:]...)
	b = append(b, ed25519.Sign(key, slices.Concat([]byte(wire.LabelIdDoc), b))...)
	d, err := proof.ParseIdDoc(b)
	check(t, err)
	return d, key
}

func (a *authority) chain() proof.Chain {
	c, err := proof.VerifyChain(a.id, a.manifests...)
	check(a.t, err)
	return c
}

func (a *authority) by() proof.By { return proof.By{Attesting: pub(a.attest), Issued: a.now} }

func (a *authority) state(name proof.Name) proof.NameState {
	if st, ok := a.states[name]; ok {
		return st
	}
	return proof.NewName(a.id, name)
}

// log appends a statement that the keys sign.
func (a *authority) log(name proof.Name, s proof.Statement, doc []byte, keys ...ed25519.PrivateKey) {
	a.t.Helper()
	check(a.t, s.Sign(append(keys, a.attest)...))
	next, err := proof.Apply(a.state(name), s, a.chain().Current(), a.now)
	check(a.t, err)
	a.states[name] = next
	a.raw(name, s, doc)
}

// raw appends a statement whatever it says: what a namespace can do that lies.
func (a *authority) raw(name proof.Name, s proof.Statement, doc []byte) {
	a.t.Helper()
	b, err := s.Marshal()
	check(a.t, err)
	var opening proof.Opening
	binary.BigEndian.PutUint64(opening[:], uint64(len(a.entries)+1))
	a.entries = append(a.entries, entry{name, b, doc, opening})
	a.hash(len(a.entries) - 1)
}

func (a *authority) hash(i int) {
	e := a.entries[i]
	s, err := proof.ParseStatement(e.statement)
	check(a.t, err)
	leaf := proof.Leaf(secretOfName(e.name, a.id), s.Version, proof.Commit(e.opening, e.statement))
	more, err := tlog.StoredHashes(int64(i), leaf, a)
	check(a.t, err)
	a.hashes = append(a.hashes, more...)
}

// forget cuts the log back, so that what comes next is another history.
func (a *authority) forget(n int) {
	a.entries, a.hashes, a.states = a.entries[:n:n], nil, map[proof.Name]proof.NameState{}
	for i := range a.entries {
		a.hash(i)
	}
}

var derived = map[string]proof.NameSecret{}

func secretOfName(name proof.Name, ns proof.NSID) proof.NameSecret {
	key := string(name) + ns.String()
	if _, ok := derived[key]; !ok {
		derived[key] = proof.NameSecret(record.Secret(string(name), ns))
	}
	return derived[key]
}

// bind attests a name for a person.
func (a *authority) bind(name proof.Name, who string) {
	a.t.Helper()
	doc, key := idDoc(a.t, who)
	a.log(name, a.state(name).FirstBind(doc, proof.Hash{}, a.by()), doc[:], key)
}

func (a *authority) rotate(name proof.Name, from, to string) {
	a.t.Helper()
	doc, key := idDoc(a.t, to)
	_, old := idDoc(a.t, from)
	a.log(name, a.state(name).Rotate(doc, proof.Hash{}, a.by()), doc[:], key, old)
}

// reset takes a name from its holder, after the hold.
func (a *authority) reset(name proof.Name, to string) {
	a.t.Helper()
	doc, key := idDoc(a.t, to)
	a.log(name, a.state(name).Reset(doc, proof.Hash{}, proof.DefaultHold, a.by()), doc[:], key)
}

// veto objects to the newest change of a name; it reaches the directories.
func (a *authority) veto(name proof.Name, who string) {
	a.t.Helper()
	_, key := idDoc(a.t, who)
	st := a.state(name)
	v := st.VetoOf(len(st.Open)-1, a.now)
	check(a.t, v.Sign(key))
	next, err := proof.Apply(st, v, a.chain().Current(), a.now)
	check(a.t, err)
	a.states[name] = next
	a.revocations = append(a.revocations, v)
}

// amend makes the next manifest.
func (a *authority) amend(change func(*proof.Manifest)) {
	a.t.Helper()
	m := a.chain().Current()
	m.Issued = a.now
	change(&m)
	m.Sort()
	signed, err := proof.Amend(a.chain().Current(), m, a.root)
	check(a.t, err)
	a.manifests = append(a.manifests, signed)
}

func (a *authority) delegate(name proof.Name, to proof.NSID) {
	a.t.Helper()
	a.log(name, a.state(name).DelegateTo(to, 0, a.by()), nil)
}

// ReadHashes implements tlog.HashReader.
func (a *authority) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(indexes))
	for i, at := range indexes {
		out[i] = a.hashes[at]
	}
	return out, nil
}

func (a *authority) checkpoint() []byte {
	n := int64(len(a.entries))
	root, err := tlog.TreeHash(n, a)
	check(a.t, err)
	signed, err := proof.SignCheckpoint(proof.Checkpoint{NS: a.id, Size: n, Root: root, Time: a.now}, a.lg)
	check(a.t, err)
	return signed
}

// staple makes the newest one of a name; nil if it has none.
func (a *authority) staple(name proof.Name) []byte {
	for i := len(a.entries) - 1; i >= 0; i-- {
		e := a.entries[i]
		if e.name != name {
			continue
		}
		p, err := tlog.ProveRecord(int64(len(a.entries)), int64(i), a)
		check(a.t, err)
		m := a.chain().Current()
		b, err := proof.Staple{Statement: e.statement, IdDoc: e.idDoc, Opening: e.opening, Index: int64(i), Inclusion: p,
			Checkpoint: a.checkpoint(), Manifest: m.Number, ManifestID: m.Hash()}.Marshal()
		check(a.t, err)
		return b
	}
	return nil
}

// record seals the staple for the overlay.
func (a *authority) record(name proof.Name, refresh uint32) []byte {
	st, err := proof.ParseStaple(a.staple(name))
	check(a.t, err)
	s, err := proof.ParseStatement(st.Statement)
	check(a.t, err)
	b, err := record.Sign(a.zone, record.NameSecret(secretOfName(name, a.id)), record.Draft{
		Epoch: record.EpochAt(a.now), Version: s.Version, Refresh: refresh, Payload: a.staple(name)}, 1)
	check(a.t, err)
	return b
}

// node serves authorities as a directory would.
type node struct {
	spaces map[proof.NSID]*authority
	silent bool                  // about names' histories
	shows  map[proof.Name][]byte // staples of names, instead of the newest
}

func (n node) of(id proof.NSID) (*authority, error) {
	if a := n.spaces[id]; a != nil {
		return a, nil
	}
	return nil, ErrNotFound
}

func (n node) Manifests(_ context.Context, id proof.NSID, from uint32) ([][]byte, error) {
	a, err := n.of(id)
	if err != nil {
		return nil, err
	}
	return a.manifests[min(int(from)-1, len(a.manifests)):], nil
}

func (n node) Attestation(_ context.Context, id proof.NSID, name proof.Name) ([]byte, error) {
	a, err := n.of(id)
	if err != nil {
		return nil, err
	}
	if b := n.shows[name]; b != nil {
		return b, nil
	}
	if b := a.staple(name); b != nil {
		return b, nil
	}
	return nil, ErrNotFound
}

func (n node) Statements(_ context.Context, id proof.NSID, name proof.Name, after uint32, most int) (list []proof.Statement, _ error) {
	a, err := n.of(id)
	if err != nil || n.silent {
		return nil, errors.Join(err, ErrNotFound)
	}
	for _, e := range a.entries {
		s, err := proof.ParseStatement(e.statement)
		if err != nil {
			return nil, err
		}
		if e.name == name && s.Version > after && len(list) < most {
			list = append(list, s)
		}
	}
	return list, nil
}

func (n node) Checkpoint(_ context.Context, id proof.NSID) ([]byte, error) {
	a, err := n.of(id)
	if err != nil {
		return nil, err
	}
	return a.checkpoint(), nil
}

func (n node) Consistency(_ context.Context, id proof.NSID, older, newer int64) (tlog.TreeProof, tlog.Hash, error) {
	a, err := n.of(id)
	if err != nil {
		return nil, tlog.Hash{}, err
	}
	if newer > int64(len(a.entries)) {
		return nil, tlog.Hash{}, ErrNotFound
	}
	root, err := tlog.TreeHash(older, a)
	if err != nil {
		return nil, tlog.Hash{}, err
	}
	p, err := tlog.ProveTree(newer, older, a)
	return p, root, err
}

func (n node) Tags(_ context.Context, id proof.NSID, tags []proof.Hash) (map[proof.Hash]int64, error) {
	a, err := n.of(id)
	if err != nil {
		return nil, err
	}
	out := map[proof.Hash]int64{}
	for i, e := range a.entries {
		s, err := proof.ParseStatement(e.statement)
		if err != nil {
			return nil, err
		}
		if tag := proof.Tag(secretOfName(e.name, id), s.Version); slices.Contains(tags, tag) {
			out[tag] = int64(i)
		}
	}
	return out, nil
}

func (n node) Revocations(_ context.Context, c proof.Chain, key proof.Key) (list []proof.Statement, _ error) {
	a, err := n.of(c.NSID())
	if err != nil {
		return nil, err
	}
	for _, s := range a.revocations {
		if s.Key == key {
			list = append(list, s)
		}
	}
	return list, nil
}

func (n node) Relations(_ context.Context, id proof.NSID, key proof.Key) (list []proof.Relation, _ error) {
	a, err := n.of(id)
	if err != nil {
		return nil, err
	}
	for _, r := range a.relations {
		if r.A.Key == key || r.B.Key == key {
			list = append(list, r)
		}
	}
	return list, nil
}

func (n node) Close() error { return nil }

// overlay is a DHT of one honest place.
type overlay map[string][]byte

func (o overlay) put(b []byte) {
	r, err := record.Parse(b)
	if err != nil {
		panic(err)
	}
	for _, key := range r.Blind.Locations() {
		o[key] = b
	}
}

func (o overlay) LookupAll(_ context.Context, keys []string, _ dht.Fallback) (dht.Answer, error) {
	for _, k := range keys {
		if b, ok := o[k]; ok {
			return dht.Answer{Record: b, Hops: 3}, nil
		}
	}
	return dht.Answer{}, dht.ErrNotFound
}

// world is a person who looks names up, with one directory that may be switched off.
type world struct {
	*Resolver
	t       *testing.T
	now     time.Time
	dir     string
	overlay overlay
	node    node
	off     bool
}

const peerURI = "/ip4/192.0.2.1/tcp/4001/p2p/the-directory"

func newWorld(t *testing.T, spaces ...*authority) *world {
	w := &world{t: t, now: spaces[0].now, dir: t.TempDir(), overlay: overlay{}, node: node{spaces: map[proof.NSID]*authority{}}}
	for _, a := range spaces {
		w.node.spaces[a.id] = a
	}
	w.reopen()
	return w
}

func (w *world) reopen() {
	memory, err := OpenDir(w.dir)
	check(w.t, err)
	w.Resolver = New(Options{Overlay: w.overlay, Memory: memory, Now: func() time.Time { return w.now },
		Dial: func(_ context.Context, uri string) (Directory, error) {
			if uri != peerURI || w.off {
				return nil, fmt.Errorf("nobody at %s", uri)
			}
			return w.node, nil
		}})
}

func (w *world) look(name string) Result {
	w.t.Helper()
	res, err := w.Lookup(w.t.Context(), name, peerURI)
	check(w.t, err)
	return res
}
