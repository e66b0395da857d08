package report

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"

	"communicator/simulations/scenario"
)

// setting is a key of a resolved scenario, and its value as it is written.
type setting struct{ key, value string }

// settings lists a resolved scenario's keys in their order; events as "events[0].kill".
// What is not YAML has none.
func settings(text string) (out []setting) {
	var all yaml.MapSlice
	if err := yaml.UnmarshalWithOptions([]byte(text), &all, yaml.UseOrderedMap()); err != nil {
		return nil
	}
	return flatten(out, "", all)
}

func flatten(out []setting, prefix string, v any) []setting {
	switch v := v.(type) {
	case yaml.MapSlice:
		for _, item := range v {
			key := fmt.Sprint(item.Key)
			if prefix != "" {
				key = prefix + "." + key
			}
			out = flatten(out, key, item.Value)
		}
		return out
	case []any:
		for i, item := range v {
			out = flatten(out, prefix+"["+strconv.Itoa(i)+"]", item)
		}
		return out
	case nil:
		return out
	default:
		return append(out, setting{prefix, fmt.Sprint(v)})
	}
}

// seedKey is the key whose values are repetitions and not questions.
const seedKey = "seed"

// valueOf is the value of a key; empty where a scenario does not have it.
func valueOf(all []setting, key string) string {
	for _, s := range all {
		if s.key == key {
			return s.value
		}
	}
	return ""
}

// varied lists the keys whose values are not the same in all scenarios, but the seed.
func varied(all [][]setting) (keys []string) {
	for _, one := range all {
		for _, s := range one {
			if s.key == seedKey || slices.Contains(keys, s.key) {
				continue
			}
			if slices.ContainsFunc(all, func(other []setting) bool { return valueOf(other, s.key) != s.value }) {
				keys = append(keys, s.key)
			}
		}
	}
	return keys
}

// quantity reads a value as a number; a length of time in seconds.
func quantity(value string) (v float64, time, ok bool) {
	if v, err := strconv.ParseFloat(value, 64); err == nil {
		return v, false, drawable(v)
	}
	d, err := scenario.ParseDuration(strings.TrimSpace(value))
	return d.D().Seconds(), true, err == nil
}
