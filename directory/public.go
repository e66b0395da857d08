package directory

import (
	"bytes"
	"context"
	"errors"

	"golang.org/x/mod/sumdb/tlog"

	"communicator/directory/proof"
	"communicator/directory/vend"
	"communicator/eventlog"
	"communicator/wire"
	"communicator/wire/mux"
	"communicator/wire/pb"
)

// nameIn reads a name as requests carry it: in its canonical form alone.
func nameIn(s string) (proof.Name, error) {
	name, err := proof.ParseName(s)
	if err != nil || string(name) != s {
		return "", refuse(wire.StatusMalformed, 0)
	}
	return name, nil
}

func (d *Directory) getSpace(req *pb.GetSpace) (*pb.DirectoryResponse, error) {
	s, err := d.space(req.Namespace)
	if err != nil {
		return nil, err
	}
	out := &pb.Space{Frozen: s.signer.isFrozen()}
	m := s.current().Current()
	out.Manifest, out.Witnessed = m.Number, m.WitnessThreshold > 0
	_, out.Registers = d.attester(s.ns, m, d.seconds())
	err = d.cfg.Log.View(func(tables eventlog.Tables) error {
		row, err := loadSpace(tables.Table(wire.TableDirectory), s.ns)
		if err != nil || row == nil {
			return errors.Join(err, wire.ErrMalformed)
		}
		rule, err := vend.ReadSpace(tables.Table(wire.TableVend), s.ns)
		out.Size, out.Rule, out.PerHour, out.WorkBits = row.leaves, uint32(rule.Rule), rule.PerHour, uint32(rule.WorkBits)
		return err
	})
	return &pb.DirectoryResponse{Space: out}, err
}

func (d *Directory) getManifests(req *pb.GetManifests, w mux.ReplyWriter) (*pb.DirectoryResponse, error) {
	s, err := d.space(req.Namespace)
	if err != nil {
		return nil, err
	}
	from := max(req.From, 1)
	row := spaceRow{number: s.number, manifests: s.current().Current().Number}
	list, err := d.manifests(row, from, MaxManifestPage)
	if err != nil {
		return nil, err
	}
	for _, m := range list {
		if w.Item(&pb.DirectoryResponse{Status: uint32(wire.StatusOK), Manifest: m}) != nil {
			return nil, errGone
		}
	}
	return &pb.DirectoryResponse{More: uint64(from)+uint64(len(list)) <= uint64(row.manifests) && len(list) > 0}, nil
}

// getAttestation makes the staple of the newest statement about a name.
func (d *Directory) getAttestation(req *pb.GetAttestation) (*pb.DirectoryResponse, error) {
	s, err := d.space(req.Namespace)
	if err != nil {
		return nil, err
	}
	name, err := nameIn(req.Name)
	if err != nil {
		return nil, err
	}
	staple, err := d.staple(s, name)
	if err != nil {
		return nil, err
	}
	b, err := staple.Marshal()
	return &pb.DirectoryResponse{Staple: b}, err
}

func (d *Directory) staple(s *space, name proof.Name) (st proof.Staple, err error) {
	err = d.cfg.Log.View(func(tables eventlog.Tables) error {
		r := tables.Table(wire.TableDirectory)
		n, err := loadName(r, s.number, name)
		if err != nil {
			return err
		}
		if n == nil || n.version == 0 {
			return refuse(wire.StatusNotFound, 0)
		}
		leaf, err := load(r, nsKey64(rowLeaf, s.number, n.leaf), parseLeaf)
		if err != nil || leaf == nil {
			return errors.Join(err, wire.ErrMalformed)
		}
		st.Statement, st.IdDoc, st.Opening, st.Index = leaf.statement, leaf.identity, leaf.opening, int64(n.leaf)
		return nil
	})
	if err != nil {
		return st, err
	}
	size, note, err := s.signer.covering(uint64(st.Index))
	if err != nil {
		return st, err
	}
	st.Checkpoint = note
	m := s.current().Current()
	st.Manifest, st.ManifestID = m.Number, m.Hash()
	err = d.cfg.Log.View(func(tables eventlog.Tables) (err error) {
		st.Inclusion, err = tlog.ProveRecord(int64(size), st.Index, tree(tables.Table(wire.TableDirectory), s.number))
		return err
	})
	return st, err
}

func (d *Directory) getCheckpoint(req *pb.GetCheckpoint) (*pb.DirectoryResponse, error) {
	s, err := d.space(req.Namespace)
	if err != nil {
		return nil, err
	}
	c, err := s.signer.newest()
	if err != nil {
		return nil, err
	}
	return &pb.DirectoryResponse{Checkpoint: c.note}, nil
}

// sized settles the size that a proof is for: one that is asked for, or the newest
// checkpoint's, which then comes along.
func (d *Directory) sized(s *space, asked uint64) (size uint64, note []byte, err error) {
	if asked == 0 {
		c, err := s.signer.newest()
		if err != nil {
			return 0, nil, err
		}
		return c.size, c.note, nil
	}
	err = d.cfg.Log.View(func(tables eventlog.Tables) error {
		row, err := loadSpace(tables.Table(wire.TableDirectory), s.ns)
		if err != nil || row == nil {
			return errors.Join(err, wire.ErrMalformed)
		}
		if asked > row.leaves {
			return refuse(wire.StatusNotFound, 0)
		}
		return nil
	})
	return asked, nil, err
}

func (d *Directory) getConsistency(req *pb.GetConsistency) (*pb.DirectoryResponse, error) {
	s, err := d.space(req.Namespace)
	if err != nil {
		return nil, err
	}
	size, note, err := d.sized(s, req.New)
	if err != nil {
		return nil, err
	}
	if req.Old == 0 || req.Old > size {
		return nil, refuse(wire.StatusMalformed, 0)
	}
	out := &pb.Proof{Size: size, Checkpoint: note}
	err = d.cfg.Log.View(func(tables eventlog.Tables) error {
		hashes := tree(tables.Table(wire.TableDirectory), s.number)
		root, err := tlog.TreeHash(int64(req.Old), hashes)
		if err != nil {
			return err
		}
		p, err := tlog.ProveTree(int64(size), int64(req.Old), hashes)
		out.Root, out.Hashes = root[:], hashList(p)
		return err
	})
	return &pb.DirectoryResponse{Proof: out}, err
}

func (d *Directory) getInclusion(req *pb.GetInclusion) (*pb.DirectoryResponse, error) {
	s, err := d.space(req.Namespace)
	if err != nil {
		return nil, err
	}
	size, note, err := d.sized(s, req.Size)
	if err != nil {
		return nil, err
	}
	if req.Leaf >= size {
		return nil, refuse(wire.StatusNotFound, 0)
	}
	out := &pb.Proof{Size: size, Checkpoint: note}
	err = d.cfg.Log.View(func(tables eventlog.Tables) error {
		p, err := tlog.ProveRecord(int64(size), int64(req.Leaf), tree(tables.Table(wire.TableDirectory), s.number))
		out.Hashes = hashList(p)
		return err
	})
	return &pb.DirectoryResponse{Proof: out}, err
}

func hashList(hashes []tlog.Hash) (list [][]byte) {
	for _, h := range hashes {
		list = append(list, h[:])
	}
	return list
}

func (d *Directory) getTags(req *pb.GetTags) (*pb.DirectoryResponse, error) {
	s, err := d.space(req.Namespace)
	if err != nil {
		return nil, err
	}
	if len(req.Tags) > MaxTags {
		return nil, refuse(wire.StatusTooLarge, 0)
	}
	out := &pb.DirectoryResponse{}
	err = d.cfg.Log.View(func(tables eventlog.Tables) error {
		for _, tag := range req.Tags {
			if len(tag) != len(proof.Hash{}) {
				return refuse(wire.StatusMalformed, 0)
			}
			leaf, err := leafOfTag(tables.Table(wire.TableDirectory), s.number, tag)
			if err != nil {
				return err
			}
			if leaf != nil {
				out.Tags = append(out.Tags, &pb.Tagged{Tag: tag, Leaf: *leaf})
			}
		}
		return nil
	})
	return out, err
}

// getStatements pages through a name's history.
func (d *Directory) getStatements(req *pb.GetStatements, w mux.ReplyWriter) (*pb.DirectoryResponse, error) {
	s, err := d.space(req.Namespace)
	if err != nil {
		return nil, err
	}
	name, err := nameIn(req.Name)
	if err != nil {
		return nil, err
	}
	page, more, err := d.history(s, name, req.After)
	if err != nil {
		return nil, err
	}
	for _, l := range page {
		if w.Item(&pb.DirectoryResponse{Status: uint32(wire.StatusOK), Logged: l}) != nil {
			return nil, errGone
		}
	}
	return &pb.DirectoryResponse{More: more}, nil
}

// history reads a name's statements after a version, by the tags of their versions.
func (d *Directory) history(s *space, name proof.Name, after uint32) (page []*pb.Logged, more bool, err error) {
	err = d.cfg.Log.View(func(tables eventlog.Tables) error {
		r := tables.Table(wire.TableDirectory)
		n, err := loadName(r, s.number, name)
		if err != nil {
			return err
		}
		if n == nil {
			return refuse(wire.StatusNotFound, 0)
		}
		for v := uint64(after) + 1; v <= uint64(n.version); v++ {
			if more = len(page) == MaxStatements; more {
				return nil
			}
			tag := proof.Tag(n.secret, uint32(v))
			at, err := leafOfTag(r, s.number, tag[:])
			if err != nil || at == nil {
				return errors.Join(err, wire.ErrMalformed)
			}
			leaf, err := load(r, nsKey64(rowLeaf, s.number, *at), parseLeaf)
			if err != nil || leaf == nil {
				return errors.Join(err, wire.ErrMalformed)
			}
			page = append(page, &pb.Logged{
				Statement: leaf.statement, Identity: leaf.identity, Opening: leaf.opening[:], Leaf: *at,
			})
		}
		return nil
	})
	return page, more, err
}

func (d *Directory) getRevocations(req *pb.GetRevocations, w mux.ReplyWriter) (*pb.DirectoryResponse, error) {
	s, err := d.space(req.Namespace)
	if err != nil {
		return nil, err
	}
	if len(req.Id) != len(proof.Hash{}) {
		return nil, refuse(wire.StatusMalformed, 0)
	}
	list, err := d.revocations(s, proof.Hash(req.Id))
	if err != nil {
		return nil, err
	}
	for _, r := range list {
		if w.Item(&pb.DirectoryResponse{Status: uint32(wire.StatusOK), Revocation: r}) != nil {
			return nil, errGone
		}
	}
	return nil, nil
}

func (d *Directory) revocations(s *space, id proof.Hash) (list [][]byte, err error) {
	err = d.cfg.Log.View(func(tables eventlog.Tables) error {
		return tables.Table(wire.TableDirectory).Scan(nsKey(rowRevocation, s.number, id[:]), nil, func(_, v []byte) bool {
			list = append(list, bytes.Clone(v))
			return len(list) < MaxRevocations
		})
	})
	return list, err
}

// putManifest takes the next manifest, whoever brings it: its roots have signed it.
func (d *Directory) putManifest(ctx context.Context, req *pb.PutManifest) error {
	s, err := d.space(req.Namespace)
	if err != nil {
		return err
	}
	if err := d.admitting(); err != nil {
		return err
	}
	if len(req.Manifest) > proof.MaxManifest {
		return refuse(wire.StatusTooLarge, 0)
	}
	chain := s.current()
	signed := chain.Signed()
	if bytes.Equal(req.Manifest, signed[len(signed)-1]) {
		return nil
	}
	next, err := chain.Extend(req.Manifest)
	if err != nil {
		return judged(err)
	}
	// A log key that is not here would leave the namespace without checkpoints.
	if err := d.holdsKey(s.ns, next.Current()); err != nil {
		return refuse(wire.StatusUnsupported, 0)
	}
	if err := d.accept(ctx, s.ns, next); err != nil {
		return err
	}
	s.follow(next)
	return nil
}

// putCosignatures gathers witnesses' lines, and keeps the checkpoint once there are enough.
func (d *Directory) putCosignatures(ctx context.Context, req *pb.Cosign) error {
	s, err := d.space(req.Namespace)
	if err != nil {
		return err
	}
	if err := d.admitting(); err != nil {
		return err
	}
	if len(req.Checkpoint) > proof.MaxCheckpoint || len(req.Lines) == 0 || len(req.Lines) > MaxLines {
		return refuse(wire.StatusTooLarge, 0)
	}
	note, err := s.signer.cosign(req.Checkpoint, req.Lines)
	if err != nil || note == nil {
		return judged(err)
	}
	return d.keepCosigned(ctx, s, note)
}
