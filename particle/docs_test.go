package particle

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestDocumentHasEveryLabel compares the labels in the code with docs/session.md.
func TestDocumentHasEveryLabel(t *testing.T) {
	code, err := os.ReadFile("labels.go")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := os.ReadFile("../docs/session.md")
	if err != nil {
		t.Fatal(err)
	}
	pattern := regexp.MustCompile("[\"`]comm/1/[a-z0-9-]+[\"`]")
	labels := func(b []byte) map[string]bool {
		found := map[string]bool{}
		for _, l := range pattern.FindAllString(string(b), -1) {
			found[strings.Trim(l, "\"`")] = true
		}
		return found
	}
	inCode, inDoc := labels(code), labels(doc)
	for l := range inCode {
		if !inDoc[l] {
			t.Errorf("%s is not documented", l)
		}
	}
	for l := range inDoc {
		if !inCode[l] {
			t.Errorf("%s is documented, but not in the code", l)
		}
	}
	if len(inCode) < 20 {
		t.Fatalf("only %d labels found", len(inCode))
	}
}
