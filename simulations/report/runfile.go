package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"communicator/simulations/measure"
	"communicator/simulations/scenario"
	"communicator/simulations/trace"
)

// Names of a run's files.
const (
	runName     = "run.json"
	reportName  = "report.html"
	figuresName = "figures.csv"
)

// runFormat is the version of run.json.
const runFormat = 1

// ErrFormat is a run.json of another version than this program writes.
var ErrFormat = errors.New("run.json is of another version")

// runFile is run.json.
type runFile struct {
	Format       int               `json:"format"`
	Name         string            `json:"name"`
	About        string            `json:"about"`
	Command      string            `json:"command"`
	Version      string            `json:"version"`
	Go           string            `json:"go"`
	Tier         string            `json:"tier"`
	Seed         uint64            `json:"seed"`
	TraceHash    Hash              `json:"trace_hash"`
	ScenarioHash Hash              `json:"scenario_hash"`
	WallS        float64           `json:"wall_s"`
	Outcome      outcomeFile       `json:"outcome"`
	Assertions   []assertionFile   `json:"assertions"`
	Measures     map[string]number `json:"measures"`
	Figures      []figureFile      `json:"figures"`
	Meanings     []meaningFile     `json:"meanings,omitempty"`
	Plan         *Plan             `json:"plan,omitempty"`
	Scenario     string            `json:"scenario"`
}

// meaningFile explains a measure that is not among those of every run.
type meaningFile struct {
	Name string `json:"name"`
	Unit string `json:"unit"`
	Doc  string `json:"doc"`
}

type outcomeFile struct {
	VirtualS float64           `json:"virtual_s"`
	Stopped  string            `json:"stopped,omitempty"`
	Broken   []string          `json:"broken,omitempty"`
	Extra    map[string]number `json:"extra,omitempty"`
}

type assertionFile struct {
	Measure   string             `json:"measure"`
	Condition scenario.Condition `json:"condition"`
	Measured  bool               `json:"measured"`
	Value     number             `json:"value"`
	Held      bool               `json:"held"`
}

// figureFile is a figure without its points, which are in figures.csv.
type figureFile struct {
	ID      string         `json:"id"`
	Title   string         `json:"title"`
	Caption string         `json:"caption"`
	X       string         `json:"x"`
	Y       string         `json:"y"`
	LogX    bool           `json:"log_x,omitempty"`
	LogY    bool           `json:"log_y,omitempty"`
	Kind    string         `json:"kind"`
	Lines   []string       `json:"lines"`
	Marks   []measure.Mark `json:"marks,omitempty"`
}

func (r *Run) file() runFile {
	f := runFile{Format: runFormat, Name: r.Name, About: r.About, Command: r.Command, Version: r.Version, Go: r.Go,
		Tier: r.Tier, Seed: r.Seed, TraceHash: r.TraceHash, ScenarioHash: r.ScenarioHash(), WallS: r.Wall.Seconds(),
		Outcome: outcomeFile{VirtualS: r.Outcome.Virtual.Seconds(), Stopped: r.Outcome.Stopped,
			Broken: r.Outcome.Broken, Extra: numbers(r.Outcome.Extra)},
		Assertions: []assertionFile{}, Figures: []figureFile{},
		Measures: numbers(r.Results.Scalars), Scenario: r.Scenario}
	for _, a := range r.Assertions {
		f.Assertions = append(f.Assertions, assertionFile{a.Measure, a.Condition, a.Measured, number(a.Value), a.Held})
	}
	for _, n := range r.Names {
		f.Meanings = append(f.Meanings, meaningFile(n))
	}
	if len(r.Plan.Keys) > 0 {
		f.Plan = &r.Plan
	}
	for _, g := range r.Results.Figures {
		one := figureFile{ID: g.ID, Title: g.Title, Caption: g.Caption, X: g.X, Y: g.Y, LogX: g.LogX, LogY: g.LogY,
			Kind: g.Kind, Lines: []string{}}
		for _, l := range g.Lines {
			one.Lines = append(one.Lines, l.Name)
		}
		for _, m := range g.Marks {
			if drawable(m.X) {
				one.Marks = append(one.Marks, m)
			}
		}
		f.Figures = append(f.Figures, one)
	}
	return f
}

func (f *runFile) run() Run {
	r := Run{Name: f.Name, About: f.About, Scenario: f.Scenario, Command: f.Command, Version: f.Version, Go: f.Go,
		Tier: f.Tier, Seed: f.Seed, TraceHash: f.TraceHash, Wall: seconds(f.WallS),
		Outcome: trace.Outcome{Virtual: seconds(f.Outcome.VirtualS), Stopped: f.Outcome.Stopped,
			Broken: f.Outcome.Broken, Extra: floats(f.Outcome.Extra)},
		Results: &measure.Results{Scalars: floats(f.Measures)}}
	if r.Results.Scalars == nil {
		r.Results.Scalars = map[string]float64{}
	}
	for _, a := range f.Assertions {
		r.Assertions = append(r.Assertions, Assertion{a.Measure, a.Condition, a.Measured, float64(a.Value), a.Held})
	}
	for _, n := range f.Meanings {
		r.Names = append(r.Names, measure.Name(n))
	}
	if f.Plan != nil {
		r.Plan = *f.Plan
	}
	for _, g := range f.Figures {
		one := measure.Figure{ID: g.ID, Title: g.Title, Caption: g.Caption, X: g.X, Y: g.Y, LogX: g.LogX, LogY: g.LogY,
			Kind: g.Kind, Marks: g.Marks}
		for _, name := range g.Lines {
			one.Lines = append(one.Lines, measure.Line{Name: name})
		}
		r.Results.Figures = append(r.Results.Figures, one)
	}
	return r
}

func seconds(s float64) time.Duration { return time.Duration(s*1e9 + 0.5) }

func numbers(m map[string]float64) map[string]number {
	out := make(map[string]number, len(m))
	for k, v := range m {
		out[k] = number(v)
	}
	return out
}

func floats(m map[string]number) map[string]float64 {
	if len(m) == 0 {
		return nil
	}
	out := make(map[string]float64, len(m))
	for k, v := range m {
		out[k] = float64(v)
	}
	return out
}

// Done says whether dir holds a complete run.
func Done(dir string) bool {
	_, err := Read(dir)
	return err == nil
}

// Read reads what a run was and measured: everything of run.json. Its figures have no
// points; [ReadFigures] adds them.
//
// Errors: [ErrFormat], those of the file system, and of JSON that is not a run.
func Read(dir string) (Run, error) {
	path := filepath.Join(dir, runName)
	b, err := readBounded(path)
	if err != nil {
		return Run{}, err
	}
	d := json.NewDecoder(bytes.NewReader(b))
	var f runFile
	if err := d.Decode(&f); err != nil {
		return Run{}, fmt.Errorf("%s: %w", path, err)
	}
	if f.Format != runFormat {
		return Run{}, fmt.Errorf("%s: %w: %d instead of %d", path, ErrFormat, f.Format, runFormat)
	}
	return f.run(), nil
}

func readBounded(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxRunFile+1))
	if err == nil && len(b) > maxRunFile {
		err = fmt.Errorf("%s: over %d bytes are too many for a run", path, maxRunFile)
	}
	return b, err
}
