package lookup

import (
	"context"
	"errors"

	"communicator/client/directory"
	"communicator/directory/proof"
	"communicator/wire"

	"golang.org/x/mod/sumdb/tlog"
)

// Over is a directory that is asked over its stream protocol. It closes the client.
func Over(c *directory.Client) Directory { return streamed{c} }

type streamed struct{ c *directory.Client }

// notFound gives the answer that there is nothing its own error.
func notFound(err error) error {
	var refused *wire.StatusError
	if errors.As(err, &refused) && refused.Status == wire.StatusNotFound {
		return ErrNotFound
	}
	return err
}

func (s streamed) Manifests(ctx context.Context, ns proof.NSID, from uint32) ([][]byte, error) {
	var all [][]byte
	for {
		page, more, err := s.c.Manifests(ctx, ns, from+uint32(len(all)))
		if err != nil {
			return nil, notFound(err)
		}
		all = append(all, page...)
		if !more || len(page) == 0 || len(all) > proof.MaxManifests {
			return all, nil
		}
	}
}

func (s streamed) Attestation(ctx context.Context, ns proof.NSID, name proof.Name) ([]byte, error) {
	staple, err := s.c.Staple(ctx, ns, name)
	return staple, notFound(err)
}

func (s streamed) Statements(ctx context.Context, ns proof.NSID, name proof.Name, after uint32, most int) ([]proof.Statement, error) {
	var all []proof.Statement
	for len(all) < most {
		page, more, err := s.c.Statements(ctx, ns, name, after+uint32(len(all)))
		if err != nil {
			return nil, notFound(err)
		}
		for _, l := range page[:min(len(page), most-len(all))] {
			all = append(all, l.Statement)
		}
		if !more || len(page) == 0 {
			break
		}
	}
	return all, nil
}

func (s streamed) Checkpoint(ctx context.Context, ns proof.NSID) ([]byte, error) {
	note, err := s.c.Note(ctx, ns)
	return note, notFound(err)
}

func (s streamed) Consistency(ctx context.Context, ns proof.NSID, older, newer int64) (tlog.TreeProof, tlog.Hash, error) {
	p, root, err := s.c.Consistency(ctx, ns, older, newer)
	return p, root, notFound(err)
}

func (s streamed) Tags(ctx context.Context, ns proof.NSID, tags []proof.Hash) (map[proof.Hash]int64, error) {
	found, err := s.c.Tags(ctx, ns, tags)
	if err != nil {
		return nil, notFound(err)
	}
	out := make(map[proof.Hash]int64, len(found))
	for tag, leaf := range found {
		out[tag] = int64(leaf)
	}
	return out, nil
}

func (s streamed) Revocations(ctx context.Context, chain proof.Chain, key proof.Key) ([]proof.Statement, error) {
	list, err := s.c.Revocations(ctx, chain, key)
	return list, notFound(err)
}

func (s streamed) Relations(ctx context.Context, ns proof.NSID, key proof.Key) ([]proof.Relation, error) {
	list, err := s.c.Relations(ctx, ns, key)
	return list, notFound(err)
}

func (s streamed) Close() error { return s.c.Close() }
