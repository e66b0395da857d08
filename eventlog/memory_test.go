package eventlog_test

import (
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"communicator/eventlog"
)

// A copy of a memory log's rows has what was committed before and nothing after, and
// opens as a log of its own.
func TestMemoryCloneIsAMomentsCopy(t *testing.T) {
	o := quiet()
	o.Memory = new(eventlog.Memory)
	log, err := eventlog.OpenMemory(o)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	mustAppend(t, log, put("a", "", "before"))
	copied := o
	copied.Memory = o.Memory.Clone()
	mustAppend(t, log, put("b", "", "after"))
	again, err := eventlog.OpenMemory(copied)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if had, has := again.Head().Last(), log.Head().Last(); had+1 != has {
		t.Errorf("the copy has %d events of %d", had, has)
	}
	mustAppend(t, again, put("c", "", "its own"))
}

// A memory log that is told of free space refuses what grows while there is none.
func TestMemoryLogLooksAtTheDiskItIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var free atomic.Uint64
		o := quiet()
		o.Memory, o.MinFree, o.MinFreePercent, o.DiskEvery = nil, 1<<20, 0, time.Second
		o.Growing = func(eventlog.Kind) bool { return true }
		o.Statfs = func(string) (uint64, uint64, error) { return free.Load(), 1 << 40, nil }
		log, err := eventlog.OpenMemory(o)
		if err != nil {
			t.Fatal(err)
		}
		defer log.Close()
		time.Sleep(2 * time.Second)
		if _, err := log.Append(t.Context(), put("a", "", "x")); !errors.Is(err, eventlog.ErrStorageFull) {
			t.Errorf("append on a full disk: %v", err)
		}
		free.Store(1 << 39)
		time.Sleep(2 * time.Second)
		mustAppend(t, log, put("a", "", "x"))
	})
}
