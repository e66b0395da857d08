package eventlog_test

import (
	"testing"

	"communicator/eventlog"
)

// TestReclaimGivesWayToReaders: a reader that takes long, such as a backup to a slow
// client, makes a reclaim fail, not the log.
func TestReclaimGivesWayToReaders(t *testing.T) {
	log, err := eventlog.Open(t.TempDir(), quiet())
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	mustAppend(t, log, put("s", "h", "body"))
	err = log.View(func(eventlog.Tables) error {
		if err := log.Reclaim(t.Context()); err == nil {
			t.Error("the store was closed under a reader")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if s := log.State(); s.Health != eventlog.Healthy {
		t.Fatalf("state %v: %s", s.Health, s.Reason)
	}
	mustAppend(t, log, put("s", "h", "another body"))
	if err := log.Reclaim(t.Context()); err != nil {
		t.Fatal(err)
	}
	check(t, log)
}
