package eventlog

import "fmt"

// DamageError says that something the log vouched for is not there any more, or is
// not what it was. What it does not name is intact.
type DamageError struct {
	// First and Last are the sequences concerned; 0, 0 if the damage is not in
	// events.
	First  uint64 `json:"first"`
	Last   uint64 `json:"last"`
	Part   string `json:"part"` // "head", "header", "body", "checkpoint", "snapshot", "store"
	Reason string `json:"reason"`
	Err    error  `json:"-"` // what the store said, or nil
}

func (e *DamageError) Error() string {
	s := "eventlog: damaged " + e.Part
	if e.Last != 0 {
		s += fmt.Sprintf(" of events %d to %d", e.First, e.Last)
	}
	s += ": " + e.Reason
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

func (e *DamageError) Unwrap() error { return e.Err }

// Report is what [Log.Verify] found.
type Report struct {
	First     uint64         `json:"first"` // sequences whose headers are kept
	Last      uint64         `json:"last"`
	Batches   uint64         `json:"batches"`
	Bodies    uint64         `json:"bodies"` // stored
	BodyBytes uint64         `json:"body_bytes"`
	Erased    uint64         `json:"erased"` // events whose body was erased
	Damage    []*DamageError `json:"damage,omitempty"`
}

// Stat is sizes and counts.
type Stat struct {
	First      uint64 `json:"first"` // sequences whose headers are kept; 0, 0 in an empty log
	Last       uint64 `json:"last"`
	Batches    uint64 `json:"batches"` // ever made
	Bodies     uint64 `json:"bodies"`  // stored
	BodyBytes  uint64 `json:"body_bytes"`
	StoreBytes int64  `json:"store_bytes"` // the store's files, or memory
	FreeBytes  uint64 `json:"free_bytes"`  // on the disk; 0 for a memory log
	Eras       []Era  `json:"eras"`        // one, and one more for each restore
	// Kinds are all that the log ever held, ascending; what events that were appended
	// before the log took note of kinds were of is not in it.
	Kinds []KindVersion `json:"kinds"`
}
