package bench

import (
	"io"
	"testing"
	"time"
)

func TestLogMeasuresBothSides(t *testing.T) {
	r, err := Log(t.Context(), LogOptions{Producers: 8, Size: 256, Duration: 700 * time.Millisecond, Dir: t.TempDir()}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if r.Appends <= 0 || r.Disk <= 0 || r.Ratio <= 0 || r.Rounds < 5 {
		t.Errorf("measured nothing: %+v", r)
	}
}
