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

// own finds the name that an owner's operation is about, and says who holds it: whose key
// has signed the operation. Anyone else hears the same, whether there is such a name or
// not.
func (d *Directory) own(ns []byte, name string, key proof.Key) (*space, proof.Name, vend.Identity, error) {
	s, err := d.space(ns)
	if err != nil {
		return nil, "", vend.Identity{}, err
	}
	n, err := nameIn(name)
	if err != nil {
		return nil, "", vend.Identity{}, err
	}
	var row *nameRow
	err = d.cfg.Log.View(func(tables eventlog.Tables) (err error) {
		row, err = loadName(tables.Table(wire.TableDirectory), s.number, n)
		return err
	})
	if err != nil {
		return nil, "", vend.Identity{}, err
	}
	holder, ok := heldBy(row, key, d.cfg.Now())
	if !ok {
		return nil, "", vend.Identity{}, refuse(wire.StatusAuth, 0)
	}
	return s, n, holder, nil
}

// heldBy says whether a key is the name's at a time.
func heldBy(row *nameRow, key proof.Key, now time.Time) (vend.Identity, bool) {
	holder := holderOf(row, now)
	if holder == (vend.Identity{}) {
		return holder, false
	}
	h, _ := row.state.Current(now)
	return holder, h.Key == key
}

// owned runs a step for the holder of a name, who may have lost it since it was looked up.
func (d *Directory) owned(ctx context.Context, s *space, name proof.Name, holder vend.Identity, in vend.Input) error {
	if err := d.admitting(); err != nil {
		return err
	}
	lost := false
	out, err := d.vend(ctx, s, name, func(now vend.Identity) vend.Input {
		if lost = now != holder; lost {
			return nil
		}
		return in
	})
	switch {
	case err != nil:
		return err
	case lost:
		return refuse(wire.StatusAuth, 0)
	}
	return stepped(out)
}

// stepped turns a step's refusal into an error.
func stepped(out vend.Effects) error {
	switch out.Status {
	case wire.StatusOK:
		return nil
	case wire.StatusTryAgain:
		return refuse(out.Status, retryQuota)
	}
	return refuse(out.Status, 0)
}

func (c *session) stock(_ context.Context, op operation) (*pb.DirectoryResponse, error) {
	var req pb.OwnName
	if err := op.parse(&req); err != nil {
		return nil, err
	}
	s, name, holder, err := c.own(req.Namespace, req.Name, op.key)
	if err != nil {
		return nil, err
	}
	var st vend.Stock
	err = c.cfg.Log.View(func(tables eventlog.Tables) (err error) {
		id := vend.NameIDOf(s.ns, string(name))
		st, err = vend.Look(c.cfg.Now(), tables.Table(wire.TableVend), id, holder, c.cfg.Limits.Vend)
		return err
	})
	if err != nil {
		return nil, err
	}
	out := &pb.Stock{
		OneTime: st.Live, Shared: st.Shared, Waiting: st.Waiting, Rule: uint32(st.Rule), PerHour: st.PerHour,
		Room: c.cfg.Limits.Vend.Stock - min(st.Stock, c.cfg.Limits.Vend.Stock),
	}
	if st.LastResort != 0 {
		out.LastResortExpires = uint64(st.LastResortExpires.Time().Unix())
	}
	if st.Drained != 0 {
		out.Drained = uint64(st.Drained.Time().Unix())
	}
	return &pb.DirectoryResponse{Stock: out}, nil
}

func (c *session) upload(ctx context.Context, op operation) (*pb.DirectoryResponse, error) {
	var req pb.Upload
	if err := op.parse(&req); err != nil {
		return nil, err
	}
	if len(req.Packages) == 0 || len(req.Packages) > vend.MaxPackages {
		return nil, refuse(wire.StatusTooLarge, 0)
	}
	s, name, holder, err := c.own(req.Namespace, req.Name, op.key)
	if err != nil {
		return nil, err
	}
	add := vend.Add{Name: vend.NameIDOf(s.ns, string(name)), Holder: holder}
	for _, b := range req.Packages {
		p, err := readPackage(b, holder)
		if err != nil {
			return nil, err
		}
		add.Packages = append(add.Packages, p)
	}
	return nil, c.owned(ctx, s, name, holder, add)
}

func (c *session) setRule(ctx context.Context, op operation) (*pb.DirectoryResponse, error) {
	var req pb.SetRule
	if err := op.parse(&req); err != nil {
		return nil, err
	}
	s, name, holder, err := c.own(req.Namespace, req.Name, op.key)
	if err != nil {
		return nil, err
	}
	if req.Rule > uint32(vend.Open) {
		return nil, refuse(wire.StatusMalformed, 0)
	}
	return nil, c.owned(ctx, s, name, holder, vend.SetRule{
		Name: vend.NameIDOf(s.ns, string(name)), Holder: holder,
		Policy: vend.Policy{Rule: vend.Rule(req.Rule), PerHour: req.PerHour},
	})
}

// requests lists who waits, with the notes that they brought.
func (c *session) requests(_ context.Context, op operation) (*pb.DirectoryResponse, error) {
	var req pb.ListRequests
	if err := op.parse(&req); err != nil {
		return nil, err
	}
	s, name, _, err := c.own(req.Namespace, req.Name, op.key)
	if err != nil {
		return nil, err
	}
	var list []vend.Waiting
	more := false
	err = c.cfg.Log.View(func(tables eventlog.Tables) (err error) {
		id := vend.NameIDOf(s.ns, string(name))
		list, more, err = vend.ListWaiting(tables.Table(wire.TableVend), id, req.After, MaxWaiting)
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, w := range list {
		note, err := c.cfg.Log.Body(w.Position)
		switch {
		case errors.Is(err, eventlog.ErrErased):
			continue // decided meanwhile
		case errors.Is(err, eventlog.ErrNoRecord):
			note = nil
		case err != nil:
			return nil, err
		}
		item := &pb.DirectoryResponse{
			Status:  uint32(wire.StatusOK),
			Waiting: &pb.Waiting{Request: w.Request[:], Note: note, Position: w.Position},
		}
		if op.w.Item(item) != nil {
			return nil, errGone
		}
	}
	return &pb.DirectoryResponse{More: more}, nil
}

func (c *session) decideRequests(ctx context.Context, op operation) (*pb.DirectoryResponse, error) {
	var req pb.Decide
	if err := op.parse(&req); err != nil {
		return nil, err
	}
	s, name, holder, err := c.own(req.Namespace, req.Name, op.key)
	if err != nil {
		return nil, err
	}
	digests, err := digestsIn(req.Requests, vend.MaxDecisions)
	if err != nil {
		return nil, err
	}
	return nil, c.owned(ctx, s, name, holder, vend.Decide{
		Name: vend.NameIDOf(s.ns, string(name)), Holder: holder, Approve: req.Approve, Requests: digests,
	})
}

func digestsIn(list [][]byte, max int) ([]vend.Digest, error) {
	if len(list) == 0 || len(list) > max {
		return nil, refuse(wire.StatusTooLarge, 0)
	}
	digests := make([]vend.Digest, len(list))
	for i, d := range list {
		if len(d) != len(digests[i]) {
			return nil, refuse(wire.StatusMalformed, 0)
		}
		digests[i] = vend.Digest(d)
	}
	return digests, nil
}

// invite makes an owner's tokens valid.
func (c *session) invite(ctx context.Context, op operation) (*pb.DirectoryResponse, error) {
	s, name, holder, in, err := c.ownTokens(op)
	if err != nil {
		return nil, err
	}
	return nil, c.owned(ctx, s, name, holder, in)
}

func (c *session) uninvite(ctx context.Context, op operation) (*pb.DirectoryResponse, error) {
	s, name, holder, in, err := c.ownTokens(op)
	if err != nil {
		return nil, err
	}
	return nil, c.owned(ctx, s, name, holder, vend.Revoke{Token: in.Token, Scope: in.Scope, Digests: in.Digests})
}

func (c *session) ownTokens(op operation) (s *space, name proof.Name, holder vend.Identity, in vend.Issue, err error) {
	var req pb.Tokens
	if err = op.parse(&req); err != nil {
		return
	}
	if s, name, holder, err = c.own(req.Namespace, req.Name, op.key); err != nil {
		return
	}
	if vend.TokenKind(req.Kind) != vend.Contact || req.Kind > 0xff {
		err = refuse(wire.StatusMalformed, 0)
		return
	}
	in, err = tokensIn(&req, vend.OwnerScope(vend.NameIDOf(s.ns, string(name)), holder))
	return
}

func tokensIn(req *pb.Tokens, scope vend.Scope) (vend.Issue, error) {
	if req.Kind > 0xff || req.Expires > maxUnix {
		return vend.Issue{}, refuse(wire.StatusMalformed, 0)
	}
	digests, err := digestsIn(req.Digests, vend.MaxTokens)
	return vend.Issue{
		Token: vend.TokenKind(req.Kind), Scope: scope, Expires: time.Unix(int64(req.Expires), 0).UTC(), Digests: digests,
	}, err
}
