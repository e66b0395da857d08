package scenario

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// MaxFile bounds a scenario's file, in bytes.
const MaxFile = 1 << 20

// Read reads a scenario's file and applies the settings ("KEY=VALUE") to it.
//
// Errors: [Problems], and those of reading the file.
func Read(path string, settings ...string) (*Scenario, error) {
	f, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if f.Size() > MaxFile {
		return nil, fmt.Errorf("%s: %d bytes are too many for a scenario", path, f.Size())
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	s, err := Parse(path, b, settings...)
	if err != nil {
		return nil, err
	}
	if s.Latency.Matrix != "" && !filepath.IsAbs(s.Latency.Matrix) {
		s.Latency.Matrix = filepath.Join(filepath.Dir(path), s.Latency.Matrix)
	}
	return s, nil
}

// Parse reads a scenario and applies the settings. File is what problems are told with.
//
// Errors: [Problems].
func Parse(file string, b []byte, settings ...string) (*Scenario, error) {
	s := Default()
	s.Name = strings.TrimSuffix(filepath.Base(file), filepath.Ext(file))
	s.About = about(string(b))
	tree, err := parser.ParseBytes(b, 0)
	if err != nil {
		return nil, Problems{syntax(file, err)}
	}
	d := &decoder{file: file, lines: map[string]int{}}
	if len(tree.Docs) > 1 {
		return nil, Problems{{File: file, Expected: "one document"}}
	}
	for _, doc := range tree.Docs {
		if doc.Body != nil && doc.Body.Type() != ast.NullType && doc.Body.Type() != ast.CommentType {
			d.section(root(&s), doc.Body, "")
		}
	}
	for _, setting := range settings {
		d.set(&s, setting)
	}
	if len(d.problems) > 0 {
		return nil, d.problems
	}
	for _, p := range append(bounds(&s), s.check()...) {
		d.place(&p)
		d.problems = append(d.problems, &p)
	}
	if len(d.problems) > 0 {
		return nil, d.problems
	}
	return &s, nil
}

// about is the file's first comment, as running text.
func about(s string) string {
	var lines []string
	for line := range strings.Lines(s) {
		text, ok := strings.CutPrefix(strings.TrimSpace(line), "#")
		if !ok {
			break
		}
		lines = append(lines, strings.TrimSpace(text))
	}
	return strings.TrimSpace(strings.Join(lines, " "))
}

// syntax is a mistake that the YAML parser found.
func syntax(file string, err error) *Problem {
	p := &Problem{File: file, Expected: "YAML: " + err.Error()}
	if e, ok := errors.AsType[yaml.Error](err); ok {
		p.Expected = "YAML: " + e.GetMessage()
		if t := e.GetToken(); t != nil {
			p.Line = t.Position.Line
		}
	}
	return p
}

// place finds where the value that a problem is about was written: by a setting, at its
// line, or at that of the section around it.
func (d *decoder) place(p *Problem) {
	p.File = d.file
	for key := p.Key; ; {
		if line, ok := d.lines[key]; ok {
			if line < 0 {
				p.File, p.Line = d.settings[-line-1], 0
			} else {
				p.Line = line
			}
			return
		}
		i := strings.LastIndexAny(key, ".[")
		if i < 0 {
			return
		}
		key = key[:i]
	}
}
