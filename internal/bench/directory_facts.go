package bench

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"time"

	"golang.org/x/sync/errgroup"

	"communicator/directory"
	"communicator/directory/proof"
	"communicator/eventlog"
)

// logged is a statement as a directory has put it into its log. Others are made after it,
// so that filling a log needs no signatures.
type logged struct {
	record  eventlog.Record
	secret  proof.NameSecret
	opening proof.Opening
	raw     []byte
}

// learnLayout submits one statement, and looks at what became of it.
func (w *directoryWorld) learnLayout(ctx context.Context) (err error) {
	if w.owner, err = newSubject(); err != nil {
		return err
	}
	e, err := w.entry(contactName, w.owner)
	if err != nil {
		return err
	}
	if _, err := w.authority(0).Submit(ctx, e); err != nil {
		return err
	}
	if w.model.raw, err = e.Statement.Marshal(); err != nil {
		return err
	}
	w.model.secret, w.model.opening = e.Secret, e.Opening
	for record, err := range w.log.Records(0) {
		if err != nil {
			return err
		}
		if record.Kind == directory.KindStatementLogged {
			w.model.record = record
		}
	}
	header := w.model.record.Header
	if !bytes.HasSuffix(header, w.model.raw) || !bytes.Contains(header, w.model.secret[:]) {
		return errors.New("the log does not hold the statement as this benchmark expects")
	}
	return nil
}

// fact is a statement about a new name as the log would have it.
type fact struct {
	statement proof.Statement
	secret    proof.NameSecret
	raw       []byte
	event     eventlog.Event
}

// fact makes the i-th: what stands for signatures is of their size, and nobody looks at it
// once a statement is in the log.
func (w *directoryWorld) fact(i int) (f fact, err error) {
	name := fmt.Sprintf("name%08d", i)
	f.statement = w.firstBind(proof.Name(name), w.owner)
	f.statement.Signatures = []proof.Signature{{1}, {2}}
	if f.raw, err = f.statement.Marshal(); err != nil {
		return f, err
	}
	f.secret = sha256.Sum256([]byte(name))
	m := w.model.record
	front := m.Header[:len(m.Header)-len(w.model.raw)]
	header := append(bytes.Replace(front, w.model.secret[:], f.secret[:], 1), f.raw...)
	f.event = eventlog.Event{Kind: m.Kind, Version: m.Version, Stream: m.Stream, Header: header}
	return f, nil
}

// verified appends statements as a directory does once their signatures are verified.
func (w *directoryWorld) verified(ctx context.Context, n int, progress io.Writer) (s spent, err error) {
	for first := 0; first < n; first += factChunk {
		facts := make([]fact, min(factChunk, n-first))
		err := parallel(len(facts), func(i int) (err error) {
			facts[i], err = w.fact(first + i)
			return err
		})
		if err != nil {
			return s, err
		}
		if err := s.spend(len(facts), func() error { return w.append(ctx, facts) }); err != nil {
			return s, err
		}
		fmt.Fprintf(progress, "%d statements, %.0f/s\n", s.n, s.perS())
	}
	return s, nil
}

// append logs facts in batches, each of which is judged on the log's writer.
func (w *directoryWorld) append(ctx context.Context, facts []fact) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(directoryClients)
	hold := w.chain.Current().Hold
	for len(facts) > 0 {
		n := min(len(facts), directory.MaxEntries)
		batch := facts[:n]
		facts = facts[n:]
		g.Go(func() error {
			_, err := w.log.Decide(ctx, func(now time.Time, _ eventlog.Tables) ([]eventlog.Event, error) {
				events := make([]eventlog.Event, len(batch))
				for i, f := range batch {
					state := proof.NewName(f.statement.NS, f.statement.Name)
					if _, err := proof.Fold(state, f.statement, hold, now.UTC().Truncate(time.Second)); err != nil {
						return nil, err
					}
					events[i] = f.event
				}
				return events, nil
			})
			return err
		})
	}
	return g.Wait()
}

// inclusion asks for proofs of what verified appended.
func (w *directoryWorld) inclusion(ctx context.Context, n int, r *DirectoryResult) (took []time.Duration, err error) {
	c := w.clients[0]
	_, checkpoint, err := c.Checkpoint(ctx, w.chain)
	if err != nil {
		return nil, err
	}
	r.Leaves = checkpoint.Size
	for k := range inclusionProofs {
		f, err := w.fact(k * n / inclusionProofs)
		if err != nil {
			return nil, err
		}
		tag := proof.Tag(f.secret, f.statement.Version)
		at, err := c.Tags(ctx, w.chain.NSID(), []proof.Hash{tag})
		if err != nil {
			return nil, err
		}
		index, ok := at[tag]
		if !ok {
			return nil, errors.New("a statement that was logged has no leaf")
		}
		leaf := proof.Leaf(f.secret, f.statement.Version, proof.Commit(w.model.opening, f.raw))
		began := time.Now()
		if _, err := c.Inclusion(ctx, checkpoint, index, leaf); err != nil {
			return nil, err
		}
		took = append(took, time.Since(began))
	}
	return took, nil
}
