// Package plan makes many runs out of one sweep: every combination of the values of some
// keys, each with several seeds. A plan is a file of JSON lines, one run each, complete in
// itself, so that any scheduler that can count runs it: a shell loop, GNU parallel, a
// Slurm array, a Kubernetes Indexed Job. One run is one process and one output.
package plan

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"

	"github.com/goccy/go-yaml"

	"communicator/simulations/scenario"
	"communicator/simulations/scenarios"
)

// Bounds of plans.
const (
	// MaxRuns bounds the runs of a plan.
	MaxRuns = 100_000
	// maxLine bounds a line of a plan, in bytes.
	maxLine = scenario.MaxFile + 64<<10
)

// Sweep is what a plan is made of; a YAML file.
type Sweep struct {
	Version  int           `yaml:"version"`  // 1
	Scenario string        `yaml:"scenario"` // a shipped one's name, or a file beside the sweep's
	Set      yaml.MapSlice `yaml:"set"`      // keys and values of all runs
	Vary     yaml.MapSlice `yaml:"vary"`     // keys, each with a list of values
	Seeds    int           `yaml:"seeds"`    // runs of each combination; 1 if zero
	// Against is the key along which the report draws; the first of Vary if empty.
	Against string `yaml:"against"`
	// Measures are what the report draws; the usual ones if empty.
	Measures []string `yaml:"measures"`
}

// Run is one line of a plan.
type Run struct {
	Index    int      `json:"index"`
	Name     string   `json:"name"`     // of its output
	Scenario string   `json:"scenario"` // its name
	YAML     string   `json:"yaml"`     // its text
	Seed     uint64   `json:"seed"`
	Set      []string `json:"set,omitempty"` // KEY=VALUE
	Varied   []string `json:"varied,omitempty"`
	Against  string   `json:"against,omitempty"`
	Measures []string `json:"measures,omitempty"`
}

// ReadSweep reads a sweep's file.
func ReadSweep(path string) (*Sweep, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var s Sweep
	if err := yaml.UnmarshalWithOptions(b, &s, yaml.Strict()); err != nil {
		return nil, fmt.Errorf("%s: %s", path, yaml.FormatError(err, false, true))
	}
	if s.Version != 1 {
		return nil, fmt.Errorf("%s: version is %d: expected 1", path, s.Version)
	}
	if s.Scenario == "" {
		return nil, fmt.Errorf("%s: scenario is missing: expected one of %v, or a file", path, scenarios.Names())
	}
	return &s, nil
}

// Runs are all of a sweep's, each checked: a plan holds no run that cannot start. Dir is
// where files are found.
func (s *Sweep) Runs(dir string) ([]Run, error) {
	name, text, err := load(dir, s.Scenario)
	if err != nil {
		return nil, err
	}
	var base []string
	for _, item := range s.Set {
		base = append(base, setting(item.Key, item.Value))
	}
	combinations, varied := [][]string{nil}, []string(nil)
	for _, item := range s.Vary {
		values, ok := item.Value.([]any)
		if !ok || len(values) == 0 {
			return nil, fmt.Errorf("vary: %v: expected a list of values", item.Key)
		}
		varied = append(varied, fmt.Sprint(item.Key))
		var next [][]string
		for _, c := range combinations {
			for _, v := range values {
				next = append(next, append(c[:len(c):len(c)], setting(item.Key, v)))
			}
		}
		if combinations = next; len(combinations) > MaxRuns {
			return nil, fmt.Errorf("over %d runs", MaxRuns)
		}
	}
	if s.Against == "" && len(varied) > 0 {
		s.Against = varied[0]
	}
	var out []Run
	for _, c := range combinations {
		for seed := range max(s.Seeds, 1) {
			r := Run{Index: len(out), Name: fmt.Sprintf("%s-%05d", name, len(out)), Scenario: name, YAML: text,
				Set: append(base[:len(base):len(base)], c...), Varied: varied, Against: s.Against, Measures: s.Measures}
			sc, err := r.Read()
			if err != nil {
				return nil, err
			}
			r.Seed = sc.Seed + uint64(seed)
			if out = append(out, r); len(out) > MaxRuns {
				return nil, fmt.Errorf("over %d runs", MaxRuns)
			}
		}
	}
	return out, nil
}

// setting is a key and a value as --set has them.
func setting(key, value any) string {
	b, err := yaml.MarshalWithOptions(value, yaml.Flow(true))
	if err != nil {
		return fmt.Sprintf("%v=%v", key, value)
	}
	return fmt.Sprintf("%v=%s", key, bytes.TrimSpace(b))
}

// load finds a scenario by its name or in a file.
func load(dir, name string) (_, text string, err error) {
	path := name
	if !filepath.IsAbs(path) {
		path = filepath.Join(dir, name)
	}
	if b, err := os.ReadFile(path); err == nil {
		base := filepath.Base(name)
		return base[:len(base)-len(filepath.Ext(base))], string(b), nil
	}
	b, err := scenarios.Text(name)
	if err != nil {
		return "", "", fmt.Errorf("no scenario %q: expected a file, or one of %v", name, scenarios.Names())
	}
	return name, string(b), nil
}

// Read reads the run's scenario with everything that the run sets.
func (r Run) Read() (*scenario.Scenario, error) {
	settings := r.Set
	if r.Seed != 0 {
		settings = append(settings[:len(settings):len(settings)], "seed="+strconv.FormatUint(r.Seed, 10))
	}
	return scenario.Parse(r.Scenario+".yaml", []byte(r.YAML), settings...)
}

// Write writes a plan.
func Write(w io.Writer, runs []Run) error {
	e := json.NewEncoder(w)
	for _, r := range runs {
		if err := e.Encode(r); err != nil {
			return err
		}
	}
	return nil
}

// ErrNoRun: the plan has no run of that index.
var ErrNoRun = errors.New("plan: no such run")

// At reads the run with an index from a plan.
//
// Errors: [ErrNoRun], and those of JSON.
func At(r io.Reader, index int) (Run, error) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxLine)
	n := 0
	for ; lines.Scan(); n++ {
		if n != index {
			continue
		}
		var run Run
		d := json.NewDecoder(bytes.NewReader(lines.Bytes()))
		d.DisallowUnknownFields()
		if err := d.Decode(&run); err != nil {
			return run, fmt.Errorf("plan, line %d: %w", n+1, err)
		}
		if run.Index != index || run.Name == "" || run.Name != filepath.Base(run.Name) {
			return run, fmt.Errorf("plan, line %d: not a run of index %d", n+1, index)
		}
		return run, nil
	}
	if err := lines.Err(); err != nil {
		return Run{}, fmt.Errorf("plan, line %d: %w", n+1, err)
	}
	return Run{}, fmt.Errorf("%w: index %d of %d runs, from 0", ErrNoRun, index, n)
}
