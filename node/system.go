package node

import (
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/libp2p/go-libp2p/gologshim"
)

// quietLibp2p drops what libp2p logs by itself: it names peers and addresses. What
// matters of it comes back to us as errors and is counted.
var quietLibp2p = sync.OnceFunc(func() { gologshim.SetDefaultHandler(slog.DiscardHandler) })

// limitMemory makes the garbage collector work towards a share of the container's
// limit, unless the operator has set GOMEMLIMIT.
func limitMemory(logger *slog.Logger) {
	if os.Getenv("GOMEMLIMIT") != "" {
		return
	}
	limit, ok := cgroupLimit("/proc/self/cgroup", "/sys/fs/cgroup")
	if !ok {
		return
	}
	debug.SetMemoryLimit(limit / 100 * memoryShare)
	logger.Info("memory limit found", "bytes", limit)
}

// cgroupLimit is the smallest memory limit of this process's cgroup and those above it:
// memory.max in version 2, memory.limit_in_bytes under "memory" in version 1.
func cgroupLimit(self, mount string) (limit int64, ok bool) {
	b, err := os.ReadFile(self)
	if err != nil {
		return 0, false
	}
	limit = math.MaxInt64
	for line := range strings.Lines(string(b)) {
		fields := strings.SplitN(strings.TrimSpace(line), ":", 3)
		switch {
		case len(fields) != 3:
		case fields[0] == "0" && fields[1] == "":
			limit = min(limit, limitAbove(mount, fields[2], "memory.max"))
		case slices.Contains(strings.Split(fields[1], ","), "memory"):
			limit = min(limit, limitAbove(filepath.Join(mount, "memory"), fields[2], "memory.limit_in_bytes"))
		}
	}
	return limit, limit < unlimited
}

// unlimited is more memory than any machine has: version 1 writes a huge number where
// there is no limit.
const unlimited = 1 << 50

func limitAbove(mount, path, file string) int64 {
	limit := int64(math.MaxInt64)
	for dir := filepath.Join(mount, path); strings.HasPrefix(dir, mount); dir = filepath.Dir(dir) {
		b, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil {
			continue
		}
		if n, err := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64); err == nil && n > 0 {
			limit = min(limit, n)
		}
	}
	return limit
}
