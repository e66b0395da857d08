package proof

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"communicator/particle"
)

// TestDocumentHasEveryLabel compares docs/namespace.md with the labels in the code.
func TestDocumentHasEveryLabel(t *testing.T) {
	code, err := os.ReadFile("../../wire/labels_directory.go")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := os.ReadFile("../../docs/namespace.md")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`"(comm/1/[a-z0-9-]+)"`).FindAllStringSubmatch(string(code), -1)
	for _, label := range found {
		if !strings.Contains(string(doc), "`"+label[1]+"`") {
			t.Errorf("%s is not documented", label[1])
		}
	}
	if len(found) < 15 {
		t.Errorf("found only %d labels", len(found))
	}
}

// TestIdentityDocumentsAreThoseOfSessions keeps the two readers of one layout together.
func TestIdentityDocumentsAreThoseOfSessions(t *testing.T) {
	id, err := particle.NewIdentity(nil)
	if err != nil {
		t.Fatal(err)
	}
	doc := id.Doc()
	d, err := ParseIdDoc(doc[:])
	if err != nil || d.Key() != Key(doc.Signing()) {
		t.Errorf("%v", err)
	}
	ours := idDocNamed("alice")
	if theirs, err := particle.ParseIdDoc(ours[:]); err != nil || Key(theirs.Signing()) != ours.Key() {
		t.Errorf("%v", err)
	}
}
