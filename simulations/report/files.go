package report

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strconv"

	"communicator/internal/durable"
	"communicator/simulations/measure"
)

// Write keeps a run in dir, which it makes. Until it returns nil, dir has no run.json, or
// that of an earlier run; every file that has its name is whole.
//
// Errors: those of the file system.
func Write(dir string, run Run) error {
	if run.Results == nil {
		run.Results = &measure.Results{}
	}
	if run.Go == "" {
		run.Go = runtime.Version()
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	metrics, agents, minutes := metricsTable(&run), tableOf(run.Results.Agents), tableOf(run.Results.Minutes)
	figures := figuresTable(run.Results.Figures)
	for _, f := range []struct {
		name string
		fill func(io.Writer) error
	}{
		{"metrics.csv", metrics.writeCSV}, {"metrics.parquet", metrics.writeParquet},
		{"agents.csv", agents.writeCSV}, {"agents.parquet", agents.writeParquet},
		{"minutes.csv", minutes.writeCSV}, {"minutes.parquet", minutes.writeParquet},
		{figuresName, figures.writeCSV},
		{reportName, func(w io.Writer) error { return writePage(w, &run) }},
		{runName, func(w io.Writer) error { return writeJSON(w, run.file()) }},
	} {
		if err := replace(filepath.Join(dir, f.name), f.fill); err != nil {
			return err
		}
	}
	return durable.SyncDir(dir)
}

// replace gives a file new content: all of it or none, after a crash too.
func replace(path string, fill func(io.Writer) error) error {
	fresh := filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+".tmp")
	f, err := os.OpenFile(fresh, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o666)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(f, 1<<16)
	if err = fill(w); err == nil {
		err = w.Flush()
	}
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(fresh, path)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", path, errors.Join(err, os.Remove(fresh)))
	}
	return nil
}

func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// metricsTable has a row for each measure.
func metricsTable(run *Run) table {
	known := glossaryOf(run)
	names := ordered(known, run.Results.Scalars)
	return table{rows: len(names),
		columns: []column{{"name", textType}, {"value", numberType}, {"unit", textType}, {"meaning", textType}},
		cell: func(row, column int) any {
			switch about := known.describe(names[row]); column {
			case 0:
				return names[row]
			case 1:
				return run.Results.Scalars[names[row]]
			case 2:
				return about.Unit
			default:
				return about.Doc
			}
		}}
}

// figuresTable has a row for each point.
func figuresTable(figures []measure.Figure) table {
	type place struct{ figure, line, point int }
	var places []place
	for f := range figures {
		for l := range figures[f].Lines {
			for p := range figures[f].Lines[l].Y {
				places = append(places, place{f, l, p})
			}
		}
	}
	return table{rows: len(places),
		columns: []column{{"figure", textType}, {"line", wholeType}, {"name", textType}, {"x", numberType}, {"y", numberType}, {"label", textType}},
		cell: func(row, column int) any {
			at := places[row]
			line := &figures[at.figure].Lines[at.line]
			switch column {
			case 0:
				return figures[at.figure].ID
			case 1:
				return int64(at.line)
			case 2:
				return line.Name
			case 3:
				return pointX(line, at.point)
			case 4:
				return line.Y[at.point]
			default:
				return label(line, at.point)
			}
		}}
}

// pointX is where a point is; bars with labels alone stand one beside the other.
func pointX(l *measure.Line, i int) float64 {
	if i < len(l.X) {
		return l.X[i]
	}
	return float64(i)
}

// label names a bar; empty where it has no name.
func label(l *measure.Line, i int) string {
	if i < len(l.Labels) {
		return l.Labels[i]
	}
	return ""
}

// ReadFigures adds the points to a run's figures, which [Read] made.
//
// Errors: those of the file system, and of a figures.csv that does not belong to the run.
func ReadFigures(dir string, run *Run) error {
	path := filepath.Join(dir, figuresName)
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	in := csv.NewReader(bufio.NewReader(f))
	in.FieldsPerRecord, in.ReuseRecord = 6, true
	if _, err := in.Read(); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	byID := map[string]*measure.Figure{}
	for i := range run.Results.Figures {
		byID[run.Results.Figures[i].ID] = &run.Results.Figures[i]
	}
	for {
		record, err := in.Read()
		if err == io.EOF {
			return nil
		}
		if err == nil {
			err = addPoint(byID[record[0]], record)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
}

func addPoint(f *measure.Figure, record []string) error {
	at, err := strconv.Atoi(record[1])
	if err != nil || f == nil || at < 0 || at >= len(f.Lines) {
		return fmt.Errorf("figure %.40q has no line %.40q", record[0], record[1])
	}
	x, err := strconv.ParseFloat(record[3], 64)
	if err != nil {
		return err
	}
	y, err := strconv.ParseFloat(record[4], 64)
	if err != nil {
		return err
	}
	l := &f.Lines[at]
	l.X, l.Y = append(l.X, x), append(l.Y, y)
	if f.Kind == measure.Bars {
		l.Labels = append(l.Labels, record[5])
	}
	return nil
}
