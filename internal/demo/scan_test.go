package demo

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"communicator/internal/agentproc"
)

func TestSearch(t *testing.T) {
	dir := t.TempDir()
	deep := filepath.Join(dir, "log", "000001.vlog")
	if err := os.MkdirAll(filepath.Dir(deep), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(deep, []byte("\x00\x01carol-winter\x00"), 0o600); err != nil {
		t.Fatal(err)
	}
	needles := []needle{{"a name", []byte(label)}, {"a text", []byte(phrase)}}
	found, err := search(dir, needles)
	if err != nil || !slices.Equal(found, []string{"a name in 000001.vlog"}) {
		t.Errorf("found %q, %v", found, err)
	}
	ends := needle{"ends in zeros", []byte("x\x00\x00")}
	if err := os.WriteFile(deep, append([]byte("x"), make([]byte, 2*longest)...), 0o600); err != nil {
		t.Fatal(err)
	}
	if found, err := search(dir, []needle{ends}); err != nil || len(found) != 1 {
		t.Errorf("a needle that ends in zeros: %q, %v", found, err)
	}
	if _, err := search(filepath.Join(dir, "none"), needles); err == nil {
		t.Error("searched nothing, and said so to nobody")
	}
}

// TestWhoMayKnowWhat: what each kind of node is searched for.
func TestWhoMayKnowWhat(t *testing.T) {
	s := &stage{directory: &agentproc.Agent{}, second: &agentproc.Agent{}}
	for _, at := range [][]*agentproc.Agent{s.sending[:], s.receiving[:], s.spare[:]} {
		for i := range at {
			at[i] = &agentproc.Agent{}
		}
	}
	h := secrets{texts: []needle{{what: "text"}}, name: []needle{{what: "name"}}, addresses: []needle{{what: "address"}}}
	for _, c := range []struct {
		who  *agentproc.Agent
		want []string
	}{
		{s.directory, []string{"text"}},
		{s.second, []string{"text"}},
		{s.receiving[2], []string{"text", "name"}},
		{s.sending[0], []string{"text", "name", "address"}},
		{s.spare[1], []string{"text", "name", "address"}},
	} {
		var got []string
		for _, n := range h.from(s, c.who) {
			got = append(got, n.what)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("searched for %q, want %q", got, c.want)
		}
	}
	if n := len(s.overlay()); n != 9 || len(s.nodes()) != 10 {
		t.Errorf("%d nodes in the overlay, %d in all", n, len(s.nodes()))
	}
}
