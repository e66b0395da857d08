package wire

import (
	"fmt"
	"time"
)

// Status is the answer to a request, in the clear. It never says anything about a
// mailbox that the asker could not know anyway; what happened to a put is in the
// sealed outcome.
type Status uint32

// Statuses. Numbers are part of the protocol and never reused.
const (
	StatusUnspecified Status = 0
	StatusOK          Status = 1
	StatusTryAgain    Status = 2 // overloaded or over a quota: retry after
	StatusPermission  Status = 3 // a token, proof of work or listed peer is needed
	StatusMalformed   Status = 4
	StatusTooLarge    Status = 5
	StatusConflict    Status = 6 // the same id with other content; the first stays
	StatusForbidden   Status = 7 // a destination that this agent will not dial
	StatusNotFound    Status = 8
	StatusExpired     Status = 9
	StatusAuth        Status = 10 // the owner's signature is missing or wrong
	StatusStorageFull Status = 11 // retry after
	StatusReadOnly    Status = 12 // the log is damaged: collecting works
	StatusDraining    Status = 13 // no new mailboxes: the agent is leaving
	StatusUnsupported Status = 14 // an unknown request
	StatusInternal    Status = 15
	StatusUnreachable Status = 16 // another agent could not be asked
)

var statusText = [...]string{
	"unspecified", "ok", "try again later", "permission needed", "malformed request",
	"too large", "conflicts with an earlier request", "forbidden destination", "not found",
	"expired", "owner's signature invalid", "storage full", "read-only after damage",
	"agent is leaving", "unsupported request", "internal error", "agent unreachable",
}

func (s Status) String() string {
	if int(s) < len(statusText) {
		return statusText[s]
	}
	return fmt.Sprintf("status %d", uint32(s))
}

// Known returns the status, or StatusMalformed for a number that this version does not
// know: what another agent answers must not become a name of its own in logs or metrics.
func (s Status) Known() Status {
	if int(s) < len(statusText) && s != StatusUnspecified {
		return s
	}
	return StatusMalformed
}

// Retryable says whether the same request may succeed later.
func (s Status) Retryable() bool {
	switch s {
	case StatusTryAgain, StatusStorageFull, StatusReadOnly, StatusInternal, StatusUnreachable:
		return true
	}
	return false
}

// StatusError is a request refused by the other side.
type StatusError struct {
	Status     Status
	RetryAfter time.Duration // zero if the other side gave none
}

func (e *StatusError) Error() string {
	if e.RetryAfter > 0 {
		return fmt.Sprintf("agent answered: %v, retry after %v", e.Status, e.RetryAfter)
	}
	return fmt.Sprintf("agent answered: %v", e.Status)
}
