package store

import (
	"fmt"
	"time"
)

// AttemptID numbers an attempt within the profile.
type AttemptID int64

// AttemptState is where an attempt stands. The index of due attempts knows that
// the first two are the ones that are not over.
type AttemptState uint8

const (
	AttemptPending   AttemptState = iota // to be submitted, again and again the same bytes
	AttemptSubmitted                     // the sending agent gave a receipt; its outcome is awaited
	AttemptDone                          // an outcome came, or it was given up
)

func (s AttemptState) String() string { return name(s, "pending", "submitted", "done") }

// Attempt is one try to deliver a message through one sending agent to one
// receiving agent, with a seal of its own.
type Attempt struct {
	ID       AttemptID // assigned by AddAttempt
	Message  ID
	Agent    AgentID  // our sending agent
	Receiver [32]byte // the peer's receiving agent
	Counter  uint64   // i, see NextCounter
	Payload  []byte   // the wrapped ciphertext
	Sealed   []byte   // the sealed address
	Secret   []byte   // exported by the seal; opens the outcome
	Handle   [32]byte // collects the outcome
	State    AttemptState
	Receipt  []byte // of the sending agent
	Outcome  []byte
	Tries    uint64
	NextTry  time.Time
	Created  time.Time // set by AddAttempt
}

const attemptColumns = `id, message, agent, receiver, counter, payload, sealed, secret, handle, state,
	receipt, outcome, tries, next_try, created`

func scanAttempt(r *row) Attempt {
	return Attempt{
		ID: AttemptID(r.int()), Message: r.id(), Agent: AgentID(r.int()), Receiver: r.b32(), Counter: r.uint(),
		Payload: r.blob(), Sealed: r.blob(), Secret: r.blob(), Handle: r.b32(), State: AttemptState(r.int()),
		Receipt: r.blob(), Outcome: r.blob(), Tries: r.uint(), NextTry: r.time(), Created: r.time(),
	}
}

// AddAttempt stores an attempt as pending, before it leaves, and returns its id.
func (tx *Tx) AddAttempt(a Attempt) (AttemptID, error) {
	if len(a.Payload) == 0 || len(a.Sealed) == 0 {
		return 0, fmt.Errorf("%w: an attempt needs a payload and a seal", ErrInvalid)
	}
	id, err := tx.insert(`INSERT INTO attempts (message, agent, receiver, counter, payload, sealed, secret,
		handle, state, receipt, outcome, tries, next_try, created)
		VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, x'', x'', 0, ?10, ?11)`,
		a.Message[:], int64(a.Agent), a.Receiver[:], a.Counter, a.Payload, a.Sealed, a.Secret,
		a.Handle[:], int(AttemptPending), a.NextTry, tx.Now())
	return AttemptID(id), err
}

// Attempt returns one attempt.
func (tx *Tx) Attempt(id AttemptID) (Attempt, error) {
	return one(tx, scanAttempt, `SELECT `+attemptColumns+` FROM attempts WHERE id = ?1`, int64(id))
}

// Attempts returns a message's attempts, oldest first.
func (tx *Tx) Attempts(message ID) ([]Attempt, error) {
	return list(tx, scanAttempt, `SELECT `+attemptColumns+` FROM attempts WHERE message = ?1 ORDER BY id`, message[:])
}

// DueAttempts returns at most limit attempts that are not over and whose next
// try has come, the longest due first.
func (tx *Tx) DueAttempts(now time.Time, limit int) ([]Attempt, error) {
	return list(tx, scanAttempt, `SELECT `+attemptColumns+` FROM attempts
		WHERE state < 2 AND next_try <= ?1 ORDER BY next_try, id LIMIT ?2`, now, limit)
}

// NextDue returns when the first attempt that is not over is due, or
// [ErrNotFound] when all are.
func (tx *Tx) NextDue() (time.Time, error) {
	return one(tx, (*row).time, `SELECT next_try FROM attempts WHERE state < 2 ORDER BY next_try LIMIT 1`)
}

// RetryAttempt counts a try that brought no answer and says when to try again.
// An attempt that is over is [ErrTransition].
func (tx *Tx) RetryAttempt(id AttemptID, next time.Time) error {
	return tx.stepAttempt(id, AttemptDone,
		`UPDATE attempts SET tries = tries + 1, next_try = ?2 WHERE id = ?1`, next)
}

// SubmittedAttempt records the sending agent's receipt for a pending attempt and
// when to ask for the outcome.
func (tx *Tx) SubmittedAttempt(id AttemptID, receipt []byte, next time.Time) error {
	return tx.stepAttempt(id, AttemptSubmitted,
		`UPDATE attempts SET state = 1, receipt = ?2, next_try = ?3, tries = 0 WHERE id = ?1`, receipt, next)
}

// FinishAttempt records an outcome, empty if it was given up, and erases the
// payload, the seal and the secret, which serve no more.
func (tx *Tx) FinishAttempt(id AttemptID, outcome []byte) error {
	return tx.stepAttempt(id, AttemptDone,
		`UPDATE attempts SET state = 2, outcome = ?2, payload = x'', sealed = x'', secret = x'' WHERE id = ?1`, outcome)
}

// stepAttempt runs an update on an attempt whose state is below a bound.
func (tx *Tx) stepAttempt(id AttemptID, below AttemptState, sql string, args ...any) error {
	a, err := tx.Attempt(id)
	if err != nil {
		return err
	}
	if a.State >= below {
		return fmt.Errorf("%w: attempt is %v", ErrTransition, a.State)
	}
	return tx.change(sql, append([]any{int64(id)}, args...)...)
}
