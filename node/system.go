package node

import (
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"runtime/debug"
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

// cgroupLimit is the smallest memory.max of this process's cgroup (version 2) and
// those above it.
func cgroupLimit(self, mount string) (limit int64, ok bool) {
	b, err := os.ReadFile(self)
	if err != nil {
		return 0, false
	}
	limit = math.MaxInt64
	for line := range strings.Lines(string(b)) {
		path, v2 := strings.CutPrefix(strings.TrimSpace(line), "0::")
		if !v2 {
			continue
		}
		for dir := filepath.Join(mount, path); strings.HasPrefix(dir, mount); dir = filepath.Dir(dir) {
			b, err := os.ReadFile(filepath.Join(dir, "memory.max"))
			if err != nil {
				continue
			}
			if n, err := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64); err == nil && n > 0 {
				limit = min(limit, n)
			}
		}
	}
	return limit, limit != math.MaxInt64
}
