// Package wall tells what a simulation costs in reality: time that passes also where
// virtual time stands, and memory.
package wall

import (
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Now is the machine's monotonic clock. [time.Now] shows virtual time within a bubble.
func Now() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &t); err != nil {
		panic(err) // the clock is always there
	}
	return time.Duration(t.Nano())
}

// CPU is what this process has used of all processors.
func CPU() time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		panic(err) // this process is always there
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// Resident is how much memory the process has, in bytes, files that it maps excluded; 0
// where the system does not tell.
func Resident() int64 {
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	var size, resident, shared int64
	if _, err := fmt.Sscan(string(b), &size, &resident, &shared); err != nil {
		return 0
	}
	return (resident - shared) * int64(os.Getpagesize())
}

// Peak is the most memory that the process ever had, in bytes, files that it maps included.
func Peak() int64 {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return u.Maxrss << 10
}
