package layout

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	// citedTest is `package.TestName`, citedRun the command of a drill.
	citedTest = regexp.MustCompile("`([a-z0-9/]+)\\.((?:Test|Fuzz)[A-Za-z0-9_]+)`")
	citedRun  = regexp.MustCompile(`go test \./([a-z0-9/]+) -run '?([A-Za-z0-9_|\\]+)`)
)

// TestFaultsAreShown checks that every test which docs/faults.md names exists, and that
// no row of its tables goes without one.
func TestFaultsAreShown(t *testing.T) {
	text, err := os.ReadFile("../../docs/faults.md")
	if err != nil {
		t.Fatal(err)
	}
	declared := map[string]map[string]bool{} // by package
	rows := 0
	for _, line := range strings.Split(string(text), "\n") {
		cited := testsIn(line)
		for _, c := range cited {
			if declared[c.pkg] == nil {
				declared[c.pkg] = testsOf(t, c.pkg)
			}
			if !declared[c.pkg][c.name] {
				t.Errorf("docs/faults.md: there is no test %s in %s", c.name, c.pkg)
			}
		}
		if !strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "| ---") || strings.HasSuffix(line, "| shown by |") ||
			strings.HasSuffix(line, "| command |") {
			continue
		}
		if rows++; len(cited) == 0 {
			t.Errorf("docs/faults.md: no test in %q", line)
		}
	}
	if rows < 20 {
		t.Errorf("docs/faults.md: found only %d rows", rows)
	}
}

type citation struct{ pkg, name string }

// testsIn lists the tests that a line names.
func testsIn(line string) (list []citation) {
	for _, m := range citedTest.FindAllStringSubmatch(line, -1) {
		list = append(list, citation{m[1], m[2]})
	}
	for _, m := range citedRun.FindAllStringSubmatch(line, -1) {
		for _, name := range strings.Split(strings.ReplaceAll(m[2], `\`, ""), "|") {
			list = append(list, citation{m[1], name})
		}
	}
	return list
}

// testsOf lists the tests that a package declares.
func testsOf(t *testing.T, pkg string) map[string]bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("../..", pkg, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for _, path := range files {
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil {
				found[fn.Name.Name] = true
			}
		}
	}
	return found
}
