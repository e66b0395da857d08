package wire_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestEveryLabelIsInTheTable reads the module's sources: a label that
// docs/encoding.md does not list is one that nobody has compared with the others, and
// one declared twice is used for two purposes.
func TestEveryLabelIsInTheTable(t *testing.T) {
	table, err := os.ReadFile("../docs/encoding.md")
	if err != nil {
		t.Fatal(err)
	}
	declared := regexp.MustCompile(`(?m)^\s*(?:const )?[lL]abel\w*(?:\s+(?:wire\.)?Label)?\s*= "(comm/1/[^"]*)"`)
	seen := map[string]string{}
	err = filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && strings.HasPrefix(d.Name(), ".") && path != ".." {
			return filepath.SkipDir
		}
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		source, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, m := range declared.FindAllStringSubmatch(string(source), -1) {
			label := m[1]
			if first, twice := seen[label]; twice {
				t.Errorf("%s: %s is declared in %s too", path, label, first)
			}
			seen[label] = path
			if !strings.Contains(string(table), "| `"+label+"` |") {
				t.Errorf("%s: %s is missing from the table in docs/encoding.md", path, label)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(seen) < 40 {
		t.Errorf("found only %d labels", len(seen))
	}
}
