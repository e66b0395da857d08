package scenario

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"

	"github.com/google/jsonschema-go/jsonschema"
)

// SchemaID names the schema of scenarios of this version.
const SchemaID = "urn:communicator:scenario:1"

// Patterns of values that are text in JSON.
const (
	durationPattern  = `^([0-9]+(\.[0-9]*)?(ns|us|µs|ms|s|m|h))+$|^[0-9]+(\.[0-9]*)?d$|^0$`
	conditionPattern = `^\s*(>=|<=|==|>|<)?\s*[-+]?[0-9]+(\.[0-9]*)?([eE][-+]?[0-9]+)?\s*$`
)

// Schema is the JSON Schema (draft 2020-12) of scenarios, for editors and other programs.
// Bounds of durations and what contradicts what are checked by [Parse] alone.
func Schema() *jsonschema.Schema {
	s := schemaOf(reflect.ValueOf(Default()))
	s.ID, s.Schema = SchemaID, "https://json-schema.org/draft/2020-12/schema"
	s.Title = "Scenario of a simulation"
	return s
}

func schemaOf(v reflect.Value) *jsonschema.Schema {
	out := &jsonschema.Schema{Type: "object", Properties: map[string]*jsonschema.Schema{},
		AdditionalProperties: &jsonschema.Schema{Not: &jsonschema.Schema{}}}
	t := v.Type()
	for i := range t.NumField() {
		key := t.Field(i).Tag.Get("yaml")
		if key == "-" {
			continue
		}
		out.Properties[key] = propertyOf(t.Field(i), v.Field(i))
		out.PropertyOrder = append(out.PropertyOrder, key)
	}
	return out
}

func propertyOf(sf reflect.StructField, v reflect.Value) *jsonschema.Schema {
	var p *jsonschema.Schema
	switch kind := kindOf(sf.Type); kind {
	case "section":
		p = schemaOf(v)
	case "map":
		p = &jsonschema.Schema{Type: "object", AdditionalProperties: &jsonschema.Schema{
			Types: []string{"string", "number"}, Pattern: conditionPattern}}
	case "list":
		p = &jsonschema.Schema{Type: "array", Items: &jsonschema.Schema{Type: "string"}}
		if sf.Type.Elem().Kind() == reflect.Struct {
			p.Items = schemaOf(reflect.Zero(sf.Type.Elem()))
		}
	default:
		p = scalarOf(kind, sf.Tag)
		p.Default, _ = json.Marshal(v.Interface())
	}
	p.Description = sf.Tag.Get("doc")
	return p
}

func scalarOf(kind string, tag reflect.StructTag) *jsonschema.Schema {
	p := &jsonschema.Schema{Type: "string"}
	switch kind {
	case "number":
		p.Type = "number"
	case "whole number":
		p.Type = "integer"
	case "true or false":
		p.Type = "boolean"
	case "duration":
		p.Pattern = durationPattern
		return p
	}
	for _, word := range strings.Fields(tag.Get("enum")) {
		p.Enum = append(p.Enum, word)
	}
	if tag.Get("max") != "" {
		low, high := bound(tag.Get("min"), kind), bound(tag.Get("max"), kind)
		p.Minimum, p.Maximum = &low, &high
	}
	return p
}

// SchemaJSON is [Schema] as the file that is published.
func SchemaJSON() ([]byte, error) {
	b, err := json.MarshalIndent(Schema(), "", "  ")
	return append(b, '\n'), err
}

// Reference is every key as a table in Markdown.
func Reference() []byte {
	var b bytes.Buffer
	b.WriteString("| key | value | default | meaning |\n| --- | --- | --- | --- |\n")
	for _, f := range Fields() {
		value, standard := f.Expected(), f.Default
		if f.Kind == "section" || f.Kind == "map" || f.Kind == "list" {
			value = f.Kind
		}
		if standard != "" {
			standard = "`" + standard + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", f.Path, value, standard, f.Doc)
	}
	return b.Bytes()
}
