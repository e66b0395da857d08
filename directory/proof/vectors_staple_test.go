package proof

import (
	"bytes"
	"encoding/hex"
	"testing"
	"time"

	"communicator/wire"

	"golang.org/x/mod/sumdb/tlog"
)

type stapleVector struct {
	Name      string   `json:"name"`
	NSID      string   `json:"nsid"`
	Manifests []string `json:"manifests"`
	Asked     string   `json:"asked"` // the name that is asked for
	Secret    string   `json:"name_secret"`
	Now       int64    `json:"now"`
	Staple    string   `json:"staple"`
	LoggedAt  int64    `json:"logged_at,omitempty"`
	Settles   int64    `json:"settles,omitempty"`
	Error     string   `json:"error,omitempty"`
}

func TestStapleVectors(t *testing.T) {
	w := newWorld(t)
	state, first := w.bound(t)
	id, second := idDocNamed("alice"), idDocNamed("alice 2")
	var all []stapleVector
	addFor := func(asked Name, name string, staple []byte, now time.Time) {
		secret := secretNamed("alice")
		v := stapleVector{Name: name, NSID: w.ns.String(), Manifests: []string{hex.EncodeToString(w.chain.Signed()[0])},
			Asked: string(asked), Secret: hex.EncodeToString(secret[:]), Now: now.Unix(), Staple: hex.EncodeToString(staple)}
		st, err := ParseStaple(staple)
		if err == nil {
			var got Verified
			if got, err = VerifyStaple(st, w.chain, asked, secret, now); got.Checks != nil {
				v.LoggedAt = got.LoggedAt.Unix()
				if !got.Settles.IsZero() {
					v.Settles = got.Settles.Unix()
				}
			}
		}
		v.Error = named(t, err)
		all = append(all, v)
	}
	add := func(name string, staple []byte, now time.Time) { addFor("alice", name, staple, now) }
	encode := func(s Statement, id *IdDoc, change func(*Staple)) []byte {
		st := w.staple(t, s, id, 20, 50)
		if change != nil {
			change(&st)
		}
		b, err := st.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	hour := t0.Add(time.Hour)
	good := encode(first, &id, nil)
	reset := signed(t, state.Reset(second, Hash{}, DefaultHold, at(0)), "alice 2", "attesting")
	rotation := signed(t, state.Rotate(second, Hash{}, at(0)), "alice", "alice 2", "attesting")
	add("first bind", good, hour)
	add("rotation", encode(rotation, &second, nil), hour)
	add("reset in its hold", encode(reset, &second, nil), hour)
	add("reset after its hold", encode(reset, &second, nil), t0.Add(DefaultHold))
	add("release", encode(signed(t, state.Release(at(0)), "alice", "attesting"), nil, nil), hour)
	add("an hour early", good, t0.Add(-time.Hour))
	addFor("bob", "behind the tag of another name", good, hour)
	add("another identity document", encode(first, &second, nil), hour)
	unsigned := id
	unsigned[MaxIdentity-1] ^= 1
	add("a document whose own signature nobody asks for", encode(
		signed(t, NewName(w.ns, "alice").FirstBind(unsigned, Hash{}, at(0)), "alice", "attesting"), &unsigned, nil), hour)
	add("a document with another signature", encode(first, &unsigned, nil), hour)
	add("another opening", encode(first, &id, func(st *Staple) { st.Opening[0] ^= 1 }), hour)
	add("another place", encode(first, &id, func(st *Staple) { st.Index = 21 }), hour)
	add("an unknown manifest", encode(first, &id, func(st *Staple) { st.Manifest = 9 }), hour)
	add("too few witnesses", encode(first, &id, func(st *Staple) {
		text, below := lines(st.Checkpoint)
		st.Checkpoint = []byte(text + below[0])
	}), hour)
	add("a line nobody can verify", encode(first, &id, func(st *Staple) {
		line, err := Cosign(st.Checkpoint, Witness{"other.example", publicNamed("other")}, keyNamed("other"), t0)
		if err != nil {
			t.Fatal(err)
		}
		st.Checkpoint = append(bytes.Clone(st.Checkpoint), line...)
	}), hour)
	add("cut", good[:len(good)-1], hour)
	add("trailing byte", append(bytes.Clone(good), 0), hour)
	add("another version", edited(good, len(wire.LabelStaple), 2), hour)
	vectors(t, "staples.json", all)
}

type fileVector struct {
	Name  string `json:"name"`
	Bytes string `json:"bytes"`
	Error string `json:"error,omitempty"`
}

func TestForkAndRelationVectors(t *testing.T) {
	w := newWorld(t)
	a, b := twoFaces(t)
	p, err := tlog.ProveTree(100, 50, b)
	if err != nil {
		t.Fatal(err)
	}
	var forks []fileVector
	add := func(name string, f Fork) {
		file, err := f.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		_, err = f.VerifyAlone()
		forks = append(forks, fileVector{name, hex.EncodeToString(file), named(t, err)})
	}
	same, err := NewFork(w.chain, w.checkpoint(t, 100, a.root(t, 100)), w.checkpoint(t, 100, b.root(t, 100)), tlog.Hash{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	grown, err := NewFork(w.chain, w.checkpoint(t, 50, a.root(t, 50)), w.checkpoint(t, 100, b.root(t, 100)), b.root(t, 50), p)
	if err != nil {
		t.Fatal(err)
	}
	add("equal sizes", same)
	add("50 and 100 entries", grown)
	honest := grown
	honest.A = w.checkpoint(t, 50, b.root(t, 50))
	add("a log that grew", honest)
	swapped := grown
	swapped.A, swapped.B = grown.B, grown.A
	add("the larger first", swapped)
	unproved := grown
	unproved.Proof = nil
	add("without its proof", unproved)
	alone := grown
	alone.Manifests = nil
	add("without manifests", alone)
	vectors(t, "forks.json", forks)

	var relations []fileVector
	one, two := idDocNamed("alice"), idDocNamed("alice 2")
	for name, r := range map[string]Relation{
		"succession":    signedRelation(t, Follows(one, two, t0), "alice", "alice 2"),
		"equivalence":   signedRelation(t, Equivalent(one, two, t0), "alice", "alice 2"),
		"one signature": signedRelation(t, Follows(one, two, t0), "alice"),
	} {
		file, err := r.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		relations = append(relations, fileVector{name, hex.EncodeToString(file), named(t, r.Verify())})
	}
	relations = append(relations, refusedRelations(t, one, two)...)
	sortVectors(relations)
	vectors(t, "relations.json", relations)
}

// refusedRelations are bytes that are no relation, or none that anybody has signed.
func refusedRelations(t *testing.T, one, two IdDoc) (list []fileVector) {
	t.Helper()
	follows := signedRelation(t, Follows(one, two, t0), "alice", "alice 2")
	equal := signedRelation(t, Equivalent(one, two, t0), "alice", "alice 2")
	f, err1 := follows.Marshal()
	e, err2 := equal.Marshal()
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	const party, when = 2 * 32, 2 + 4*32
	swapped := bytes.Join([][]byte{e[:2], e[2+party : when], e[2 : 2+party], e[when:]}, nil)
	itself := bytes.Join([][]byte{f[:2], f[2 : 2+party], f[2 : 2+party], f[when:]}, nil)
	for name, b := range map[string][]byte{
		"another version": edited(f, 0, 2), "kind 0": edited(f, 1, 0), "kind 3": edited(f, 1, 3),
		"equivalence signed, succession said": edited(e, 1, 1),
		"the higher key first":                swapped, "follows itself": itself,
		"after the year 9999": edited(f, when, 0xff), "another time": edited(f, when+7, 1),
		"another identity": edited(f, 2, f[2]^1), "another key of B": edited(f, 2+party+32, f[2+party+32]^1),
		"signatures changed over": bytes.Join([][]byte{f[:138], f[138+64:], f[138 : 138+64]}, nil),
		"cut":                     f[:len(f)-1], "a byte more": append(bytes.Clone(f), 0), "nothing": nil,
	} {
		r, err := ParseRelation(b)
		if err == nil {
			err = r.Verify()
		}
		if err == nil {
			t.Errorf("%s: verifies", name)
			continue
		}
		list = append(list, fileVector{name, hex.EncodeToString(b), named(t, err)})
	}
	return list
}

type logVector struct {
	Secret     string `json:"name_secret"`
	Version    uint32 `json:"version"`
	Opening    string `json:"opening"`
	Statement  string `json:"statement"`
	Tag        string `json:"tag"`
	Commitment string `json:"commitment"`
	LeafHash   string `json:"leaf_hash"`
	Revocation string `json:"revocation_id_of_key"`
	IdDoc      string `json:"identity_document"`
	Identity   string `json:"identity_hash"`
}

func TestLogVectors(t *testing.T) {
	w := newWorld(t)
	_, s := w.bound(t)
	statement, err := s.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	id, secret, opening := idDocNamed("alice"), secretNamed("alice"), Opening{31: 7}
	tag, commitment := Tag(secret, 1), Commit(opening, statement)
	leaf := tlog.RecordHash(Leaf(secret, 1, commitment))
	place, identity := RevocationID(id.Key()), id.Hash()
	vectors(t, "log.json", logVector{hex.EncodeToString(secret[:]), 1, hex.EncodeToString(opening[:]), hex.EncodeToString(statement),
		hex.EncodeToString(tag[:]), hex.EncodeToString(commitment[:]), hex.EncodeToString(leaf[:]),
		hex.EncodeToString(place[:]), hex.EncodeToString(id[:]), hex.EncodeToString(identity[:])})
}
