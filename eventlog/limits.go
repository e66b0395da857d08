package eventlog

import (
	"time"

	"communicator/wire"
	"communicator/wire/logproof"
)

// Sizes of an event's parts, in bytes. Larger events are refused with [ErrTooLarge].
const (
	MaxStream = logproof.MaxStream
	MaxHeader = logproof.MaxHeader
	MaxKey    = 48
	// MaxBody is a put's payload with everything that a role stores beside it.
	MaxBody = wire.MaxFrame + 4<<10
	// MaxEvents is how many events one append or decision may make, and MaxRows how
	// many rows they may change: they must fit one transaction of the store.
	MaxEvents = 2048
	MaxRows   = batchRows
)

// TimeGrain is what event times are rounded down to.
const TimeGrain = logproof.TimeGrain

// A batch is one transaction of the store. Badger refuses more than 15 % of a
// memtable: 1.2 MiB and 13,000 rows with memtables of 8 MiB. Values that go to
// the value log count as pointers.
const (
	batchRows   = 10_000
	batchInline = 1_000_000 // bytes of rows kept in the tree of tables
	batchBytes  = 8 << 20   // bytes altogether, so that no batch takes long

	inlineLimit = 512 // values from here on go to the value log
	rowOverhead = 24  // what a row counts beyond its key and value
)

// checkpointEvery is how many bytes go into the store's tree between two signed anchors,
// of which one lets a start verify only what follows it: an eighth of a memtable.
const checkpointEvery = memtableSize / 8

// Maintenance beside the writer changes so much at a time that an append waits for
// a few milliseconds.
const (
	besideRows  = 250
	besideBytes = 256 << 10
)

// eventsAtFirst is for how many events a batch has space from the start.
const eventsAtFirst = 16

// maxKinds is how many kinds and versions of events a log may hold.
const maxKinds = 4096

// snapshotChunk is the size of a snapshot's chunks, in bytes.
const snapshotChunk = 64 << 10

// maxYields bounds how often the writer gives way between two commits while
// requests keep coming and fewer than smallBatch wait.
const (
	maxYields  = 8
	smallBatch = 48
)

// queueLength is how many requests wait for the writer before callers block.
// memoryQueue is that of a log in memory, of which a simulation has thousands.
const (
	queueLength = 4096
	memoryQueue = 256
)

// Defaults of [Options].
const (
	defaultMinFree        = 512 << 20
	defaultMinFreePercent = 10
	defaultBallast        = 64 << 20
	defaultDiskEvery      = time.Second
	defaultHeadEvery      = time.Second
	defaultScrubEvery     = time.Second
	scrubRecords          = 256 // records verified at each step of the scrub
)

// commitSpace is what a commit needs to find free: the store's memtables, a table made
// from one, and what the batches before it still have to write. Commits that do not find
// it wait and look again.
const (
	commitSpace = 48 << 20
	spaceEvery  = 100 * time.Millisecond
)
