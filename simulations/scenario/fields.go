package scenario

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// Field is a key of a scenario, as the tags of [Scenario] describe it.
type Field struct {
	Path    string   // such as "churn.scale"; elements of a list as "events[].at"
	Kind    string   // "number", "whole number", "duration", "text", "true or false", "list", "map" or "section"
	Doc     string   // what it means
	Default string   // as it is written; empty for sections
	Enum    []string // the words that are allowed
	Min     string   // the least
	Max     string   // the most
}

// Expected says in words what a value must be.
func (f Field) Expected() string {
	switch {
	case len(f.Enum) > 0:
		return "one of " + strings.Join(f.Enum, ", ")
	case f.Max != "":
		return fmt.Sprintf("a %s from %s to %s", f.Kind, f.Min, f.Max)
	case f.Kind == "text" || f.Kind == "true or false":
		return f.Kind
	default:
		return "a " + f.Kind
	}
}

// Fields lists every key in the order in which the reference explains them.
func Fields() []Field {
	defaults := Default()
	return fieldsOf(reflect.ValueOf(defaults), "")
}

var (
	durationType  = reflect.TypeFor[Duration]()
	conditionType = reflect.TypeFor[Condition]()
)

func fieldsOf(v reflect.Value, prefix string) (out []Field) {
	t := v.Type()
	for i := range t.NumField() {
		sf := t.Field(i)
		key := sf.Tag.Get("yaml")
		if key == "-" {
			continue
		}
		f := Field{Path: prefix + key, Doc: sf.Tag.Get("doc"), Enum: strings.Fields(sf.Tag.Get("enum")),
			Min: sf.Tag.Get("min"), Max: sf.Tag.Get("max"), Kind: kindOf(sf.Type)}
		switch f.Kind {
		case "section":
			out = append(append(out, f), fieldsOf(v.Field(i), f.Path+".")...)
			continue
		case "list":
			if sf.Type.Elem().Kind() == reflect.Struct {
				out = append(append(out, f), fieldsOf(reflect.Zero(sf.Type.Elem()), f.Path+"[].")...)
				continue
			}
		case "map":
		default:
			f.Default = fmt.Sprint(v.Field(i).Interface())
		}
		out = append(out, f)
	}
	return out
}

func kindOf(t reflect.Type) string {
	switch {
	case t == durationType:
		return "duration"
	case t == conditionType:
		return "condition"
	}
	switch t.Kind() {
	case reflect.Struct:
		return "section"
	case reflect.Slice:
		return "list"
	case reflect.Map:
		return "map"
	case reflect.Float64:
		return "number"
	case reflect.Int, reflect.Uint64:
		return "whole number"
	case reflect.Bool:
		return "true or false"
	default:
		return "text"
	}
}

// bounds checks every value against its tags.
func bounds(s *Scenario) (out []Problem) { return boundsOf(reflect.ValueOf(*s), "") }

func boundsOf(v reflect.Value, prefix string) (out []Problem) {
	t := v.Type()
	for i := range t.NumField() {
		sf, fv := t.Field(i), v.Field(i)
		key := sf.Tag.Get("yaml")
		if key == "-" {
			continue
		}
		path := prefix + key
		f := Field{Kind: kindOf(sf.Type), Enum: strings.Fields(sf.Tag.Get("enum")), Min: sf.Tag.Get("min"), Max: sf.Tag.Get("max")}
		switch {
		case f.Kind == "section":
			out = append(out, boundsOf(fv, path+".")...)
		case f.Kind == "list" && sf.Type.Elem().Kind() == reflect.Struct:
			for j := range fv.Len() {
				out = append(out, boundsOf(fv.Index(j), path+"["+strconv.Itoa(j)+"].")...)
			}
		case !within(fv, f):
			out = append(out, Problem{Key: path, Got: fmt.Sprint(fv.Interface()), Expected: f.Expected()})
		}
	}
	return out
}

// within says whether a value obeys its tags.
func within(v reflect.Value, f Field) bool {
	if len(f.Enum) > 0 {
		return slices.Contains(f.Enum, v.String())
	}
	if f.Max == "" {
		return true
	}
	var x float64
	switch v.Kind() {
	case reflect.Float64:
		x = v.Float()
	case reflect.Int, reflect.Int64:
		x = float64(v.Int())
	}
	return x >= bound(f.Min, f.Kind) && x <= bound(f.Max, f.Kind)
}

// bound reads a tag; the tests read them all.
func bound(tag, kind string) float64 {
	if kind == "duration" {
		d, err := ParseDuration(tag)
		if err != nil {
			panic(err)
		}
		return float64(d)
	}
	x, err := strconv.ParseFloat(tag, 64)
	if err != nil {
		panic(err)
	}
	return x
}
