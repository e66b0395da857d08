package directory

import (
	"context"
	"errors"
	"time"

	"communicator/directory/proof"
	"communicator/directory/vend"
	"communicator/eventlog"
	"communicator/wire"
	"communicator/wire/pb"
)

// authority finds the namespace that one of its attesting keys speaks for.
func (d *Directory) authority(ns []byte, key proof.Key) (*space, error) {
	s, err := d.space(ns)
	if err != nil {
		return nil, err
	}
	if !attests(s.current().Current(), key, d.seconds()) {
		return nil, refuse(wire.StatusAuth, 0)
	}
	return s, d.admitting()
}

// submit logs the authority's statements, all or none.
func (c *session) submit(ctx context.Context, op operation) (*pb.DirectoryResponse, error) {
	var req pb.Submit
	if err := op.parse(&req); err != nil {
		return nil, err
	}
	s, err := c.authority(req.Namespace, op.key)
	if err != nil {
		return nil, err
	}
	if len(req.Entries) == 0 || len(req.Entries) > MaxEntries {
		return nil, refuse(wire.StatusTooLarge, 0)
	}
	entries, err := c.entries(s, req.Entries)
	if err != nil {
		return nil, err
	}
	for range foldRounds {
		m := s.current().Current()
		if err := c.verify(m, entries); err != nil {
			return nil, err
		}
		leaf, err := c.log(ctx, s, m, entries, nil)
		if err == nil && s.signer.isFrozen() {
			err = s.signer.check()
		}
		if !errors.Is(err, errAmended) {
			return &pb.DirectoryResponse{Leaf: leaf}, err
		}
	}
	return nil, refuse(wire.StatusTryAgain, retryOverload)
}

// entries reads a batch. What a frozen log lacks is brought back however old it is.
func (d *Directory) entries(s *space, list []*pb.Entry) ([]entry, error) {
	entries := make([]entry, len(list))
	now := d.seconds()
	for i, p := range list {
		e := &entries[i]
		st, err := proof.ParseStatement(p.Statement)
		if err != nil {
			return nil, judged(err)
		}
		if st.NS != s.ns || !inLog(st.Kind) {
			return nil, refuse(wire.StatusMalformed, 0)
		}
		if err := st.Fresh(now); err != nil && !s.signer.isFrozen() {
			return nil, judged(err)
		}
		e.statement, e.raw = st, p.Statement
		if err := e.attachments(p); err != nil {
			return nil, err
		}
	}
	return entries, nil
}

// verify checks the signatures of a batch on all processors.
func (d *Directory) verify(m proof.Manifest, entries []entry) error {
	statements := make([]proof.Statement, len(entries))
	for i := range entries {
		statements[i] = entries[i].statement
	}
	for _, err := range proof.VerifyStatements(m, d.cfg.Limits.Workers, statements...) {
		if err != nil {
			return judged(err)
		}
	}
	return nil
}

// issue makes the authority's tokens valid.
func (c *session) issue(ctx context.Context, op operation) (*pb.DirectoryResponse, error) {
	in, err := c.spaceTokens(op)
	if err != nil {
		return nil, err
	}
	return nil, c.step(ctx, in)
}

func (c *session) withdraw(ctx context.Context, op operation) (*pb.DirectoryResponse, error) {
	in, err := c.spaceTokens(op)
	if err != nil {
		return nil, err
	}
	return nil, c.step(ctx, vend.Revoke{Token: in.Token, Scope: in.Scope, Digests: in.Digests})
}

func (c *session) spaceTokens(op operation) (vend.Issue, error) {
	var req pb.Tokens
	if err := op.parse(&req); err != nil {
		return vend.Issue{}, err
	}
	s, err := c.authority(req.Namespace, op.key)
	if err != nil {
		return vend.Issue{}, err
	}
	if k := vend.TokenKind(req.Kind); req.Name != "" || k != vend.Registration && k != vend.Member {
		return vend.Issue{}, refuse(wire.StatusMalformed, 0)
	}
	return tokensIn(&req, vend.SpaceScope(s.ns))
}

// setSpace sets what holds for names that say nothing else.
func (c *session) setSpace(ctx context.Context, op operation) (*pb.DirectoryResponse, error) {
	var req pb.SetSpace
	if err := op.parse(&req); err != nil {
		return nil, err
	}
	s, err := c.authority(req.Namespace, op.key)
	if err != nil {
		return nil, err
	}
	if req.Rule > uint32(vend.Open) || req.WorkBits > vend.MaxWorkBits {
		return nil, refuse(wire.StatusMalformed, 0)
	}
	space := vend.Space{
		Policy: vend.Policy{Rule: vend.Rule(req.Rule), PerHour: req.PerHour}, WorkBits: uint8(req.WorkBits),
	}
	return nil, c.step(ctx, vend.SetSpace{ID: s.ns, Space: space})
}

// step runs a step that is about no name.
func (d *Directory) step(ctx context.Context, in vend.Input) error {
	var out vend.Effects
	_, err := d.cfg.Log.Decide(ctx, func(now time.Time, tables eventlog.Tables) (_ []eventlog.Event, err error) {
		out, err = vend.Step(now, tables.Table(wire.TableVend), d.cfg.Limits.Vend, in)
		return vendEvents(out.Facts), err
	})
	if err != nil {
		return err
	}
	return stepped(out)
}
