package directory

import (
	"context"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"

	"communicator/directory/proof"
	"communicator/wire/pb"
)

// The requests of this file return what the directory said and check its layout alone:
// for a caller that keeps chains and checkpoints itself, as client/lookup does.

// Manifests fetches the manifests from a number on, oldest first, one page of them.
func (c *Client) Manifests(ctx context.Context, ns proof.NSID, from uint32) (list [][]byte, more bool, err error) {
	page, more, err := c.page(ctx, plain(&pb.DirectoryRequest{Op: &pb.DirectoryRequest_Manifests{
		Manifests: &pb.GetManifests{Namespace: ns[:], From: from},
	}}), maxPage)
	for _, item := range page {
		if len(item.Manifest) == 0 || len(item.Manifest) > proof.MaxManifest {
			return nil, false, fmt.Errorf("%w: manifests", ErrProtocol)
		}
		list = append(list, item.Manifest)
	}
	return list, more, err
}

// Staple fetches the newest staple of a name.
func (c *Client) Staple(ctx context.Context, ns proof.NSID, name proof.Name) ([]byte, error) {
	resp, err := c.call(ctx, &pb.DirectoryRequest{Op: &pb.DirectoryRequest_Attestation{
		Attestation: &pb.GetAttestation{Namespace: ns[:], Name: string(name)},
	}})
	if err == nil && len(resp.Staple) == 0 {
		err = fmt.Errorf("%w: staple", ErrProtocol)
	}
	return resp.GetStaple(), err
}

// Note fetches the log's newest checkpoint.
func (c *Client) Note(ctx context.Context, ns proof.NSID) ([]byte, error) {
	resp, err := c.call(ctx, &pb.DirectoryRequest{Op: &pb.DirectoryRequest_Checkpoint{
		Checkpoint: &pb.GetCheckpoint{Namespace: ns[:]},
	}})
	if err == nil && len(resp.Checkpoint) == 0 {
		err = fmt.Errorf("%w: checkpoint", ErrProtocol)
	}
	return resp.GetCheckpoint(), err
}

// Consistency fetches the proof between two sizes of the log, and what its head was at
// the older one.
func (c *Client) Consistency(ctx context.Context, ns proof.NSID, older, newer int64) (tlog.TreeProof, tlog.Hash, error) {
	resp, err := c.call(ctx, &pb.DirectoryRequest{Op: &pb.DirectoryRequest_Consistency{
		Consistency: &pb.GetConsistency{Namespace: ns[:], Old: uint64(older), New: uint64(newer)},
	}})
	if err != nil {
		return nil, tlog.Hash{}, err
	}
	return readProof(resp.GetProof(), true)
}
