package layout

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

const module = "communicator"

// may lists, for each package, what of this module it may import. A name ending
// in "/..." stands for the package and everything below it. The longest matching
// key applies; a package without one fails the test, so that a new package has to
// find its place here.
var may = map[string][]string{
	"wire":            {},
	"wire/pb":         {},
	"wire/mux":        {"wire", "wire/pb"},
	"wire/descriptor": {"wire"},
	"wire/agenturi":   {"wire"},
	"wire/logproof":   {"wire"},

	"eventlog":         {"internal/durable", "wire", "wire/logproof"},
	"eventlog/logtest": {"eventlog", "wire", "wire/logproof"},

	// Leaves: formats and arithmetic of one subject.
	"mailbox/address": {"wire"},
	"relay/receipt":   {"wire", "wire/logproof"},
	"particle":        {"wire"},
	"dht/record":      {"wire", "wire/descriptor"},
	"directory/proof": {"wire"},

	// The overlay, which nodes and clients share.
	"dht": {"dht/record", "wire"},

	// Decisions: pure, without clock, network or storage.
	"relay/queue":         {"wire/...", "relay/receipt"},
	"mailbox/admit":       {"wire/...", "mailbox/address"},
	"client/route":        {"wire/...", "mailbox/address", "relay/receipt", "particle"},
	"directory/authority": {"directory/proof", "internal/durable", "wire/agenturi"},
	"directory/vend":      {"wire"},

	// Roles of a node. They never import each other.
	"relay/destination": {"wire/..."},
	"relay":             {"relay/...", "eventlog", "wire/..."},
	"mailbox/keyring":   {"wire/...", "mailbox/address"},
	"mailbox":           {"internal/budget", "mailbox/...", "eventlog", "wire/..."},
	"directory":         {"internal/budget", "internal/durable", "directory/...", "eventlog", "dht", "dht/record", "wire/..."},

	// A person's side never imports a server.
	"client/store":     {"wire"},
	"client/invite":    {"wire/...", "particle"},
	"client/transport": {"wire/...", "mailbox/address"},
	"client/directory": {"wire/...", "directory/proof", "directory/vend"},
	"client/registrar": {"client/directory", "directory/...", "dht/record", "wire"},
	"client/nearby":    {"wire/...", "particle"},
	"client/lookup":    {"internal/durable", "wire/...", "directory/proof", "dht", "dht/record", "client/directory"},
	"client": {"client/...", "particle", "wire/...", "mailbox/address", "mailbox/admit",
		"relay/receipt", "relay/queue", "directory/proof", "directory/vend", "dht", "dht/record"},

	"node/config": {"wire/...", "dht", "dht/record"},
	"node/access": {"internal/budget", "wire/...", "eventlog"},
	"node/admin":  {"wire/...", "eventlog", "node/config", "node/access"},
	"node":        {"internal/budget", "internal/durable", "node/...", "relay/...", "mailbox/...", "directory/...", "dht/...", "eventlog", "wire/..."},

	// Simulations: what happens is data, two tiers play it, and what listens knows neither.
	"simulations/memnet":    {},
	"simulations/wall":      {},
	"simulations/trace":     {},
	"simulations/scenario":  {},
	"simulations/scenarios": {"simulations/scenario"},
	"simulations/plan":      {"simulations/scenario", "simulations/scenarios"},
	"simulations/script":    {"simulations/scenario"},
	"simulations/measure":   {"simulations/scenario", "simulations/script", "simulations/trace"},
	"simulations/leakage":   {"simulations/scenario", "simulations/script", "simulations/trace", "simulations/measure"},
	"simulations/report":    {"internal/durable", "simulations/scenario", "simulations/trace", "simulations/measure"},
	"simulations/model": {"simulations/scenario", "simulations/script", "simulations/trace", "simulations/wall",
		"relay/queue", "mailbox/admit", "client/route", "directory/vend", "particle", "mailbox/address", "wire/..."},
	"simulations/real": {"simulations/scenario", "simulations/script", "simulations/trace", "simulations/wall", "simulations/memnet",
		"node/...", "client/...", "dht/...", "eventlog", "mailbox/keyring", "mailbox/admit", "relay/receipt", "wire/..."},
	"simulations": {"simulations/..."},

	"internal/agentproc": {"node", "node/config"},
	"internal/demo":      {"..."},
	"internal/bench":     {"..."},
	"internal/budget":    {},
	"internal/durable":   {},
	"internal/drill":     {"..."},
	"internal/layout":    {},
	"cmd/communicator":   {"..."},
}

// only lists third-party packages that may appear in some places alone. Test files
// are free.
var only = map[string][]string{
	"github.com/dgraph-io/badger": {"eventlog", "internal/bench"},
	"github.com/libp2p/go-libp2p": {"node", "client", "dht", "relay", "mailbox", "directory", "wire/agenturi",
		"simulations", "internal", "cmd"},
	"github.com/ncruces/go-sqlite3": {"client/store"},
}

// pure packages read no clock and reach neither network nor storage.
var pure = []string{"relay/queue", "mailbox/admit", "client/route", "particle", "wire", "mailbox/address", "relay/receipt",
	"directory/proof", "directory/vend", "dht/record", "simulations/model"}

func TestImportDirection(t *testing.T) {
	packages := 0
	walk(t, func(pkg, file, imported string, test bool) {
		packages++
		if test {
			return // tests may bring the other side
		}
		if ours, ok := strings.CutPrefix(imported, module+"/"); ok {
			rule, allowed := ruleFor(pkg)
			if rule == "" {
				t.Errorf("%s: package %s has no rule in the table", file, pkg)
			} else if !matches(allowed, ours) {
				t.Errorf("%s: %s may not import %s (rule %q)", file, pkg, ours, rule)
			}
			return
		}
		for prefix, places := range only {
			if strings.HasPrefix(imported, prefix) && !under(places, pkg) {
				t.Errorf("%s: %s may appear only in %v", file, imported, places)
			}
		}
	})
	if packages == 0 {
		t.Fatal("found no imports at all: is the module root where this test thinks?")
	}
}

func TestPurePackagesReadNoClock(t *testing.T) {
	fset := token.NewFileSet()
	for _, pkg := range pure {
		matched, err := filepath.Glob(filepath.Join("../..", pkg, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range matched {
			if strings.HasSuffix(path, "_test.go") {
				continue
			}
			f, err := parser.ParseFile(fset, path, nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			for _, use := range clockUses(f) {
				t.Errorf("%s: %s in a package that takes its time from the caller", fset.Position(use.pos), use.name)
			}
		}
	}
}

// TestSimulationsRunTheProduct: what simulates large networks decides with the same
// functions as nodes and clients do, and what simulates small ones runs whole nodes and
// clients, or their figures say nothing about the product.
func TestSimulationsRunTheProduct(t *testing.T) {
	type use struct{ by, pkg, name string }
	used := map[use]bool{}
	fset := token.NewFileSet()
	walkFiles(t, func(pkg, path string) {
		if len(products[pkg]) == 0 || strings.HasSuffix(path, "_test.go") {
			return
		}
		f, err := parser.ParseFile(fset, path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		imports := map[string]bool{}
		for _, spec := range f.Imports {
			imports[strings.Trim(spec.Path.Value, `"`)] = true
		}
		for _, p := range products[pkg] {
			if imports[module+"/"+p.pkg] && len(selectors(f, []string{filepath.Base(p.pkg)}, p.name)) > 0 {
				used[use{pkg, p.pkg, p.name}] = true
			}
		}
	})
	for by, all := range products {
		for _, p := range all {
			if !used[use{by, p.pkg, p.name}] {
				t.Errorf("%s does not use %s of %s", by, p.name, p.pkg)
			}
		}
	}
}

// products are what the simulations have to run.
var products = map[string][]struct{ pkg, name string }{
	"simulations/model": {
		{"relay/queue", "New"}, {"relay/queue", "Add"}, {"relay/queue", "Settled"}, {"relay/queue", "Deferred"}, {"relay/queue", "Failed"},
		{"mailbox/admit", "Admit"}, {"mailbox/admit", "Create"}, {"mailbox/admit", "Revoke"}, {"mailbox/admit", "Acknowledge"},
		{"client/route", "Next"}, {"client/route", "Choose"},
	},
	"simulations/real": {{"node", "Open"}, {"node", "Projections"}, {"client", "Create"}, {"eventlog", "Open"}},
}

// TestSkipsGoThroughTestenv keeps every skip where CI turns it into a failure.
func TestSkipsGoThroughTestenv(t *testing.T) {
	fset := token.NewFileSet()
	walkFiles(t, func(pkg, path string) {
		if pkg == "internal/testenv" {
			return
		}
		f, err := parser.ParseFile(fset, path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, use := range skipUses(f) {
			t.Errorf("%s: %s: say what is missing through internal/testenv", fset.Position(use.pos), use.name)
		}
	})
}

func ruleFor(pkg string) (string, []string) {
	for rule := pkg; ; {
		if allowed, ok := may[rule]; ok {
			return rule, allowed
		}
		cut := strings.LastIndexByte(rule, '/')
		if cut < 0 {
			return "", nil
		}
		rule = rule[:cut]
	}
}

func matches(allowed []string, imported string) bool {
	for _, a := range allowed {
		if a == imported || a == "..." {
			return true
		}
		if tree, ok := strings.CutSuffix(a, "/..."); ok && under([]string{tree}, imported) {
			return true
		}
	}
	return false
}

func under(trees []string, pkg string) bool {
	for _, tree := range trees {
		if pkg == tree || strings.HasPrefix(pkg, tree+"/") {
			return true
		}
	}
	return false
}

func walk(t *testing.T, visit func(pkg, file, imported string, test bool)) {
	t.Helper()
	fset := token.NewFileSet()
	walkFiles(t, func(pkg, path string) {
		f, err := parser.ParseFile(fset, path, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, spec := range f.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			visit(pkg, path, imported, strings.HasSuffix(path, "_test.go"))
		}
	})
}

// walkFiles visits every Go file of the module with its package's path.
func walkFiles(t *testing.T, visit func(pkg, path string)) {
	t.Helper()
	const root = "../.."
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name := d.Name(); d.IsDir() && (name == "testdata" || len(name) > 2 && name[0] == '.') {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(path, ".go") {
			return nil
		}
		rel, err := filepath.Rel(root, filepath.Dir(path))
		if err != nil {
			return err
		}
		visit(filepath.ToSlash(rel), path)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
