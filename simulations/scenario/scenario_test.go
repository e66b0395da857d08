package scenario

import (
	"bytes"
	"encoding/json"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
)

func TestEmptyFileIsTheDefault(t *testing.T) {
	s, err := Parse("x/quiet.yaml", []byte("# What if nothing happens?\n# Nothing.\n\n# other\n"))
	if err != nil {
		t.Fatal(err)
	}
	if s.Name != "quiet" || s.About != "What if nothing happens? Nothing." || s.Duration.D() != time.Hour || s.Runs() != Model {
		t.Errorf("%+v", s)
	}
}

// TestProblems: each mistake is told with its line, its key and what was expected.
func TestProblems(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"version: 1\nnodes: {agents: 5, userz: 3}", "f.yaml:2: nodes.userz is unknown: expected one of agents, users, operators, start, storage"},
		{"nodes:\n  agents: many", "f.yaml:2: nodes.agents is many: expected a whole number from 2 to 1000000"},
		{"nodes:\n  agents: 2.5", "f.yaml:2: nodes.agents is 2.5: expected a whole number from 2 to 1000000"},
		{"nodes:\n  agents: 1", "f.yaml:2: nodes.agents is 1: expected a whole number from 2 to 1000000"},
		{"duration: 5q", "f.yaml:1: duration is 5q: expected a duration from 1s to 90d"},
		{"nodes: 3", "f.yaml:1: nodes is 3: expected keys with values"},
		{"nodes: [3]", "f.yaml:1: nodes is a list: expected keys with values"},
		{"events:\n- {at: 20m, kil: 3}", "f.yaml:2: events[0].kil is unknown: expected one of at, for, partition"},
		{"events:\n- {at: 20m}", "f.yaml:2: events[0] is 0 actions: expected one of partition"},
		{"events:\n- {at: 20m, kill: 0.1, drain: 0.1}", "f.yaml:2: events[0] is 2 actions: expected one of"},
		{"events: [{at: 1m, kill: 0.1},\n  {at: 3d, kill: 0.1}]", "f.yaml:2: events[1].at is 3d: expected a time before the end"},
		{"events: [{at: 1m, partition: [mars]}]", "f.yaml:1: events[0].partition is mars: expected regions out of"},
		{"seed: -1", "f.yaml:1: seed is -1: expected a whole number"},
		{"tier: fast", "f.yaml:1: tier is fast: expected one of auto, real, model"},
		{"assert: {lost: 0, x: '>= y'}", "f.yaml:1: assert.x is >= y: expected a condition"},
		{"a: b: c", "f.yaml:1: expected YAML"},
		{"nodes: {agents: 3, agents: 4}", "f.yaml:1: expected YAML: mapping key \"agents\" already defined"},
		{"churn:\n\tk: 3", "f.yaml:2: expected YAML"},
		{"---\nseed: 1\n---\nseed: 2", "f.yaml: expected one document"},
		{"tier: real\nprivacy:\n  padding: none", "f.yaml:3: privacy.padding is none: expected buckets"},
		{"version: 2", "f.yaml:1: version is 2: expected a whole number from 1 to 1"},
		{"churn: {k: .nan}", "f.yaml:1: churn.k is .nan: expected a number from 0.1 to 10"},
	} {
		_, err := Parse("f.yaml", []byte(c.in))
		if err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%q:\n got %v\nwant %s", c.in, err, c.want)
		}
	}
}

func TestAllProblemsAtOnce(t *testing.T) {
	_, err := Parse("f.yaml", []byte("nodes: {agents: x, users: y}\nchurn: {kk: 1}"))
	if p, ok := err.(Problems); !ok || len(p) != 3 {
		t.Errorf("%v", err)
	}
}

func TestSettings(t *testing.T) {
	s, err := Parse("f.yaml", []byte("events: [{at: 5m, kill: 0.5}]\nassert: {lost: 0}"),
		"churn.scale=2h", "nodes.agents=40", "events[0].kill=0.25", "assert.delivery_ratio=>= 0.9", "tier=model", "privacy={padding: none}")
	if err != nil {
		t.Fatal(err)
	}
	if s.Churn.Scale.D() != 2*time.Hour || s.Nodes.Agents != 40 || s.Nodes.Users != 1000 || s.Events[0].Kill != 0.25 || s.Tier != Model || s.Privacy.Padding != "none" {
		t.Errorf("%+v", s)
	}
	if c := s.Assert["delivery_ratio"]; c.Op != ">=" || c.Value != 0.9 || len(s.Assert) != 2 {
		t.Errorf("%+v", s.Assert)
	}
	for _, c := range []struct{ set, want string }{
		{"churn.skale=2h", "--set churn.skale=2h: churn.skale is unknown: expected one of model, k, scale"},
		{"churn.scale=long", "--set churn.scale=long: churn.scale is long: expected a duration from 1s to 365d"},
		{"nodes.agents=0", "--set nodes.agents=0: nodes.agents is 0: expected a whole number"},
		{"events[3].kill=0.1", "--set events[3].kill=0.1: events[3].kill is unknown: expected a place in a list"},
		{"seed", "--set seed: expected KEY=VALUE"},
		{"seed.x=1", "--set seed.x=1: seed.x is unknown: expected a key that has keys below it"},
	} {
		_, err := Parse("f.yaml", []byte("events: [{at: 5m, kill: 0.5}]"), c.set)
		if err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%q:\n got %v\nwant %s", c.set, err, c.want)
		}
	}
}

// TestTagsAreSound reads every bound, and finds every default within its own.
func TestTagsAreSound(t *testing.T) {
	for _, f := range Fields() {
		if f.Doc == "" {
			t.Errorf("%s has no doc", f.Path)
		}
		if (f.Min == "") != (f.Max == "") {
			t.Errorf("%s has one bound", f.Path)
		}
		if f.Max != "" && bound(f.Min, f.Kind) >= bound(f.Max, f.Kind) && f.Path != "version" {
			t.Errorf("%s: %s to %s", f.Path, f.Min, f.Max)
		}
	}
	s := Default()
	if p := bounds(&s); len(p) > 0 {
		t.Errorf("defaults out of bounds: %v", p)
	}
}

func TestDurationsReadBack(t *testing.T) {
	for _, s := range []string{"90s", "10m", "2d", "250ms", "36h", "0s"} {
		d, err := ParseDuration(s)
		if err != nil {
			t.Fatal(err)
		}
		if back, err := ParseDuration(d.String()); err != nil || back != d {
			t.Errorf("%s → %v → %v, %v", s, d, back, err)
		}
	}
	if d, err := ParseDuration("3.7h"); err != nil || d.D() != 222*time.Minute {
		t.Errorf("%v %v", d, err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("nodes: {agents: 5}\nevents: [{at: 5m, kill: 0.5}]"), "churn.scale=2h")
	f.Add([]byte("assert: {lost: 0}"), "assert.x=> 3")
	f.Fuzz(func(t *testing.T, b []byte, set string) {
		s, err := Parse("f.yaml", b, set)
		if err == nil && len(bounds(s)) > 0 {
			t.Errorf("accepted out of bounds: %+v", s)
		}
	})
}

func TestWrittenReadsBack(t *testing.T) {
	s, err := Parse("f.yaml", []byte("# Why?\nevents: [{at: 5m, kill: 0.5}, {at: 6m, for: 90s, partition: [eu]}]\nassert: {lost: 0, delivery_ratio: '>= 0.999'}\nchurn: {scale: 3.7h}"))
	if err != nil {
		t.Fatal(err)
	}
	b, err := s.YAML()
	if err != nil {
		t.Fatal(err)
	}
	back, err := Parse("f.yaml", b)
	if err != nil {
		t.Fatalf("%v in\n%s", err, b)
	}
	back.About = s.About
	for range 10 {
		if again, err := s.YAML(); err != nil || !bytes.Equal(b, again) {
			t.Fatalf("written twice, twice different: %v", err)
		}
	}
	if !reflect.DeepEqual(s, back) {
		t.Errorf("%+v\n%+v", s, back)
	}
}

// TestSchemaAgrees: what the schema takes, and what it refuses, are what Parse does.
func TestSchemaAgrees(t *testing.T) {
	schema, err := Schema().Resolve(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		in string
		ok bool
	}{
		{"nodes: {agents: 5}\nchurn: {scale: 3.7h, k: 0.5}\nevents: [{at: 5m, kill: 0.5}]\nassert: {lost: 0, x: '>= 0.9'}", true},
		{"duration: 2d", true},
		{"nodes: {agents: 1}", false},
		{"nodes: {agents: 2.5}", false},
		{"nodes: {userz: 3}", false},
		{"tier: fast", false},
		{"duration: 5q", false},
		{"duration: 5", false},
		{"events: [{at: 5m, kil: 1}]", false},
		{"assert: {lost: many}", false},
		{"workload: {online: 2}", false},
		{"privacy: {diversity: perhaps}", false},
	} {
		var v any
		if err := yaml.Unmarshal([]byte(c.in), &v); err != nil {
			t.Fatal(err)
		}
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		var instance any
		if err := json.Unmarshal(b, &instance); err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(instance); (err == nil) != c.ok {
			t.Errorf("schema on %q: %v", c.in, err)
		}
		if _, err := Parse("f.yaml", []byte(c.in)); (err == nil) != c.ok {
			t.Errorf("Parse on %q: %v", c.in, err)
		}
	}
}

// TestDocumentsAreCurrent: the published schema and the table of keys say what the code
// does. COMMUNICATOR_WRITE=1 writes them.
func TestDocumentsAreCurrent(t *testing.T) {
	schema, err := SchemaJSON()
	if err != nil {
		t.Fatal(err)
	}
	const reference = "../../docs/scenario.md"
	text, err := os.ReadFile(reference)
	if err != nil {
		t.Fatal(err)
	}
	const begin, end = "<!-- keys: communicator simulate schema -->\n", "<!-- end of keys -->"
	before, rest, _ := bytes.Cut(text, []byte(begin))
	_, after, found := bytes.Cut(rest, []byte(end))
	if !found {
		t.Fatalf("%s has no place for the keys", reference)
	}
	for path, want := range map[string][]byte{
		reference:                         slices.Concat(before, []byte(begin), Reference(), []byte(end), after),
		"../../docs/scenario.schema.json": schema,
	} {
		if os.Getenv("COMMUNICATOR_WRITE") == "1" {
			if err := os.WriteFile(path, want, 0o666); err != nil {
				t.Fatal(err)
			}
		}
		if have, err := os.ReadFile(path); err != nil || !bytes.Equal(have, want) {
			t.Errorf("%s is not what the code does (%v): run this test with COMMUNICATOR_WRITE=1", path, err)
		}
	}
}
