package scenario

import (
	"fmt"
	"strings"
)

// Problem is a mistake in a scenario.
type Problem struct {
	File     string // or "--set KEY=VALUE"
	Line     int    // 0 where the key was not written
	Key      string // such as "churn.scale"
	Got      string
	Expected string
}

// Error names the place, the key, what is there and what was expected.
func (p *Problem) Error() string {
	var b strings.Builder
	b.WriteString(p.File)
	if p.Line > 0 {
		fmt.Fprintf(&b, ":%d", p.Line)
	}
	if p.Key != "" {
		fmt.Fprintf(&b, ": %s", p.Key)
	}
	if p.Got != "" {
		fmt.Fprintf(&b, " is %s", p.Got)
	}
	fmt.Fprintf(&b, ": expected %s", p.Expected)
	return strings.TrimPrefix(b.String(), ": ")
}

// Problems are all the mistakes that were found, in the order of the file.
type Problems []*Problem

// Error has a line for each.
func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, one := range p {
		lines[i] = one.Error()
	}
	return strings.Join(lines, "\n")
}
