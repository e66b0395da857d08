package relay

import (
	"sync"

	"communicator/wire"
)

// quota counts what is queued, by account, and what is stored altogether. It lives
// in memory and is counted anew from the rows at start: a place is taken before a
// submission is appended and given back when it is settled, so that no two
// submissions get the last one.
type quota struct {
	perAccount      int
	bytesPerAccount int64
	storageMax      int64

	mu       sync.Mutex
	accounts map[wire.AccountID]share // guarded by mu: of those that have something queued
	queued   int                      // guarded by mu
	outcomes int                      // guarded by mu
	stored   int64                    // guarded by mu: bytes
}

// share is what one account has queued.
type share struct {
	submissions int
	bytes       int64
}

func newQuota(l Limits) *quota {
	return &quota{
		perAccount: l.QueuedPerAccount, bytesPerAccount: l.QueuedBytesPerAccount, storageMax: l.StorageMax,
		accounts: make(map[wire.AccountID]share),
	}
}

// take reserves a place for a submission of size bytes, or says what is exceeded.
func (q *quota) take(account wire.AccountID, size int) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	has := q.accounts[account]
	if has.submissions >= q.perAccount || has.bytes+int64(size) > q.bytesPerAccount {
		return refuse(wire.StatusTryAgain, retryQuota)
	}
	if q.stored+int64(size) > q.storageMax {
		return refuse(wire.StatusStorageFull, retryStorage)
	}
	q.add(account, size)
	return nil
}

// load counts what was found at start, over the quota or not.
func (q *quota) load(account wire.AccountID, size int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.add(account, size)
}

// add counts one submission. The caller holds mu.
func (q *quota) add(account wire.AccountID, size int) {
	has := q.accounts[account]
	q.accounts[account] = share{has.submissions + 1, has.bytes + int64(size)}
	q.queued++
	q.stored += int64(size)
}

// release gives a submission's place back.
func (q *quota) release(account wire.AccountID, size int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	has := q.accounts[account]
	if has.submissions--; has.submissions <= 0 {
		delete(q.accounts, account)
	} else {
		q.accounts[account] = share{has.submissions, has.bytes - int64(size)}
	}
	q.queued--
	q.stored -= int64(size)
}

// outcome counts n more, or fewer, kept outcomes.
func (q *quota) outcome(n int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.outcomes += n
	q.stored += int64(n) * outcomeCharge
}

func (q *quota) stat() Stat {
	q.mu.Lock()
	defer q.mu.Unlock()
	return Stat{Queued: q.queued, Accounts: len(q.accounts), Stored: q.stored, Outcomes: q.outcomes}
}
