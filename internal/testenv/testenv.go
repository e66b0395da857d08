// Package testenv says what a test needs of the machine that it runs on. A test
// whose need is not met skips on a developer's machine and fails under CI, where a
// skipped test is one that did not run.
package testenv

import (
	"os"
	"os/exec"
	"testing"
)

// Soak says whether long forms of tests were asked for.
func Soak() bool { return os.Getenv("COMMUNICATOR_SOAK") != "" }

// Times returns n, or soak where long forms were asked for.
func Times(n, soak int) int {
	if Soak() {
		return soak
	}
	return n
}

// Root needs the test to run as root, to mount or to make network namespaces.
func Root(t testing.TB) {
	t.Helper()
	if os.Geteuid() != 0 {
		missing(t, "needs root")
	}
}

// Tool needs a program on the path and returns where it is.
func Tool(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		missing(t, "needs "+name)
	}
	return path
}

// Missing ends a test whose other needs are not met.
func Missing(t testing.TB, why string) {
	t.Helper()
	missing(t, why)
}

func missing(t testing.TB, why string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatalf("%s, and a skipped test fails CI", why)
	}
	t.Skip(why)
}
