package scenario

import (
	"encoding"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// decoder moves what was parsed into a Scenario, and notes where each value was written.
type decoder struct {
	file     string
	lines    map[string]int // key → line; below zero: the setting -line-1
	settings []string       // told with problems as files are
	setting  bool           // the last of settings is being applied
	problems Problems
}

func root(s *Scenario) reflect.Value { return reflect.ValueOf(s).Elem() }

func (d *decoder) wrong(n ast.Node, key, got, expected string) {
	p := &Problem{File: d.file, Key: key, Got: got, Expected: expected}
	if d.setting {
		p.File = d.settings[len(d.settings)-1]
	} else {
		p.Line = n.GetToken().Position.Line
	}
	d.problems = append(d.problems, p)
}

func (d *decoder) note(n ast.Node, key string) {
	if d.setting {
		d.lines[key] = -len(d.settings)
	} else {
		d.lines[key] = n.GetToken().Position.Line
	}
}

// section fills a struct from a mapping.
func (d *decoder) section(v reflect.Value, n ast.Node, prefix string) {
	for _, pair := range d.pairs(n, strings.TrimSuffix(prefix, "."), "keys with values") {
		key := pair.Key.GetToken().Value
		sf, ok := fieldOf(v.Type(), key)
		if !ok {
			d.wrong(pair.Key, prefix+key, "unknown", "one of "+strings.Join(keysOf(v.Type()), ", "))
			continue
		}
		d.note(pair.Key, prefix+key)
		d.value(v.FieldByIndex(sf.Index), pair.Value, prefix+key, sf)
	}
}

// pairs are a mapping's; anything else is a problem.
func (d *decoder) pairs(n ast.Node, key, expected string) []*ast.MappingValueNode {
	switch m := n.(type) {
	case *ast.MappingNode:
		return m.Values
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{m}
	}
	d.wrong(n, key, describe(n), expected)
	return nil
}

// value fills a field.
func (d *decoder) value(v reflect.Value, n ast.Node, key string, sf reflect.StructField) {
	switch kind := kindOf(v.Type()); kind {
	case "section":
		d.section(v, n, key+".")
	case "map":
		v.Set(reflect.MakeMap(v.Type()))
		for _, pair := range d.pairs(n, key, "measures with conditions") {
			name, c := pair.Key.GetToken().Value, reflect.New(v.Type().Elem()).Elem()
			d.note(pair.Key, key+"."+name)
			d.value(c, pair.Value, key+"."+name, reflect.StructField{Type: c.Type()})
			v.SetMapIndex(reflect.ValueOf(name), c)
		}
	case "list":
		list, ok := n.(*ast.SequenceNode)
		if !ok {
			d.wrong(n, key, describe(n), "a list")
			return
		}
		if v.SetZero(); len(list.Values) > 0 {
			v.Set(reflect.MakeSlice(v.Type(), len(list.Values), len(list.Values)))
		}
		for i, item := range list.Values {
			at := key + "[" + strconv.Itoa(i) + "]"
			d.note(item, at)
			d.value(v.Index(i), item, at, reflect.StructField{Type: v.Type().Elem()})
		}
	default:
		scalar, ok := n.(ast.ScalarNode)
		if !ok || !assign(v, fmt.Sprint(scalar.GetValue()), n.GetToken().Value) {
			f := Field{Kind: kind, Enum: strings.Fields(sf.Tag.Get("enum")), Min: sf.Tag.Get("min"), Max: sf.Tag.Get("max")}
			d.wrong(n, key, describe(n), expectedOf(v, f))
		}
	}
}

func expectedOf(v reflect.Value, f Field) string {
	if f.Kind == "condition" {
		return "a condition such as \">= 0.999\", or a number"
	}
	if f.Kind == "duration" && f.Max == "" {
		return "a duration such as 90s, 10m, 3.7h or 2d"
	}
	return f.Expected()
}

// assign reads a scalar into v, and says whether that went.
func assign(v reflect.Value, value, written string) bool {
	if u, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		return u.UnmarshalText([]byte(value)) == nil
	}
	var err error
	switch v.Kind() {
	case reflect.Float64:
		var x float64
		x, err = strconv.ParseFloat(value, 64)
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return false
		}
		v.SetFloat(x)
	case reflect.Int:
		var x int
		x, err = strconv.Atoi(value)
		v.SetInt(int64(x))
	case reflect.Uint64:
		var x uint64
		x, err = strconv.ParseUint(value, 10, 64)
		v.SetUint(x)
	case reflect.Bool:
		var x bool
		x, err = strconv.ParseBool(value)
		v.SetBool(x)
	default:
		v.SetString(written)
	}
	return err == nil
}

func describe(n ast.Node) string {
	switch n.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
		return "a section"
	case *ast.SequenceNode:
		return "a list"
	case *ast.NullNode:
		return "empty"
	}
	return n.GetToken().Value
}

func fieldOf(t reflect.Type, key string) (reflect.StructField, bool) {
	for i := range t.NumField() {
		if sf := t.Field(i); key != "-" && sf.Tag.Get("yaml") == key {
			return sf, true
		}
	}
	return reflect.StructField{}, false
}

func keysOf(t reflect.Type) (keys []string) {
	for i := range t.NumField() {
		if key := t.Field(i).Tag.Get("yaml"); key != "-" {
			keys = append(keys, key)
		}
	}
	return keys
}

// set applies KEY=VALUE, where the value is written as in the file: "churn.scale=2h",
// "events=[{at: 5m, kill: 0.3}]", "events[0].kill=0.1".
func (d *decoder) set(s *Scenario, setting string) {
	d.settings = append(d.settings, "--set "+setting)
	d.setting = true
	defer func() { d.setting = false }()
	file := d.settings[len(d.settings)-1]
	key, text, ok := strings.Cut(setting, "=")
	if !ok || key == "" {
		d.problems = append(d.problems, &Problem{File: file, Expected: "KEY=VALUE, such as churn.scale=2h"})
		return
	}
	if strings.HasPrefix(key, "assert.") && strings.ContainsAny(text[:min(1, len(text))], "<=>") {
		text = strconv.Quote(text) // unquoted, ">" has a meaning of its own in YAML
	}
	tree, err := parser.ParseBytes([]byte(text), 0)
	if err != nil || len(tree.Docs) != 1 || tree.Docs[0].Body == nil {
		d.problems = append(d.problems, &Problem{File: file, Key: key, Expected: "a value in YAML"})
		return
	}
	v, sf, expected := find(root(s), key)
	if expected != "" {
		d.problems = append(d.problems, &Problem{File: file, Key: key, Got: "unknown", Expected: expected})
		return
	}
	if v.Kind() == reflect.Invalid { // a measure
		if s.Assert == nil {
			s.Assert = map[string]Condition{}
		}
		name := strings.TrimPrefix(key, "assert.")
		c := reflect.New(reflect.TypeFor[Condition]()).Elem()
		d.value(c, tree.Docs[0].Body, key, reflect.StructField{})
		s.Assert[name] = c.Interface().(Condition)
		return
	}
	d.lines[key] = -len(d.settings)
	d.value(v, tree.Docs[0].Body, key, sf)
}

// find follows a key to its field. Expected says, where it fails, what there is; the
// value is invalid for a measure of "assert", which is no field.
func find(v reflect.Value, key string) (_ reflect.Value, sf reflect.StructField, expected string) {
	for rest, more := key, true; more; {
		var part string
		part, rest, more = strings.Cut(rest, ".")
		name, index, indexed := strings.Cut(part, "[")
		if v.Kind() != reflect.Struct {
			return v, sf, "a key that has keys below it"
		}
		var ok bool
		if sf, ok = fieldOf(v.Type(), name); !ok {
			return v, sf, "one of " + strings.Join(keysOf(v.Type()), ", ")
		}
		v = v.FieldByIndex(sf.Index)
		if kindOf(v.Type()) == "map" && more {
			return reflect.Value{}, sf, ""
		}
		if indexed {
			i, err := strconv.Atoi(strings.TrimSuffix(index, "]"))
			if err != nil || v.Kind() != reflect.Slice || i < 0 || i >= v.Len() {
				return v, sf, "a place in a list that is there"
			}
			v = v.Index(i)
		}
	}
	return v, sf, ""
}
