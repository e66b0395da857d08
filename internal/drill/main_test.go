package drill

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// Variables that make the test binary something else than a run of all tests, or that
// tell one how it is to be run.
const (
	binaryVar  = "COMMUNICATOR_DRILL_BINARY"  // the program under test
	networkVar = "COMMUNICATOR_DRILL_NETWORK" // the test that runs in a network of its own
	hostileVar = "COMMUNICATOR_DRILL_HOSTILE" // hostile peers: the orders, as JSON
)

func TestMain(m *testing.M) {
	if orders := os.Getenv(hostileVar); orders != "" {
		if err := beHostile(orders); err != nil {
			fmt.Fprintln(os.Stderr, "hostile:", err)
			os.Exit(1)
		}
		return
	}
	status := m.Run()
	if err := removeBuilt(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		status = 1
	}
	os.Exit(status)
}

// built is the folder of the binary that this run made.
var built struct {
	sync.Mutex
	dir string
}

func removeBuilt() error {
	built.Lock()
	defer built.Unlock()
	if built.dir == "" {
		return nil
	}
	return os.RemoveAll(built.dir)
}

var build = sync.OnceValues(func() (string, error) {
	if path := os.Getenv(binaryVar); path != "" {
		return filepath.Abs(path)
	}
	dir, err := os.MkdirTemp("", "communicator-drill-")
	if err != nil {
		return "", err
	}
	built.Lock()
	built.dir = dir
	built.Unlock()
	path := filepath.Join(dir, "communicator")
	cmd := exec.Command("go", "build", "-o", path, "communicator/cmd/communicator")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", errors.Join(err, errors.New(string(out)))
	}
	return path, nil
})

// program is the binary under test, built once for all tests.
func program(t testing.TB) string {
	t.Helper()
	path, err := build()
	if err != nil {
		t.Fatalf("build the program: %v", err)
	}
	return path
}
