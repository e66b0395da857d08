package report

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"testing"

	"github.com/parquet-go/parquet-go"

	"communicator/simulations/measure"
)

func TestRunReadsBack(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "run")
	want := sample(7, 1)
	want.Outcome.Stopped, want.Outcome.Broken = "out of time", []string{"a message was shown twice"}
	want.Results.Scalars["bad"], want.Results.Scalars["worse"] = math.Inf(1), math.Inf(-1)
	if Done(dir) {
		t.Error("a folder that is not there is done")
	}
	if err := Write(dir, want); err != nil {
		t.Fatal(err)
	}
	got, err := Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := ReadFigures(dir, &got); err != nil {
		t.Fatal(err)
	}
	if got.Go == "" || !Done(dir) {
		t.Error("no version of the language, or not done")
	}
	want.Go = got.Go
	same(t, want.Results.Scalars, got.Results.Scalars)
	if len(got.Results.Figures) != len(want.Results.Figures) {
		t.Fatalf("%d figures", len(got.Results.Figures))
	}
	for i, f := range want.Results.Figures {
		g := got.Results.Figures[i]
		if len(f.Lines) != len(g.Lines) || !reflect.DeepEqual(f.Marks, g.Marks) || f.Caption != g.Caption || f.LogX != g.LogX {
			t.Errorf("figure %s became %s", f.ID, g.ID)
			continue
		}
		for j, l := range f.Lines {
			s := seriesOf(&l, 0)
			if !reflect.DeepEqual(s.x, g.Lines[j].X) && len(s.x) > 0 || !reflect.DeepEqual(l.Y, g.Lines[j].Y) || f.ID == "bytes" && !reflect.DeepEqual(l.Labels, g.Lines[j].Labels) {
				t.Errorf("line %s of figure %s changed", l.Name, f.ID)
			}
		}
	}
	want.Results, got.Results = nil, nil
	same(t, want, got)
}

func TestNotANumberReadsBack(t *testing.T) {
	dir := t.TempDir()
	r := Run{Results: &measure.Results{Scalars: map[string]float64{"x": math.NaN()}}}
	if err := Write(dir, r); err != nil {
		t.Fatal(err)
	}
	got, err := Read(dir)
	if v, ok := got.Results.Scalars["x"]; err != nil || !ok || !math.IsNaN(v) {
		t.Errorf("%v, %v, %v", v, ok, err)
	}
}

func same(t *testing.T, want, got any) {
	t.Helper()
	if !reflect.DeepEqual(want, got) {
		t.Errorf("\nwant %+v\ngot  %+v", want, got)
	}
}

// TestParquetIsTheCSV reads both back and finds the rows that were given.
func TestParquetIsTheCSV(t *testing.T) {
	dir, run := t.TempDir(), sample(7, 1)
	if err := Write(dir, run); err != nil {
		t.Fatal(err)
	}
	rows, err := parquet.ReadFile[struct {
		Agent  int64   `parquet:"agent"`
		Region string  `parquet:"region"`
		Stable bool    `parquet:"stable"`
		Puts   int64   `parquet:"puts"`
		UpS    float64 `parquet:"up_s"`
	}](filepath.Join(dir, "agents.parquet"))
	if err != nil || len(rows) != len(run.Results.Agents) {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	for i, a := range run.Results.Agents {
		if r := rows[i]; r.Agent != int64(a.Agent) || r.Region != a.Region || r.Stable != a.Stable || r.Puts != a.Puts || r.UpS != a.UpS {
			t.Errorf("agent %d: %+v", i, r)
		}
	}
	for _, name := range []string{"metrics", "agents", "minutes"} {
		compareTables(t, filepath.Join(dir, name))
	}
}

func compareTables(t *testing.T, path string) {
	t.Helper()
	text, err := os.ReadFile(path + ".csv")
	if err != nil {
		t.Fatal(err)
	}
	records, err := csv.NewReader(bytes.NewReader(text)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path + ".parquet")
	if err != nil {
		t.Fatal(err)
	}
	f, err := parquet.OpenFile(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	columns := f.Schema().Columns()
	rows := make([]parquet.Row, len(records))
	n, _ := parquet.NewReader(f).ReadRows(rows)
	if n != len(records)-1 || n == 0 || len(columns) != len(records[0]) {
		t.Fatalf("%s: %d rows and %d columns in Parquet, %d and %d in CSV", path, n, len(columns), len(records)-1, len(records[0]))
	}
	for i, name := range records[0] {
		if columns[i][0] != name {
			t.Errorf("%s: column %d is %s and %s", path, i, columns[i][0], name)
		}
		for j, row := range rows[:n] {
			cell := row[i].String()
			if row[i].Kind() == parquet.Double {
				cell = strconv.FormatFloat(row[i].Double(), 'g', -1, 64)
			}
			if cell != records[j+1][i] {
				t.Errorf("%s, %s of row %d: %s and %s", path, name, j, cell, records[j+1][i])
			}
		}
	}
}

// TestInterrupted: what was there stays until all of the new is, and a file that could not
// be finished leaves nothing.
func TestInterrupted(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	if err := replace(path, func(w io.Writer) error { _, err := w.Write([]byte("old")); return err }); err != nil {
		t.Fatal(err)
	}
	broken := errors.New("no space")
	if err := replace(path, func(w io.Writer) error { w.Write(make([]byte, 1<<20)); return broken }); !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
	b, _ := os.ReadFile(path)
	entries, _ := os.ReadDir(dir)
	if string(b) != "old" || len(entries) != 1 {
		t.Errorf("%q among %d files", b, len(entries))
	}
}

// TestRunComesLast: a folder whose page could not be written is not done.
func TestRunComesLast(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, reportName, "in the way"), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := Write(dir, sample(7, 1)); err == nil || Done(dir) {
		t.Errorf("%v, done %v", err, Done(dir))
	}
}

func TestReadRefuses(t *testing.T) {
	for name, text := range map[string]string{"empty": "", "no run": `{"format": "x"}`, "hash": `{"format": 1, "trace_hash": "zz"}`, "cut": `{"format": 1, "name": "a`} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, runName), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Read(dir); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, runName), []byte(`{"format": 2}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(dir); !errors.Is(err, ErrFormat) {
		t.Errorf("%v", err)
	}
}

// TestRunOfAPlanReadsBack with what it is one of many for.
func TestRunOfAPlanReadsBack(t *testing.T) {
	dir, r := t.TempDir(), sample(1, 1)
	r.Plan = Plan{Keys: []string{"churn.scale"}, Against: "churn.scale", Measures: []string{"lost"}}
	r.Names = []measure.Name{{Name: "leak_x", Unit: "bits", Doc: "what leaks"}}
	if err := Write(dir, r); err != nil {
		t.Fatal(err)
	}
	got, err := Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	same(t, r.Plan, got.Plan)
	same(t, r.Names, got.Names)
}
