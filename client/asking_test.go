package client

import (
	"testing"
	"time"
)

// TestAskedAgainLessAndLessOften: soon after asking, then after a quarter of the time
// that has passed, and never before the directory lets us.
func TestAskedAgainLessAndLessOften(t *testing.T) {
	asked := time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)
	row := askedRow{Until: asked.Add(AskLife)}
	for after, want := range map[time.Duration]time.Duration{
		0: minAskAgain, 3 * time.Minute: minAskAgain, 20 * time.Minute: 5 * time.Minute,
		2 * time.Hour: 30 * time.Minute, 24 * time.Hour: maxAskAgain,
	} {
		now := asked.Add(after)
		if got := row.again(now, time.Second).Sub(now); got != want {
			t.Errorf("%v after the first: %v, not %v", after, got, want)
		}
	}
	if got := row.again(asked, 2*time.Hour).Sub(asked); got != 2*time.Hour {
		t.Errorf("the directory said two hours: %v", got)
	}
}
