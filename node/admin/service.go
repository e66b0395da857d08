package admin

import (
	"context"
	"errors"
	"io"
	"time"

	"communicator/eventlog"
)

// Service is what can be asked of a node: by a running node itself, by a [Client]
// on its socket, and in part by its directory while it does not run.
type Service interface {
	Status(ctx context.Context) (Status, error)
	// NewToken makes a token that opens so many accounts and returns the agent's
	// URI with it appended.
	NewToken(ctx context.Context, uses int) (uri string, err error)
	// Tokens lists the tokens that have uses left, RevokeToken takes them. An id may
	// be cut short. Errors: access.ErrNotFound, access.ErrAmbiguous.
	Tokens(ctx context.Context) ([]Token, error)
	RevokeToken(ctx context.Context, id string) error
	// Accounts lists the accounts that tokens opened, RemoveAccount closes one to new
	// streams. Errors as of RevokeToken.
	Accounts(ctx context.Context) ([]Account, error)
	RemoveAccount(ctx context.Context, id string) error
	// Drain stops the making of mailboxes and tells their owners to move, or takes
	// that back.
	Drain(ctx context.Context, on bool) (Drain, error)
	// Backup writes a consistent copy without keys.
	Backup(ctx context.Context, w io.Writer) error
	LogStat(ctx context.Context) (eventlog.Stat, error)
	LogVerify(ctx context.Context) (eventlog.Report, error)
	LogReclaim(ctx context.Context) error
	// ConfirmClock trusts the machine's clock. Seen is the time that the operator
	// was shown, or zero.
	ConfirmClock(ctx context.Context, seen time.Time) error
	// Close ends the asking; what was opened for it is given up.
	Close() error
}

// Errors that a caller tells apart.
var (
	// ErrNotRunning: there is no node on the socket.
	ErrNotRunning = errors.New("the node is not running")
	// ErrNeedsNode: only a running node can do this.
	ErrNeedsNode = errors.New("only a running node can do this: start it first")
)

// Token is an invitation that still admits profiles. The id is the beginning of its
// hash: the token itself is not kept.
type Token struct {
	ID   string `json:"id"`
	Uses int    `json:"uses_left"`
}

// Account is what a token opened for one profile: a number that the profile has drawn,
// and how much of its quota is used.
type Account struct {
	ID           string `json:"id"`
	Mailboxes    int    `json:"mailboxes"`
	MailboxQuota int    `json:"mailbox_quota"`
}

// Status is a node's condition, for people and their scripts.
type Status struct {
	Version string    `json:"version,omitempty"`
	Started time.Time `json:"started,omitzero"`
	Running bool      `json:"running"`
	// URI is how clients are told of the agent, without a token.
	URI    string   `json:"uri"`
	Agent  string   `json:"agent"` // id, hexadecimal
	Roles  []string `json:"roles"`
	Policy string   `json:"policy"`

	Clock      Clock          `json:"clock"`
	Log        Log            `json:"log"`
	Descriptor Descriptor     `json:"descriptor"`
	Drain      Drain          `json:"drain"`
	Accounts   int            `json:"accounts"`
	TokenUses  int            `json:"token_uses"` // accounts that tokens can still open
	Conns      int            `json:"connections"`
	Stat       *eventlog.Stat `json:"stat,omitempty"`
	// Problems are what an operator should look at, most urgent first.
	Problems []string `json:"problems"`
}

// Clock says whether the machine's time is trusted. While it is not, nothing
// expires and nothing new is admitted.
type Clock struct {
	Trusted     bool      `json:"trusted"`
	LastTrusted time.Time `json:"last_trusted"`
	Now         time.Time `json:"now"`
}

// Log is the condition of the event log.
type Log struct {
	Health string `json:"health"` // "healthy", "disk low", "read-only" or "failed"
	Reason string `json:"reason,omitempty"`
}

// HealthText names a condition.
func HealthText(h eventlog.Health) string {
	switch h {
	case eventlog.Healthy:
		return "healthy"
	case eventlog.DiskLow:
		return "disk low"
	case eventlog.ReadOnly:
		return "read-only"
	}
	return "failed"
}

// Descriptor says which service descriptor the node serves.
type Descriptor struct {
	Sequence  uint64    `json:"sequence"`
	Issued    time.Time `json:"issued,omitzero"`
	Addresses []string  `json:"addresses"`
}

// Drain is how far leaving has come.
type Drain struct {
	Draining bool      `json:"draining"`
	Since    time.Time `json:"since,omitzero"`
	// Bodies is how many messages, outcomes and blobs are still stored.
	Bodies uint64 `json:"bodies"`
	// Done: the node may be stopped for good without anybody losing a message.
	Done bool `json:"done"`
	// Until is when it is done at the latest.
	Until time.Time `json:"until,omitzero"`
}

// Health is the answer of /healthz.
type Health struct {
	OK     bool
	Reason string
}
