package lookup

import (
	"context"
	"errors"

	"communicator/dht"
	"communicator/directory/proof"

	"golang.org/x/mod/sumdb/tlog"
)

// Overlay is what a lookup asks of the DHT. *dht.DHT is one.
type Overlay interface {
	LookupAll(ctx context.Context, keys []string, fallback dht.Fallback) (dht.Answer, error)
}

// Directory is one directory node that serves a namespace. Nothing that it answers is
// believed before it was checked. An answer of "not found" is [ErrNotFound].
type Directory interface {
	// Manifests returns those from a number on, oldest first.
	Manifests(ctx context.Context, ns proof.NSID, from uint32) ([][]byte, error)
	// Attestation returns the newest staple of a name.
	Attestation(ctx context.Context, ns proof.NSID, name proof.Name) ([]byte, error)
	// Statements returns a name's history after a version, oldest first, so many at most.
	Statements(ctx context.Context, ns proof.NSID, name proof.Name, after uint32, most int) ([]proof.Statement, error)
	// Checkpoint returns the log's newest one.
	Checkpoint(ctx context.Context, ns proof.NSID) ([]byte, error)
	// Consistency proves that the log of one size begins with that of another; root is
	// what it says the head at the older size was.
	Consistency(ctx context.Context, ns proof.NSID, older, newer int64) (p tlog.TreeProof, root tlog.Hash, err error)
	// Tags returns which of the tags are in the log, and where.
	Tags(ctx context.Context, ns proof.NSID, tags []proof.Hash) (map[proof.Hash]int64, error)
	// Revocations returns the vetoes and revocations of a key.
	Revocations(ctx context.Context, chain proof.Chain, key proof.Key) ([]proof.Statement, error)
	// Relations returns the successions and equivalences that a key has signed.
	Relations(ctx context.Context, ns proof.NSID, key proof.Key) ([]proof.Relation, error)
	// Close ends the connection.
	Close() error
}

// Dialer connects to a directory node by its agent URI.
type Dialer func(ctx context.Context, uri string) (Directory, error)

// ask puts a question to one directory after the other until one of them gives an
// answer that the question takes. The error is that of the last one that answered at
// all, or [ErrUnreachable].
func (r *Resolver) ask(ctx context.Context, peers []string, question func(context.Context, Directory) error) error {
	err := ErrUnreachable
	if r.o.Dial == nil {
		return err
	}
	for _, uri := range peers[:min(len(peers), maxSources)] {
		answered, one := r.askOne(ctx, uri, question)
		if one == nil {
			return nil
		}
		if answered {
			err = one
		}
		if ctx.Err() != nil {
			return errors.Join(ErrUnreachable, context.Cause(ctx))
		}
	}
	return err
}

func (r *Resolver) askOne(ctx context.Context, uri string, question func(context.Context, Directory) error) (answered bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, sourceTimeout)
	defer cancel()
	d, err := r.o.Dial(ctx, uri)
	if err != nil {
		return false, err
	}
	err = question(ctx, d)
	return !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, context.Canceled), errors.Join(err, d.Close())
}
