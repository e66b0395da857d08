package testenv

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const envNamespace = "COMMUNICATOR_TEST_NETNS"

// InNetwork runs a test once more, alone, in a process with a network of its own: a
// namespace whose loopback interface is up and carries multicast. It returns true
// there, and false to who called first, with the result in t. The test needs root.
func InNetwork(t *testing.T, limit time.Duration) bool {
	t.Helper()
	if os.Getenv(envNamespace) == t.Name() {
		if err := loopbackUp(); err != nil {
			t.Fatal(err)
		}
		return true
	}
	Root(t)
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0], "-test.run", "^"+t.Name()+"$", "-test.v", "-test.count=1")
	cmd.Env = append(os.Environ(), envNamespace+"="+t.Name())
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	out, err := cmd.CombinedOutput()
	if errors.Is(err, syscall.EPERM) {
		Missing(t, "may not make a network namespace")
	}
	if err != nil {
		t.Fatalf("in its network: %v\n%s", err, out)
	}
	return false
}

// loopbackUp brings this namespace's loopback interface up, with multicast.
func loopbackUp() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	lo, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	lo.SetUint16(unix.IFF_UP | unix.IFF_LOOPBACK | unix.IFF_MULTICAST | unix.IFF_RUNNING)
	return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, lo)
}
