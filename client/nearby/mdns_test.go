package nearby

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"communicator/internal/testenv"
)

// envPerson makes the test binary one person of TestTwoProcessesFindEachOther.
const envPerson = "COMMUNICATOR_NEARBY_PERSON"

// TestTwoProcessesFindEachOther runs two processes in a network namespace of their own,
// whose loopback interface carries multicast. They find each other by mDNS, exchange,
// and show the same words.
func TestTwoProcessesFindEachOther(t *testing.T) {
	if os.Getenv(envPerson) != "" {
		onePerson(t)
		return
	}
	if testenv.InNetwork(t, time.Minute) {
		bothInNetwork(t)
	}
}

// bothInNetwork runs both and compares what they say.
func bothInNetwork(t *testing.T) {
	said := make(chan []string, 2)
	for _, name := range []string{"Alex", "Blair"} {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^"+t.Name()+"$", "-test.v")
		cmd.Env = append(os.Environ(), envPerson+"="+name)
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		check(t, err)
		check(t, cmd.Start())
		go func() {
			var lines []string
			for s := bufio.NewScanner(out); s.Scan(); {
				if line, ok := strings.CutPrefix(s.Text(), "said: "); ok {
					lines = append(lines, line)
				}
			}
			if err := cmd.Wait(); err != nil {
				lines = append(lines, err.Error())
			}
			said <- lines
		}()
	}
	a, b := <-said, <-said
	if len(a) != 2 || len(b) != 2 || a[0] != b[0] || a[1] != "agreed true" || b[1] != "agreed true" {
		t.Fatalf("one said %q, the other %q", a, b)
	}
}

func onePerson(t *testing.T) {
	name := os.Getenv(envPerson)
	s, err := Open(Options{Name: name, Package: testPackage(t, name[0])})
	check(t, err)
	defer s.Close()
	list := until(t, s, some(1))
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	m, err := s.Exchange(ctx, list[0].ID)
	check(t, err)
	fmt.Println("said:", m.Words)
	same, err := m.Agree(ctx, true)
	check(t, err)
	fmt.Println("said: agreed", same)
}
