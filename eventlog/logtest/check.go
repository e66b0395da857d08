// Package logtest holds what tests of packages over an event log share: an oracle
// of everything that must hold for any log at any time, and a projection to test
// with.
package logtest

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/binary"
	"errors"
	"fmt"

	"communicator/eventlog"
	"communicator/wire/logproof"
)

// T is what the oracle needs of a test; [testing.TB] and rapid's T have it.
type T interface {
	Helper()
	Error(args ...any)
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
	Context() context.Context
}

// CheckLog fails the test unless the log is whole: its chain, heads and bodies
// verify, its records and proofs agree with them, and dropping and replaying every
// projection's rows gives the same bytes. The log must be idle.
func CheckLog(t T, log eventlog.Log, pub ed25519.PublicKey, tables ...byte) {
	t.Helper()
	report, err := log.Verify(t.Context())
	if err != nil {
		t.Fatalf("verify: %v", err)
	}
	for _, d := range report.Damage {
		t.Errorf("verify: %v", d)
	}
	checkRecords(t, log, pub, report)
	stat, err := log.Stat()
	if err != nil {
		t.Fatalf("stat: %v", err)
	}
	if stat.Bodies != report.Bodies || stat.BodyBytes != report.BodyBytes {
		t.Errorf("stat counts %d bodies of %d bytes, there are %d of %d",
			stat.Bodies, stat.BodyBytes, report.Bodies, report.BodyBytes)
	}
	before := Rows(t, log, tables...)
	if err := log.Rebuild(t.Context()); err != nil {
		t.Fatalf("rebuild: %v", err)
	}
	if after := Rows(t, log, tables...); !bytes.Equal(before, after) {
		t.Errorf("a rebuild changes the projections' rows from %d to %d bytes", len(before), len(after))
	}
}

func checkRecords(t T, log eventlog.Log, pub ed25519.PublicKey, report eventlog.Report) {
	t.Helper()
	head := log.Head()
	if head.Number > 0 && !head.Verify(pub) {
		t.Error("the newest head is not signed by the node")
	}
	next, prev := report.First, [32]byte{}
	for r, err := range log.Records(0) {
		if err != nil {
			t.Fatalf("records: %v", err)
		}
		if r.Seq != next {
			t.Fatalf("record %d where %d was due", r.Seq, next)
		}
		if next != report.First && r.Prev != prev {
			t.Fatalf("record %d does not link to the one before", r.Seq)
		}
		encoded, err := logproof.AppendRecord(nil, &r)
		if err != nil {
			t.Fatalf("record %d: %v", r.Seq, err)
		}
		prev = logproof.HashRecord(encoded)
		// Proofs are checked at the first record and at every 97th after it.
		if (r.Seq-report.First)%97 == 0 {
			checkProof(t, log, pub, r)
		}
		next++
	}
	if next != report.Last+1 {
		t.Errorf("records end at %d, the log at %d", next-1, report.Last)
	}
}

func checkProof(t T, log eventlog.Log, pub ed25519.PublicKey, r eventlog.Record) {
	t.Helper()
	proof, err := log.Prove(r.Seq)
	if err != nil {
		t.Fatalf("prove %d: %v", r.Seq, err)
	}
	parsed, err := logproof.ParseProof(proof.Marshal())
	if err != nil {
		t.Fatalf("proof of %d does not parse: %v", r.Seq, err)
	}
	shown, err := logproof.VerifyProof(pub, parsed)
	if err != nil || shown.Seq != r.Seq {
		t.Fatalf("proof of %d shows %d: %v", r.Seq, shown.Seq, err)
	}
	body, err := log.Body(r.Seq)
	switch {
	case errors.Is(err, eventlog.ErrErased) || errors.Is(err, eventlog.ErrNoRecord):
		if parsed.Salt != nil {
			t.Errorf("proof of %d has the salt of a body that is gone", r.Seq)
		}
	case err != nil:
		t.Errorf("body of %d: %v", r.Seq, err)
	case !shown.MatchesBody((*[logproof.SaltSize]byte)(parsed.Salt), body):
		t.Errorf("proof of %d does not match its body", r.Seq)
	}
}

// Rows lists the rows of the tables, for comparing.
func Rows(t T, log eventlog.Log, tables ...byte) []byte {
	t.Helper()
	var out []byte
	err := log.View(func(all eventlog.Tables) error {
		for _, id := range tables {
			out = fmt.Appendf(out, "table %d\n", id)
			err := all.Table(id).Scan(nil, nil, func(key, value []byte) bool {
				out = fmt.Appendf(out, "%x=%x\n", key, value)
				return true
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatalf("rows: %v", err)
	}
	return out
}

// Kinds that Ledger understands.
const (
	Put  eventlog.Kind = 1 // stores its header as the value of its stream
	Drop eventlog.Kind = 2 // deletes the stream's row and erases the body of its put
)

// LedgerID is the id of Ledger's table.
const LedgerID byte = 7

// Ledger is a projection with one row for each stream: u64 sequence of the last
// put ‖ its header.
type Ledger struct{}

// Name is the table's name.
func (Ledger) Name() string { return "ledger" }

// ID is the table's prefix.
func (Ledger) ID() byte { return LedgerID }

// Apply folds one record in.
func (Ledger) Apply(w eventlog.Writer, r eventlog.Record, _ []byte) error {
	old, err := w.Get(r.Stream)
	if err != nil {
		return err
	}
	if old != nil {
		if err := w.EraseBody(binary.BigEndian.Uint64(old)); err != nil {
			return err
		}
	}
	switch r.Kind {
	case Put:
		return w.Set(r.Stream, append(binary.BigEndian.AppendUint64(nil, r.Seq), r.Header...))
	case Drop:
		return w.Delete(r.Stream)
	}
	return nil
}
