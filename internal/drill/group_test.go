package drill

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// group is a control group, or a place-holder where none can be made.
type group struct {
	dir  string // empty: there is none
	name string // for people
}

// version is where one version of Linux's control groups has a setting.
type version struct {
	root, file, name string
	magic            int64 // of the file system there, statfs(2)
}

// memoryGroup makes a group with a limit of memory.
func memoryGroup(t testing.TB, name string, limit int64) group {
	t.Helper()
	return newGroup(t, name, strconv.FormatInt(limit, 10), "GOMEMLIMIT, for no control group can be made here", []version{
		{"/sys/fs/cgroup", "memory.max", "control group, version 2", unix.CGROUP2_SUPER_MAGIC},
		{"/sys/fs/cgroup/memory", "memory.limit_in_bytes", "control group, version 1", unix.CGROUP_SUPER_MAGIC},
	})
}

// idleGroup makes a group whose processes get what nobody else wants of the processors,
// and let go of it at once.
func idleGroup(t testing.TB, name string) group {
	t.Helper()
	return newGroup(t, name, "1", "a low priority, for no control group can be made here", []version{
		{"/sys/fs/cgroup", "cpu.idle", "control group, version 2", unix.CGROUP2_SUPER_MAGIC},
		{"/sys/fs/cgroup/cpu", "cpu.idle", "control group, version 1", unix.CGROUP_SUPER_MAGIC},
	})
}

func newGroup(t testing.TB, name, value, none string, versions []version) group {
	t.Helper()
	for _, v := range versions {
		var fs unix.Statfs_t
		if unix.Statfs(v.root, &fs) != nil || fs.Type != v.magic {
			continue
		}
		dir := filepath.Join(v.root, fmt.Sprintf("communicator-drill-%d-%s", os.Getpid(), name))
		if os.Mkdir(dir, 0o755) != nil {
			continue
		}
		t.Cleanup(func() { // the processes have ended, but the kernel takes a moment
			until(t, 5*time.Second, "the control group can be removed", func() bool { return os.Remove(dir) == nil })
		})
		if os.WriteFile(filepath.Join(dir, v.file), []byte(value), 0o644) == nil {
			return group{dir, v.name}
		}
	}
	return group{name: none}
}

// procs is the file that takes a process into the group, or empty.
func (g group) procs() string {
	if g.dir == "" {
		return ""
	}
	return filepath.Join(g.dir, "cgroup.procs")
}
