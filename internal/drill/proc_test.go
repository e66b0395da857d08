package drill

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// anonymous is the memory that a process has and cannot give back: RssAnon of proc(5).
func anonymous(pid int64) (int64, error) {
	f, err := os.Open(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		if rest, ok := strings.CutPrefix(s.Text(), "RssAnon:"); ok {
			kb, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			return kb << 10, err
		}
	}
	return 0, fmt.Errorf("/proc/%d/status has no RssAnon", pid)
}

// clockTick is the unit of /proc/PID/stat: USER_HZ is 100 on every Linux.
const clockTick = 10 * time.Millisecond

// cpu is the processor time that the agents' processes have used: utime and stime of
// proc(5).
func cpu(agents ...*agent) (used time.Duration) {
	for _, a := range agents {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", a.PID()))
		if err != nil {
			a.t.Fatal(err)
		}
		// The second field, the program's name in parentheses, may hold anything.
		fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
		for _, i := range []int{14 - 3, 15 - 3} { // counted from 1, and two are cut off
			ticks, err := strconv.ParseInt(fields[i], 10, 64)
			if err != nil {
				a.t.Fatal(err)
			}
			used += time.Duration(ticks) * clockTick
		}
	}
	return used
}
