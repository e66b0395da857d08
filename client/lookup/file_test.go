package lookup

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"
)

var update = flag.Bool("update", false, "write testdata anew")

// TestProofFileVectors: files of one name, and of one behind a delegation, are made to the
// byte as they were, and prove what they did. Keys and times are those of the test world.
func TestProofFileVectors(t *testing.T) {
	club, sales := newAuthority(t, "club", start), newAuthority(t, "sales", start)
	sales.bind("alice", "alice")
	club.bind("alice", "alice")
	club.delegate("sales", sales.id)
	w := newWorld(t, club, sales)
	_, err := w.Add(t.Context(), club.id, "club", peerURI)
	check(t, err)
	for file, name := range map[string]string{"alice.proof": "alice", "delegated.proof": "alice@sales"} {
		path := filepath.Join("testdata", file)
		made := w.look(name + "@club").Proof
		if *update {
			check(t, os.WriteFile(path, made, 0o600))
		}
		kept, err := os.ReadFile(path)
		check(t, err)
		if !bytes.Equal(made, kept) {
			t.Errorf("%s: other bytes than they were", file)
		}
		res, err := VerifyFile(kept, start)
		check(t, err)
		if want := name + "@" + club.id.String(); res.Full != want {
			t.Errorf("%s proves %s, not %s", file, res.Full, want)
		}
	}
}
