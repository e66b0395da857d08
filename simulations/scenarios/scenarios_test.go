package scenarios

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"communicator/simulations/scenario"
	"communicator/simulations/script"
)

func TestEachReadsAndHasAQuestion(t *testing.T) {
	schema, err := scenario.Schema().Resolve(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range Names() {
		s, err := Read(name)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if !strings.Contains(s.About, "xpect") || len(s.About) < 80 {
			t.Errorf("%s does not say what to expect: %q", name, s.About)
		}
		if len(s.Assert) == 0 {
			t.Errorf("%s asserts nothing", name)
		}
		b, err := files.ReadFile(name + ".yaml")
		if err != nil {
			t.Fatal(err)
		}
		var v any
		if err := yaml.UnmarshalWithOptions(b, &v); err != nil {
			t.Fatal(err)
		}
		j, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(j, &v); err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(v); err != nil {
			t.Errorf("%s against the schema: %v", name, err)
		}
		s.Nodes.Agents, s.Nodes.Users = min(s.Nodes.Agents, 300), min(s.Nodes.Users, 300)
		if s.Nodes.Operators > 100 {
			s.Nodes.Operators = 100
		}
		if built, err := script.Build(s); err != nil || len(built.Users) == 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
}
