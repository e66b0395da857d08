package plan

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func sweep(t *testing.T, text string) (*Sweep, string, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "sweep.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := ReadSweep(path)
	return s, filepath.Dir(path), err
}

const good = `version: 1
scenario: colluding
set: {nodes.users: 100}
vary:
  adversary.colluding: [0.01, 0.1]
  privacy: [{padding: buckets, diversity: true}, {padding: none, jitter: 2s}]
seeds: 3
`

func TestEveryCombinationWithEverySeed(t *testing.T) {
	s, dir, err := sweep(t, good)
	if err != nil {
		t.Fatal(err)
	}
	runs, err := s.Runs(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(runs) != 12 {
		t.Fatalf("%d runs", len(runs))
	}
	var plan bytes.Buffer
	if err := Write(&plan, runs); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for i := range runs {
		r, err := At(bytes.NewReader(plan.Bytes()), i)
		if err != nil {
			t.Fatal(err)
		}
		sc, err := r.Read()
		if err != nil {
			t.Fatal(err)
		}
		if sc.Nodes.Users != 100 || sc.Seed != uint64(1+i%3) || r.Against != "adversary.colluding" {
			t.Errorf("run %d: %+v, seed %d", i, sc.Nodes, sc.Seed)
		}
		if hash, err := sc.Hash(); err != nil || seen[hash] {
			t.Errorf("run %d is there twice, %v", i, err)
		} else {
			seen[hash] = true
		}
	}
	if _, err := At(&plan, 12); !errors.Is(err, ErrNoRun) {
		t.Errorf("run 12 of 12: %v", err)
	}
}

func TestMistakesAreToldBeforeAnythingRuns(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"version: 1\nscenario: colluding\nvarry: {}", "unknown field \"varry\""},
		{"version: 2\nscenario: colluding", "version is 2"},
		{"version: 1", "scenario is missing"},
		{"version: 1\nscenario: nowhere", "no scenario \"nowhere\""},
		{"version: 1\nscenario: colluding\nvary: {seed: 3}", "expected a list of values"},
		{"version: 1\nscenario: colluding\nvary: {adversary.colludin: [1]}", "adversary.colludin is unknown"},
		{"version: 1\nscenario: colluding\nvary: {adversary.colluding: [0.1, 7]}", "adversary.colluding is 7"},
	} {
		s, dir, err := sweep(t, c.in)
		if err == nil {
			_, err = s.Runs(dir)
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v", c.in, err)
		}
	}
}

func TestDamagedPlansAreRefused(t *testing.T) {
	for _, line := range []string{"{}", "nothing", `{"index":1,"name":"x"}`, `{"index":0,"name":"../x"}`, `{"index":0,"name":"x","more":1}`} {
		if _, err := At(strings.NewReader(line+"\n"), 0); err == nil {
			t.Errorf("took %s", line)
		}
	}
}

// TestExamplesArePlans reads the sweeps that ship.
func TestExamplesArePlans(t *testing.T) {
	for name, want := range map[string]int{"linkability.yaml": 48, "small.yaml": 8} {
		s, err := ReadSweep(filepath.Join("examples", name))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if runs, err := s.Runs("examples"); err != nil || len(runs) != want {
			t.Errorf("%s: %d runs, %v", name, len(runs), err)
		}
	}
}
