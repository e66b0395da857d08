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

// contact answers a request for permission to write. Whatever the reason, who is not
// granted a package hears the same: after the same reads and the same wait for a commit.
func (c *session) contact(ctx context.Context, req *pb.Contact) (*pb.DirectoryResponse, error) {
	s, err := c.space(req.Namespace)
	if err != nil {
		return nil, err
	}
	name, err := nameIn(req.Name)
	if err != nil {
		return nil, err
	}
	if err := c.admitting(); err != nil {
		return nil, err
	}
	ask, err := c.ask(s, name, req)
	if err != nil {
		return nil, err
	}
	out, err := c.vend(ctx, s, name, func(holder vend.Identity) vend.Input {
		ask.Holder = holder
		return ask
	})
	if errors.Is(err, eventlog.ErrStorageFull) {
		err = nil // only a request that would wait needs room: nobody is to learn that it would
	}
	if err != nil {
		return nil, err
	}
	pkg, err := c.granted(out)
	if err != nil {
		return nil, err
	}
	if pkg == nil {
		c.cfg.Metrics.contacts.WithLabelValues("not granted").Inc()
		return nil, refuse(wire.StatusPermission, retryContact)
	}
	c.cfg.Metrics.contacts.WithLabelValues("granted").Inc()
	return &pb.DirectoryResponse{Package: pkg}, nil
}

// ask reads a contact request, and spends the budgets of who asks.
func (c *session) ask(s *space, name proof.Name, req *pb.Contact) (vend.Ask, error) {
	ask := vend.Ask{Space: s.ns, Name: vend.NameIDOf(s.ns, string(name)), Note: req.Note, Zeros: -1}
	if len(req.Id) != len(ask.Request) || len(req.Token) != 0 && len(req.Token) != len(ask.Token) {
		return ask, refuse(wire.StatusMalformed, 0)
	}
	if len(req.Note) > vend.MaxNote {
		return ask, refuse(wire.StatusTooLarge, 0)
	}
	ask.Request = vend.RequestID(req.Id)
	copy(ask.Token[:], req.Token)
	now := c.cfg.Now()
	if hour := uint64(vend.HourAt(now)); req.Work != nil && req.Work.Hour+1 >= hour && req.Work.Hour <= hour+1 {
		ask.Zeros = vend.WorkZeros(c.cfg.Agent, s.ns, ask.Name, ask.Request, req.Work.Hour, req.Work.Nonce)
	}
	peer := c.contacts.Spend(c.remote, now)
	member := c.members.Spend(vend.TokenDigest(vend.Member, vend.SpaceScope(s.ns), ask.Token), now)
	// Without a token all share one bucket, which then says nothing.
	ask.Throttled = !peer || len(req.Token) != 0 && !member
	return ask, nil
}

// granted reads the package that an answer is about; nil for none. One that expired and
// was erased since the decision is none.
func (d *Directory) granted(out vend.Effects) ([]byte, error) {
	if !out.Granted() {
		return nil, nil
	}
	pkg, err := d.cfg.Log.Body(out.Position)
	if errors.Is(err, eventlog.ErrErased) {
		return nil, nil
	}
	return pkg, err
}

// vend runs a step of the name's on the log's writer, and returns once what it decided,
// if anything, is durable. The input may be nil, once it has seen who holds the name.
func (d *Directory) vend(ctx context.Context, s *space, name proof.Name, input func(holder vend.Identity) vend.Input) (vend.Effects, error) {
	var out vend.Effects
	_, err := d.cfg.Log.Decide(ctx, func(now time.Time, tables eventlog.Tables) ([]eventlog.Event, error) {
		n, err := loadName(tables.Table(wire.TableDirectory), s.number, name)
		if err != nil {
			return nil, err
		}
		in := input(holderOf(n, now))
		if in == nil {
			return nil, nil
		}
		out, err = vend.Step(now, tables.Table(wire.TableVend), d.cfg.Limits.Vend, in)
		return vendEvents(out.Facts), err
	})
	if err != nil {
		return vend.Effects{}, err
	}
	return out, nil
}

// holderOf is whose packages a name's are: zeros if it is nobody's, another namespace's,
// or its key was revoked.
func holderOf(n *nameRow, now time.Time) vend.Identity {
	if n == nil {
		return vend.Identity{}
	}
	h, _ := n.state.Current(now)
	if h.Kind != proof.Person || h.Revoked {
		return vend.Identity{}
	}
	return vend.Identity(h.Identity)
}
