package wall

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestVirtualTimeIsNotReal(t *testing.T) {
	synctest.Test(t, func(*testing.T) {
		began := Now()
		time.Sleep(time.Hour)
		if took := Now() - began; took <= 0 || took > time.Minute {
			t.Errorf("an hour of virtual time took %v", took)
		}
	})
}

func TestMemoryIsSeen(t *testing.T) {
	before := Resident()
	b := make([]byte, 64<<20)
	for i := 0; i < len(b); i += 4096 {
		b[i] = 1
	}
	// The race detector has its own memory for each byte that is touched.
	if grown := Resident() - before; grown < 60<<20 || grown > 256<<20 {
		t.Errorf("64 MiB more look like %d", grown)
	}
	if Peak() < Resident() || CPU() <= 0 {
		t.Errorf("peak %d, resident %d, CPU %v", Peak(), Resident(), CPU())
	}
	b[0]++
}
