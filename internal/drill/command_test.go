package drill

import (
	"os/exec"
	"strings"
	"testing"
)

// command runs a program to its end and returns what it printed.
func command(t testing.TB, name string, args ...string) (string, error) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput()
	return string(out), err
}

// must runs a program that has to succeed, given as one line.
func must(t testing.TB, line string) {
	t.Helper()
	f := strings.Fields(line)
	if out, err := command(t, f[0], f[1:]...); err != nil {
		t.Fatalf("%s: %v\n%s", line, err, out)
	}
}
