package directory

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"communicator/directory/proof"
	"communicator/directory/vend"
	"communicator/wire/pb"
)

// Space is what a directory says of a namespace.
type Space struct {
	vend.Space        // what holds for names that say nothing else
	Manifest   uint32 // number of the newest manifest
	Size       uint64 // statements in the log
	Registers  bool   // the directory attests registrations by itself, for a token
	Frozen     bool   // the log does not continue what the directory has signed
	Witnessed  bool   // attestations wait for witnesses
}

// Space asks for it.
func (c *Client) Space(ctx context.Context, ns proof.NSID) (Space, error) {
	resp, err := c.call(ctx, &pb.DirectoryRequest{Op: &pb.DirectoryRequest_Space{Space: &pb.GetSpace{Namespace: ns[:]}}})
	if err != nil {
		return Space{}, err
	}
	s := resp.GetSpace()
	if s == nil || s.Rule == 0 || s.Rule > uint32(vend.Open) || s.WorkBits > 0xff || s.Size > proof.MaxTreeSize {
		return Space{}, fmt.Errorf("%w: space", ErrProtocol)
	}
	return Space{
		Space:    vend.Space{Policy: vend.Policy{Rule: vend.Rule(s.Rule), PerHour: s.PerHour}, WorkBits: uint8(s.WorkBits)},
		Manifest: s.Manifest, Size: s.Size, Registers: s.Registers, Frozen: s.Frozen, Witnessed: s.Witnessed,
	}, nil
}

// Chain fetches and verifies the manifests of a namespace. With a chain that is known
// already only what follows it is fetched.
func (c *Client) Chain(ctx context.Context, ns proof.NSID, known *proof.Chain) (proof.Chain, error) {
	chain, have := proof.Chain{}, false
	if known != nil && known.NSID() == ns {
		chain, have = *known, known.Current().Number > 0
	}
	for range maxPages {
		from := uint32(1)
		if have {
			from = chain.Current().Number + 1
		}
		page, more, err := c.page(ctx, plain(&pb.DirectoryRequest{Op: &pb.DirectoryRequest_Manifests{
			Manifests: &pb.GetManifests{Namespace: ns[:], From: from},
		}}), maxPage)
		if err != nil {
			return proof.Chain{}, err
		}
		for _, item := range page {
			if have {
				chain, err = chain.Extend(item.Manifest)
			} else {
				chain, err = proof.VerifyChain(ns, item.Manifest)
			}
			if err != nil {
				return proof.Chain{}, err
			}
			have = true
		}
		if !more && have {
			return chain, nil
		}
		if len(page) == 0 {
			break
		}
	}
	return proof.Chain{}, fmt.Errorf("%w: manifests", ErrProtocol)
}

// Attestation fetches the newest statement about a name with its proofs, and verifies
// all of it. The staple is the file that proves it to others. With [proof.ErrHold] both
// are filled in: the statement is not in force yet.
func (c *Client) Attestation(ctx context.Context, chain proof.Chain, name proof.Name, secret proof.NameSecret, now time.Time) ([]byte, proof.Verified, error) {
	ns := chain.NSID()
	resp, err := c.call(ctx, &pb.DirectoryRequest{Op: &pb.DirectoryRequest_Attestation{
		Attestation: &pb.GetAttestation{Namespace: ns[:], Name: string(name)},
	}})
	if err != nil {
		return nil, proof.Verified{}, err
	}
	staple, err := proof.ParseStaple(resp.Staple)
	if err != nil {
		return nil, proof.Verified{}, fmt.Errorf("%w: staple: %w", ErrProtocol, err)
	}
	v, err := proof.VerifyStaple(staple, chain, name, secret, now)
	if errors.Is(err, proof.ErrName) {
		return nil, proof.Verified{}, fmt.Errorf("%w: another name: %w", ErrProtocol, err)
	}
	return resp.Staple, v, err
}

// openNote verifies the log's signature, and any cosignatures, without asking for as
// many as the manifest does: a fresh checkpoint has none yet.
func openNote(note []byte, chain proof.Chain) (proof.Checkpoint, error) {
	m := chain.Current()
	m.WitnessThreshold = 0
	return proof.OpenCheckpoint(note, chain.NSID(), m)
}

// Checkpoint fetches the log's newest checkpoint, verified, as a note.
func (c *Client) Checkpoint(ctx context.Context, chain proof.Chain) ([]byte, proof.Checkpoint, error) {
	ns := chain.NSID()
	resp, err := c.call(ctx, &pb.DirectoryRequest{Op: &pb.DirectoryRequest_Checkpoint{
		Checkpoint: &pb.GetCheckpoint{Namespace: ns[:]},
	}})
	if err != nil {
		return nil, proof.Checkpoint{}, err
	}
	cp, err := openNote(resp.Checkpoint, chain)
	return resp.Checkpoint, cp, err
}

// Continue fetches the newest checkpoint and the proof that it continues an older one. If
// it does not, the error is [proof.ErrConsistency], and the fork, which anyone can
// verify, says so: keep it, show it, and believe neither.
func (c *Client) Continue(ctx context.Context, chain proof.Chain, older []byte) (note []byte, newer proof.Checkpoint, fork *proof.Fork, err error) {
	old, err := openNote(older, chain)
	if err != nil {
		return nil, proof.Checkpoint{}, nil, err
	}
	ns := chain.NSID()
	resp, err := c.call(ctx, &pb.DirectoryRequest{Op: &pb.DirectoryRequest_Consistency{
		Consistency: &pb.GetConsistency{Namespace: ns[:], Old: uint64(old.Size)},
	}})
	if err != nil {
		return nil, proof.Checkpoint{}, nil, err
	}
	p, root, err := readProof(resp.GetProof(), true)
	if err != nil {
		return nil, proof.Checkpoint{}, nil, err
	}
	note = resp.Proof.Checkpoint
	if newer, err = openNote(note, chain); err != nil {
		return nil, proof.Checkpoint{}, nil, err
	}
	err = proof.VerifyConsistency(old, newer, p)
	if err == nil {
		return note, newer, nil, nil
	}
	if found, forkErr := proof.NewFork(chain, older, note, root, p); forkErr == nil {
		fork = &found
	}
	return note, newer, fork, err
}

// readProof reads the hashes of a proof.
func readProof(p *pb.Proof, rooted bool) (hashes []tlog.Hash, root tlog.Hash, err error) {
	bad := fmt.Errorf("%w: proof", ErrProtocol)
	if p == nil || len(p.Hashes) > maxHashes || rooted && len(p.Root) != len(root) {
		return nil, root, bad
	}
	copy(root[:], p.Root)
	for _, h := range p.Hashes {
		if len(h) != tlog.HashSize {
			return nil, root, bad
		}
		hashes = append(hashes, tlog.Hash(h))
	}
	return hashes, root, nil
}

// Inclusion proves that a leaf is in the tree of a checkpoint, and verifies that.
func (c *Client) Inclusion(ctx context.Context, cp proof.Checkpoint, index uint64, leaf []byte) (tlog.RecordProof, error) {
	resp, err := c.call(ctx, &pb.DirectoryRequest{Op: &pb.DirectoryRequest_Inclusion{
		Inclusion: &pb.GetInclusion{Namespace: cp.NS[:], Leaf: index, Size: uint64(cp.Size)},
	}})
	if err != nil {
		return nil, err
	}
	hashes, _, err := readProof(resp.GetProof(), false)
	if err != nil {
		return nil, err
	}
	return hashes, proof.VerifyInclusion(cp, int64(index), leaf, hashes)
}

// Tags asks which of these tags are in the log, and where. So the owner of a name
// watches: the tag of its next version must not be there.
func (c *Client) Tags(ctx context.Context, ns proof.NSID, tags []proof.Hash) (map[proof.Hash]uint64, error) {
	req := &pb.GetTags{Namespace: ns[:]}
	for _, t := range tags {
		req.Tags = append(req.Tags, bytes.Clone(t[:]))
	}
	resp, err := c.call(ctx, &pb.DirectoryRequest{Op: &pb.DirectoryRequest_Tags{Tags: req}})
	if err != nil {
		return nil, err
	}
	asked := map[proof.Hash]bool{}
	for _, t := range tags {
		asked[t] = true
	}
	found := map[proof.Hash]uint64{}
	for _, t := range resp.Tags {
		if len(t.Tag) != len(proof.Hash{}) || !asked[proof.Hash(t.Tag)] {
			return nil, fmt.Errorf("%w: tags", ErrProtocol)
		}
		found[proof.Hash(t.Tag)] = t.Leaf
	}
	return found, nil
}

// Logged is a statement as the log has it. Its signatures are the caller's to verify.
type Logged struct {
	Statement proof.Statement
	Raw       []byte
	Identity  []byte // document, or nothing
	Opening   proof.Opening
	Leaf      uint64
}

// Statements fetches a name's history after a version, one page of it.
func (c *Client) Statements(ctx context.Context, ns proof.NSID, name proof.Name, after uint32) (list []Logged, more bool, err error) {
	page, more, err := c.page(ctx, plain(&pb.DirectoryRequest{Op: &pb.DirectoryRequest_Statements{
		Statements: &pb.GetStatements{Namespace: ns[:], Name: string(name), After: after},
	}}), maxPage)
	if err != nil {
		return nil, false, err
	}
	for i, item := range page {
		l := item.GetLogged()
		s, err := proof.ParseStatement(l.GetStatement())
		if err != nil || len(l.Opening) != len(proof.Opening{}) || s.NS != ns || s.Name != name || s.Version != after+uint32(i)+1 {
			return nil, false, fmt.Errorf("%w: statements", ErrProtocol)
		}
		list = append(list, Logged{s, l.Statement, l.Identity, proof.Opening(l.Opening), l.Leaf})
	}
	return list, more, nil
}

// Revocations fetches the vetoes and revocations of a key, verified.
func (c *Client) Revocations(ctx context.Context, chain proof.Chain, key proof.Key) (list []proof.Statement, err error) {
	ns, id := chain.NSID(), proof.RevocationID(key)
	page, _, err := c.page(ctx, plain(&pb.DirectoryRequest{Op: &pb.DirectoryRequest_Revocations{
		Revocations: &pb.GetRevocations{Namespace: ns[:], Id: id[:]},
	}}), maxPage)
	if err != nil {
		return nil, err
	}
	for _, item := range page {
		s, err := proof.ParseStatement(item.Revocation)
		if err != nil || s.NS != ns || s.Key != key || s.Kind != proof.Veto && s.Kind != proof.Revoke {
			return nil, fmt.Errorf("%w: revocations", ErrProtocol)
		}
		if err := s.Verify(chain.Current()); err != nil {
			return nil, err
		}
		list = append(list, s)
	}
	return list, nil
}

// Relations fetches the successions and equivalences that a key has signed, verified.
func (c *Client) Relations(ctx context.Context, ns proof.NSID, key proof.Key) (list []proof.Relation, err error) {
	id := proof.RevocationID(key)
	page, _, err := c.page(ctx, plain(&pb.DirectoryRequest{Op: &pb.DirectoryRequest_Relations{
		Relations: &pb.GetRelations{Namespace: ns[:], Id: id[:]},
	}}), maxPage)
	if err != nil {
		return nil, err
	}
	for _, item := range page {
		rel, err := proof.ParseRelation(item.Relation)
		if err != nil || rel.A.Key != key && rel.B.Key != key {
			return nil, fmt.Errorf("%w: relations", ErrProtocol)
		}
		if err := rel.Verify(); err != nil {
			return nil, err
		}
		list = append(list, rel)
	}
	return list, nil
}

// PutManifest brings the next manifest, signed by its roots.
func (c *Client) PutManifest(ctx context.Context, ns proof.NSID, signed proof.SignedManifest) error {
	_, err := c.call(ctx, &pb.DirectoryRequest{Op: &pb.DirectoryRequest_PutManifest{
		PutManifest: &pb.PutManifest{Namespace: ns[:], Manifest: signed},
	}})
	return err
}

// Cosign brings witnesses' lines for a checkpoint as the directory gave it out.
func (c *Client) Cosign(ctx context.Context, ns proof.NSID, note []byte, lines ...[]byte) error {
	_, err := c.call(ctx, &pb.DirectoryRequest{Op: &pb.DirectoryRequest_Cosign{
		Cosign: &pb.Cosign{Namespace: ns[:], Checkpoint: note, Lines: lines},
	}})
	return err
}
