package lookup

import (
	"crypto/ed25519"
	"errors"
	"testing"
	"time"

	"communicator/dht/record"
	"communicator/directory/proof"
)

// taken is a club that takes a name from alice, whom w has seen, and hides her veto.
func taken(t *testing.T) (*authority, *world, proof.Statement) {
	club, w := clubOf(t, "alice")
	w.look("alice@club")
	w.at(club, start.Add(time.Hour))
	club.reset("alice", "mallory")
	_, key := idDoc(t, "alice")
	st := club.state("alice")
	veto := st.VetoOf(len(st.Open)-1, club.now)
	check(t, veto.Sign(key))
	return club, w, veto
}

func (w *world) wantVetoed(what string) {
	w.t.Helper()
	if _, err := w.Lookup(w.t.Context(), "alice@club", peerURI); !errors.Is(err, ErrVetoed) {
		w.t.Errorf("%s: %v", what, err)
	}
}

func TestVetoBroughtByAContact(t *testing.T) {
	_, w, veto := taken(t)
	if res := w.look("alice@club"); !res.Held {
		t.Error("hidden, and yet not believed")
	}
	heard := func(s proof.Statement) (fresh bool, err error) {
		uerr := w.o.Memory.Update(t.Context(), func(rows Rows) error {
			fresh, err = Heard(rows, s, w.now)
			return nil
		})
		check(t, uerr)
		return fresh, err
	}
	forged := veto
	forged.Signatures = []proof.Signature{{1}}
	if _, err := heard(forged); !errors.Is(err, proof.ErrSignature) {
		t.Errorf("forged: %v", err)
	}
	elsewhere := veto
	elsewhere.NS = proof.NSID{1}
	_, key := idDoc(t, "alice")
	elsewhere.Signatures = nil
	check(t, elsewhere.Sign(key))
	if _, err := heard(elsewhere); !errors.Is(err, ErrUnknownNamespace) {
		t.Errorf("of a namespace that is not known: %v", err)
	}
	bind := proof.NewName(veto.NS, "bob").FirstBind(proof.IdDoc{1}, proof.Hash{}, proof.By{Issued: w.now})
	if _, err := heard(bind); !errors.Is(err, proof.ErrKind) {
		t.Errorf("a bind: %v", err)
	}
	for i, want := range []bool{true, false} {
		if fresh, err := heard(veto); fresh != want || err != nil {
			t.Errorf("heard %d: %v, %v", i, fresh, err)
		}
	}
	w.wantVetoed("brought by a contact")
	w.reopen()
	w.off = true
	if _, err := w.Lookup(t.Context(), "alice@club"); err == nil {
		t.Error("nobody there, and found")
	}
}

func TestVetoInTheOverlay(t *testing.T) {
	_, w, veto := taken(t)
	_, key := idDoc(t, "alice")
	records, err := SaidRecords(key, []proof.Statement{veto}, w.now, w.now.Add(proof.DefaultHold), 4)
	check(t, err)
	for _, b := range records {
		w.overlay.put(b)
		r, err := record.Parse(b)
		check(t, err)
		for _, place := range r.Blind.Locations() {
			check(t, record.Validate(place, b, r.NotBefore.Add(time.Hour), 4)) // nodes store it
		}
	}
	w.wantVetoed("in the overlay")
	// It tells nothing to whom does not know the key, and is nobody else's.
	_, mallory := idDoc(t, "mallory")
	public := mallory.Public().(ed25519.PublicKey)
	if _, _, err := record.Open(public, saidSecret(pub(mallory)), record.EpochAt(w.now), records[0]); !errors.Is(err, record.ErrLocation) {
		t.Errorf("opened with another key: %v", err)
	}
}
