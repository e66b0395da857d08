package eventlog

import "os"

// ChildUnsynced in the environment of a child makes its log commit without syncing,
// for the control of the power-cut test.
const ChildUnsynced = "EVENTLOG_CHILD_UNSYNCED"

func init() { syncWrites = os.Getenv(ChildUnsynced) == "" }
