// Package eventlog is the append-only log that everything a node knows follows
// from. A message meets it twice: the sending agent appends that it accepted the
// message before it says so, and the receiving agent that it stored it. The log
// never interprets an event: kinds, headers and bodies belong to the packages whose
// facts they are, and so do projections, the tables that follow from the log.
//
// # Durable, in order, once
//
// One goroutine, the writer, stages requests in order, each on the state after all
// before it, and fills a batch. The committer makes one batch at a time durable
// with a single sync, writes its signed head to the head file and answers everybody
// in it, while the writer fills the next one with whatever arrives meanwhile. There
// is no waiting window. State advances when the writer stages an event; nothing is
// ever rolled back, so after a failed commit the process has to end
// ([Options.OnFail]).
//
// # Rows
//
// An engine is an ordered map with atomic, durable commits: Badger ([Open]) or
// memory ([OpenMemory]). Keys, with big-endian integers:
//
//	'h' ‖ u64 first          one batch: signed head, headers, tags of keys
//	'b' ‖ u64 sequence       u8 1 ‖ u64 first of its batch ‖ salt 32 ‖ body, or u8 0 once erased
//	'i' ‖ tag 16             u64 sequence ‖ content tag 16: a key that was used
//	't' ‖ u8 table ‖ key     a projection's row
//	'c' ‖ u64 sequence       a signed checkpoint, about every MiB of rows
//	's' ‖ u64 gen ‖ u32 i    a chunk of the projections' snapshot
//	'm' ‖ name               the log's own: "log" eras, "tables" who made the rows,
//	                         "rebuild" one is under way, "snapshot" the newest one's
//	                         signed name, "kinds" every kind and version of events
//	                         that the log ever held, "tick" nothing
//
// A delivery costs few small rows: its header shares one with its whole batch, and
// its body, key and projection row have one each. Rows of one batch are one
// transaction. A batch row:
//
//	layout                   u8     2
//	log id                   32
//	batch number, first      u64, u64
//	count                    u32
//	previous head, root      32, 32
//	signature                64
//	bodies stored, bytes     u64, u64     sums over the whole log after this batch
//	volume                   u64          bytes ever written to the store's tree
//	previous record          32           record hash of the header before the first
//	time                     u64          of the first event, seconds since 1970
//	ends                     u32 × count  where each header ends
//	headers                               what does not follow from the one before, and
//	                                      the tag of the event's key
//
// Keys are filed under, and contents compared by, MACs under a key derived from the
// node's root key: the database keeps neither, and no value in it is in another
// node's. A filter in memory tells most new keys from used ones.
//
// # Files
//
//	DIR/store/               Badger
//	DIR/head                 two alternating slots with the newest signed head
//	DIR/opening              while a start after a crash has not verified the log
//	DIR/ballast              space in reserve
//
// # What is found, and when
//
// An event with a body keeps a body row for as long as its header is kept: absence
// is damage, not erasure. A start verifies the checksums of Badger's tables (after
// a clean stop only where they are small), that Badger's list of them was not cut
// short, the chain of headers since a checkpoint that lies before all that the store
// replays, and the store's end against the head file. Every body is checked against its header when it is read, and a scrub
// goes round and round. Damage is named by a [DamageError] and makes the log
// read-only. What cannot be seen from inside is the rollback of the whole disk.
//
// A table of which the index is damaged keeps the log from opening, with a
// [DamageError] that names it: without that table the store would show older rows in
// place of newer ones, and no value is better than a wrong one.
//
// A log that ever held an event of a kind or version that [Options.Knows] denies does not
// open either ([UnknownKindsError]), and nothing in it is changed: an older program would
// go on over tables that it cannot explain. The row "kinds" names them, and grows in the
// transaction of the first event of each, so this takes one read. A log from before there
// was this row opens, and has one from its next event on.
//
// # Erasing
//
// [Writer.EraseBody] makes a body and its salt unreadable with the event's own
// commit. The bytes leave the files with [Log.Reclaim]. [Log.Prune] drops headers
// that are older than the retention, after a signed snapshot of every table: a
// rebuild is that snapshot and the headers since.
package eventlog
