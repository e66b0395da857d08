package eventlog

import (
	"context"
	"errors"
	"io"
	"iter"
	"time"

	"communicator/wire/logproof"
)

// Kind names an event's kind. Each kind is defined in the package whose fact it
// is; the log never interprets one.
type Kind = logproof.Kind

// Event is a fact offered to the log.
type Event struct {
	Kind    Kind
	Version uint8 // of the kind's header and body layout; old versions decode for ever

	// Stream says what the fact is about (a mailbox, a queue entry): opaque,
	// at most [MaxStream] bytes, kept in the header.
	Stream []byte

	// Key, if not empty, makes the append idempotent: scope and digest, at most
	// [MaxKey] bytes. The same key with the same content returns the first
	// sequence and makes no event; with other content, [ErrConflict].
	// A key is remembered until its event's header is pruned.
	Key []byte

	// Header holds the part of the fact that outlives its body, at most
	// [MaxHeader] bytes.
	Header []byte

	// Body is the ciphertext or other content that is erased when the fact is
	// spent, at most [MaxBody] bytes. Stored apart, with a salt of its own.
	Body []byte
}

// Record is an event as the log holds it: its header, and the salted hash of its
// body.
type Record = logproof.Record

// Proof shows offline that an event is in the log; see [logproof.VerifyProof].
type Proof = logproof.Proof

// Head is what the node signs for each committed batch.
type Head = logproof.Head

// Appended is what a durable append returns for one event.
type Appended struct {
	Seq       uint64
	Duplicate bool // the key was known: Seq is the first append's

	// Proof shows that the event is in the log's signed head. It is nil for a
	// duplicate whose batch's leaves are no longer at hand; ask [Log.Prove].
	Proof *Proof
}

// Reader reads one projection's rows, or, within the writer, the rows as they
// will be once everything queued has been committed. Slices it returns are
// valid until the callback returns.
type Reader interface {
	// Get returns nil, nil when there is no such row.
	Get(key []byte) ([]byte, error)
	// Scan visits rows with the prefix in key order, from the key start
	// (inclusive; nil: the first), until fn returns false.
	Scan(prefix, start []byte, fn func(key, value []byte) bool) error
}

// Writer is a Reader that also changes rows; only a projection's Apply gets one.
type Writer interface {
	Reader
	Set(key, value []byte) error
	Delete(key []byte) error
	// EraseBody makes the body of event seq unreadable with this commit. Erasing
	// what is erased already, or never had a body, does nothing.
	EraseBody(seq uint64) error
}

// Projection is a table that follows from the log. Its rows are written in the
// event's own transaction, and dropping and replaying them gives the same bytes.
type Projection interface {
	// Name is the table's name for people; ID the one-byte prefix of its keys
	// (1 to 127, unique in a log, never reused for another meaning).
	Name() string
	ID() byte
	// Apply folds one record into the rows: a pure function of rows, record and
	// body. Body is nil once it has been erased (a replay), or if there was none.
	// An error is a broken invariant and stops the log.
	Apply(w Writer, r Record, body []byte) error
}

// Decision runs on the log's writer, alone and in order, and sees every event
// queued before it. It returns the events to append, in one transaction, or an
// error, which Decide returns as it is. It must not block.
type Decision func(now time.Time, tables Tables) ([]Event, error)

// Tables gives access to the rows of a projection by its ID.
type Tables interface {
	Table(id byte) Reader
}

// Log is the append-only log. All methods are safe for concurrent use.
type Log interface {
	// Append makes the events durable, all or none, and returns once they are
	// synced and the signed head that covers them has been written. If ctx ends
	// first the events may or may not become durable.
	Append(ctx context.Context, events ...Event) ([]Appended, error)

	// Decide queues a decision and returns when what it decided is durable.
	// With no events it returns when everything queued before it is durable, so
	// that a refusal takes as long as an acceptance.
	Decide(ctx context.Context, d Decision) ([]Appended, error)

	// View reads the committed rows of all projections, one consistent state. fn
	// should be short: Reclaim waits for it.
	View(fn func(Tables) error) error

	// Body returns a body after checking it against its header's hash:
	// [ErrErased] when gone, [ErrNoRecord] when there never was one,
	// a [*DamageError] when it does not match.
	Body(seq uint64) ([]byte, error)

	// Bodies reads many bodies at one moment, in the order of seqs, which is cheapest
	// if it rises. fn gets each as [Log.Body] would return it, until it returns
	// false; the slice is valid until fn returns. Like View it should be short.
	Bodies(seqs []uint64, fn func(seq uint64, body []byte, err error) bool) error

	// Records yields the headers from seq on that have not been pruned.
	Records(from uint64) iter.Seq2[Record, error]

	// Prove returns an inclusion proof for an event under its batch's signed head.
	Prove(seq uint64) (*Proof, error)

	// Head is the newest signed head.
	Head() Head

	// Prune writes a signed checkpoint with a snapshot of every projection, then
	// drops the headers older than horizon, and the keys of their events. Appends go
	// on meanwhile.
	Prune(ctx context.Context, horizon time.Time) error

	// Reclaim makes erased bodies vanish from the files as well. Appends go on
	// meanwhile, except that it closes and opens the store (tens of milliseconds).
	Reclaim(ctx context.Context) error

	// Rebuild drops every projection's rows and replays snapshot and tail. It is a
	// repair: nothing is appended or decided until it is done.
	Rebuild(ctx context.Context) error

	// Verify reads everything: the chain, the heads, every stored body.
	Verify(ctx context.Context) (Report, error)

	// Stat returns sizes and counts, cheaply.
	Stat() (Stat, error)

	// Backup writes a consistent copy of headers, rows and stored bodies. It makes the
	// copy beside the log first, so that a slow w holds up nothing: without the space
	// for that it fails with [ErrStorageFull].
	Backup(ctx context.Context, w io.Writer) error

	// State says whether the log accepts appends, and if not why.
	State() State

	// Close syncs log and head and joins the writer.
	Close() error
}

// Health is a log's condition.
type Health uint8

// Conditions of a log.
const (
	Healthy  Health = iota
	DiskLow         // only events of [Options.Growing] kinds are refused, with [ErrStorageFull]
	ReadOnly        // damage was found: reading works, every append fails with [ErrReadOnly]
	Failed          // a commit or sync failed: the process must end
)

// State is a log's condition and its reason, for people.
type State struct {
	Health Health
	Reason string
}

// Errors that callers tell apart.
var (
	ErrConflict    = errors.New("eventlog: key was used for other content")
	ErrErased      = errors.New("eventlog: body was erased")
	ErrNoRecord    = errors.New("eventlog: no such record")
	ErrReadOnly    = errors.New("eventlog: read-only, the log is damaged")
	ErrStorageFull = errors.New("eventlog: storage full")
	ErrClosed      = errors.New("eventlog: closed")
	ErrFailed      = errors.New("eventlog: a commit failed, restart the process")
	ErrInUse       = errors.New("eventlog: another process has the log open")
	ErrTooLarge    = errors.New("eventlog: event exceeds a size limit")
)
