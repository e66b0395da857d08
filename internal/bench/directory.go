package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// DirectoryOptions say how long a namespace's log becomes.
type DirectoryOptions struct {
	Statements int    // besides those that are signed and verified
	Dir        string // on the disk to measure; a temporary folder if empty
}

// DirectoryResult is what a directory does on its log on disk, every commit synced. CPU is
// that of this process, which is client and directory in one.
type DirectoryResult struct {
	Statements int `json:"statements"`

	// Verified is facts of statements about new names whose signatures were verified
	// before: judged against the rules, without asking the rows whether the name is new,
	// and appended with all rows and the tree, in batches of 128.
	Verified    float64 `json:"verified_per_s"`
	VerifiedCPU float64 `json:"verified_cpu_us"` // each
	// Signed is statements that an authority submits over the protocol, each with two
	// signatures and a signed identity document of its own.
	Signed    float64 `json:"signed_per_s"`
	SignedCPU float64 `json:"signed_cpu_us"`

	// Inclusion is one proof, asked for over the protocol and verified, in a log of
	// Leaves.
	Leaves       int64   `json:"leaves"`
	Inclusion    float64 `json:"inclusion_ms"` // median
	InclusionP99 float64 `json:"inclusion_p99_ms"`

	// Contacts is requests for permission to contact one name, each granted with a
	// one-time package that is durably gone from the stock before it is answered.
	Contacts   float64 `json:"contacts_per_s"`
	ContactCPU float64 `json:"contact_cpu_us"`
}

const (
	// factChunk is how many facts are made, and then appended, at a time.
	factChunk = 1 << 14
	// maxSigned and maxContacts bound what takes long to prepare; of fewer statements
	// there are as many signed ones, and contacts in proportion.
	maxSigned, maxContacts, statementsPerContact = 1 << 13, 1 << 11, 16
	// directoryClients submit at a time, or append; contactClients ask.
	directoryClients, contactClients = 4, 32
	// inclusionProofs is how many are asked for.
	inclusionProofs = 256
)

// Directory measures the log of a namespace, proofs from it, and requests for contact.
func Directory(ctx context.Context, o DirectoryOptions, progress io.Writer) (r DirectoryResult, err error) {
	w, err := newDirectoryWorld(ctx, o.Dir)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	r.Statements = o.Statements
	signed, err := w.signed(ctx, min(o.Statements, maxSigned))
	if err != nil {
		return r, err
	}
	r.Signed, r.SignedCPU = signed.perS(), signed.each()
	fmt.Fprintf(progress, "%.0f signed statements/s\n", r.Signed)
	contacts, err := w.contacts(ctx, max(min(o.Statements/statementsPerContact, maxContacts), 1))
	if err != nil {
		return r, err
	}
	r.Contacts, r.ContactCPU = contacts.perS(), contacts.each()
	fmt.Fprintf(progress, "%.0f contact requests/s\n", r.Contacts)
	verified, err := w.verified(ctx, o.Statements, progress)
	if err != nil {
		return r, err
	}
	r.Verified, r.VerifiedCPU = verified.perS(), verified.each()
	took, err := w.inclusion(ctx, o.Statements, &r)
	if err != nil {
		return r, err
	}
	r.Inclusion, r.InclusionP99 = quantiles(took)
	return r, nil
}

// spent is what so many of something took.
type spent struct {
	n    int
	wall time.Duration
	cpu  time.Duration
}

func (s spent) perS() float64 { return float64(s.n) / s.wall.Seconds() }

// each is the CPU time of one, in microseconds.
func (s spent) each() float64 { return float64(s.cpu.Microseconds()) / float64(s.n) }

// spend adds what n of something take.
func (s *spent) spend(n int, do func() error) error {
	before, err := useOf(os.Getpid())
	if err != nil {
		return err
	}
	began := time.Now()
	if err := do(); err != nil {
		return err
	}
	s.wall += time.Since(began)
	after, err := useOf(os.Getpid())
	s.cpu += after.cpu - before.cpu
	s.n += n
	return err
}
