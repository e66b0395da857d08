package bench

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// processes are the names of the three in a result.
var processes = []string{"client", "sending", "receiving"}

// usage is what each process has used so far.
type usage map[string]use

type use struct {
	cpu  time.Duration // user and system
	anon int64         // RssAnon, bytes
}

func (p *path) usage() (usage, error) {
	u := usage{}
	for who, pid := range map[string]int{"client": os.Getpid(), "sending": p.sending.PID(), "receiving": p.receiving.PID()} {
		one, err := useOf(pid)
		if err != nil {
			return nil, err
		}
		u[who] = one
	}
	return u, nil
}

// clockTick is the unit of /proc/PID/stat: USER_HZ is 100 on every Linux (proc(5)).
const clockTick = 10 * time.Millisecond

// useOf reads /proc (proc(5)).
func useOf(pid int) (u use, err error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return u, err
	}
	// The second field, the program's name in parentheses, may hold anything.
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	const utime, stime = 14 - 3, 15 - 3 // fields are counted from 1, and two are cut off
	if len(fields) <= stime {
		return u, fmt.Errorf("/proc/%d/stat is too short", pid)
	}
	for _, f := range []string{fields[utime], fields[stime]} {
		ticks, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return u, err
		}
		u.cpu += time.Duration(ticks) * clockTick
	}
	u.anon, err = anonymous(pid)
	return u, err
}

func anonymous(pid int) (int64, error) {
	f, err := os.Open(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		if rest, ok := strings.CutPrefix(s.Text(), "RssAnon:"); ok {
			kb, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 10, 64)
			return kb << 10, err
		}
	}
	return 0, fmt.Errorf("/proc/%d/status has no RssAnon", pid)
}

// memorySample is how often [watchMemory] looks.
const memorySample = 20 * time.Millisecond

// watchMemory looks at a process's anonymous memory until what it returns is called,
// which says how much it was at most, in MiB.
func watchMemory(pid int) (most func() float64) {
	stop, done := make(chan struct{}), make(chan int64)
	go func() {
		var peak int64
		for every := time.NewTicker(memorySample); ; {
			// A process that has ended has none.
			if now, err := anonymous(pid); err == nil {
				peak = max(peak, now)
			}
			select {
			case <-every.C:
			case <-stop:
				every.Stop()
				done <- peak
				return
			}
		}
	}()
	return func() float64 {
		close(stop)
		return float64(<-done) / (1 << 20)
	}
}

// quantiles returns the median and the 99th percentile in milliseconds.
func quantiles(d []time.Duration) (p50, p99 float64) {
	slices.Sort(d)
	at := func(q float64) float64 { return float64(d[int(q*float64(len(d)-1))].Microseconds()) / 1000 }
	return at(0.5), at(0.99)
}
