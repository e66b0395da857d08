package client

import (
	"context"
	"encoding/binary"
	"errors"
	"time"

	"communicator/client/route"
	"communicator/client/store"
	"communicator/wire"
)

// job is one request that a plan asks for: to submit an attempt's bytes, or to ask for
// its outcome.
type job struct {
	attempt store.Attempt
	message store.Outgoing
	sender  ownAgent
}

// plan is what there is to do for a contact's outbox.
type plan struct {
	submit  []job
	poll    []job
	missing []wire.Address // addresses without a verified sealing key
	changes bool           // messages to end or attempts to make: needs a writing round
	ended   []Event        // of messages that the writing round ended, or found refused
	stuck   bool           // a message was refused wherever it could go
	wake    time.Time
}

// push carries a contact's outbox on as far as it goes now: makes attempts, submits
// them, and asks for outcomes. With patience it lets a sending agent wait a while for
// the outcome of what is fresh. It returns the last plan, which says when there is
// something to do again.
func (c *Client) push(ctx context.Context, contact store.ID, patience bool) (p plan, err error) {
	for range rounds {
		if p, err = c.plan(ctx, contact); err != nil {
			return p, err
		}
		progress, err := c.carryOut(ctx, contact, p, patience)
		if err != nil || !progress && len(p.missing) == 0 {
			return p, err
		}
		if !progress {
			// What could not be fetched may have changed what can be tried.
			if p, err = c.plan(ctx, contact); err != nil || !p.changes {
				return p, err
			}
		}
	}
	p.wake = c.now().Add(c.opts.Route.RetryMin)
	return p, nil
}

// plan decides for every message of the contact, and saves the attempts that it makes
// before anything of them leaves.
func (c *Client) plan(ctx context.Context, contact store.ID) (p plan, err error) {
	err = c.st.View(ctx, func(tx *store.Tx) (err error) {
		p, err = c.decide(tx, contact, false)
		return err
	})
	if err != nil || !p.changes {
		return p, err
	}
	err = c.st.Update(ctx, func(tx *store.Tx) (err error) {
		p, err = c.decide(tx, contact, true)
		return err
	})
	if err == nil {
		c.events.emit(p.ended...)
	}
	return p, err
}

// decide asks route about each message that is under way. With write it makes the
// attempts and ends what is over, else it only notes that there is something to change.
func (c *Client) decide(tx *store.Tx, contact store.ID, write bool) (plan, error) {
	now := c.now()
	p := plan{wake: now.Add(upkeepEvery)}
	messages, err := tx.Outbox(contact, outboxBatch, store.OutgoingQueued, store.OutgoingSubmitted)
	if err != nil || len(messages) == 0 {
		return p, err
	}
	r, err := load(tx, contact)
	if err != nil {
		return p, err
	}
	f, err := c.fleet(tx, r, now)
	if err != nil {
		return p, err
	}
	p.missing = f.missing
	for _, o := range messages {
		if err := c.decideOne(tx, r, f, o, write, &p); err != nil {
			return p, err
		}
	}
	return p, nil
}

// fleet is what all messages of a contact have to choose from.
type fleet struct {
	senders   map[store.AgentID]ownAgent
	choice    []route.Sender
	addresses []wire.Address
	keys      [][]byte // of addresses; nil: unknown
	places    []route.Address
	missing   []wire.Address
}

func (c *Client) fleet(tx *store.Tx, r relation, now time.Time) (fleet, error) {
	f := fleet{senders: map[store.AgentID]ownAgent{}, addresses: r.particle.PeerAddresses(now)}
	senders, err := ownAgents(tx, RoleSending, AgentActive, AgentDraining)
	if err != nil {
		return f, err
	}
	for _, s := range senders {
		f.senders[s.ID] = s
		if s.State == AgentActive {
			f.choice = append(f.choice, route.Sender{ID: int64(s.ID), Agent: s.uri.Agent, Trouble: c.health.trouble(s.ID, now)})
		}
	}
	for _, a := range f.addresses {
		key, fresh, err := c.sealKey(tx, a)
		if err != nil || !fresh {
			f.missing = append(f.missing, a)
		}
		if err != nil {
			key = nil // fetched anew, or unusable
		}
		f.keys = append(f.keys, key)
		f.places = append(f.places, route.Address{
			Place: route.Place{Agent: a.Agent, Mailbox: a.Mailbox}, Lifeline: a.Caps&wire.CapLifeline != 0,
			Expires: a.Expires, Trouble: c.health.receiverTrouble(a.Agent, now), Unusable: key == nil,
			Barred: key == nil && c.health.isDeclined(a.Pin),
		})
	}
	return f, nil
}

func (c *Client) decideOne(tx *store.Tx, r relation, f fleet, o store.Outgoing, write bool, p *plan) error {
	rows, err := tx.Attempts(o.ID)
	if err != nil {
		return err
	}
	now := c.now()
	view := route.View{Now: now, NotAfter: o.NotAfter, Addresses: f.places, Senders: f.choice}
	byID := map[int64]store.Attempt{}
	for _, row := range rows {
		a, err := routed(row)
		if err != nil {
			return err
		}
		view.Attempts, byID[a.ID] = append(view.Attempts, a), row
	}
	d := route.Next(view, c.opts.Route, c.rnd)
	for _, agent := range d.Lagging {
		c.health.markReceiver(agent, now.Add(c.opts.Route.TroubleFor))
	}
	if d.Verdict != route.GoOn {
		p.changes = true
		if write {
			ended, err := endMessage(tx, r.Name, o, d.Verdict)
			p.ended = append(p.ended, ended)
			return err
		}
		return nil
	}
	if err := noteStuck(tx, r.Name, o, d, write, p); err != nil {
		return err
	}
	if d.Wake.Before(p.wake) {
		p.wake = d.Wake
	}
	for _, id := range d.Submit {
		p.submit = appendJob(p.submit, f, byID[id], o)
	}
	for _, id := range d.Poll {
		p.poll = appendJob(p.poll, f, byID[id], o)
	}
	if d.Fresh == nil {
		return nil
	}
	p.changes = true
	if !write {
		return nil
	}
	i := d.Fresh.Address
	return c.newAttempt(tx, r, o, store.AgentID(d.Fresh.Sender), f.addresses[i], f.keys[i])
}

// noteStuck keeps the history true to whether a message was refused everywhere: it stays
// in the outbox, and the person hears at once that waiting does not help.
func noteStuck(tx *store.Tx, name string, o store.Outgoing, d route.Decision, write bool, p *plan) error {
	p.stuck = p.stuck || d.Stuck
	if !d.Stuck && d.Fresh == nil {
		return nil
	}
	m, err := tx.Message(o.Contact, false, o.ID)
	if errors.Is(err, store.ErrNotFound) {
		return nil // an automatic answer
	}
	state := m.State
	switch {
	case d.Stuck:
		state = Refused
	case m.State == Refused && o.State == store.OutgoingSubmitted:
		state = Submitted
	case m.State == Refused:
		state = Pending
	}
	if err != nil || state == m.State {
		return err
	}
	p.changes = true
	if !write {
		return nil
	}
	p.ended = append(p.ended, DeliveryChanged{Contact: name, ID: MessageID(o.ID), State: state})
	return tx.SetMessageState(o.Contact, false, o.ID, state)
}

// appendJob adds work at a sending agent that is still ours.
func appendJob(jobs []job, f fleet, a store.Attempt, o store.Outgoing) []job {
	s, ok := f.senders[a.Agent]
	if !ok {
		return jobs
	}
	return append(jobs, job{a, o, s})
}

// endMessage takes a message that is over out of the outbox.
func endMessage(tx *store.Tx, name string, o store.Outgoing, v route.Verdict) (Event, error) {
	state := map[route.Verdict]store.MessageState{route.Done: Stored, route.Expire: Expired, route.Fail: Failed}[v]
	err := forget(tx, o)
	if err == nil {
		err = setMessageState(tx, o, state)
	}
	return DeliveryChanged{Contact: name, ID: MessageID(o.ID), State: state}, err
}

// forget drops a message from the outbox with its attempts.
func forget(tx *store.Tx, o store.Outgoing) error {
	if err := tx.DeleteOutgoing(o.ID); err != nil {
		return err
	}
	return deleteSettings(tx, jitterSetting(o.ID))
}

// deleteSettings removes settings that may be there.
func deleteSettings(tx *store.Tx, keys ...string) error {
	for _, key := range keys {
		if err := tx.DeleteSetting(key); err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
	}
	return nil
}

func jitterOf(tx *store.Tx, id store.ID) (time.Duration, error) {
	b, err := tx.Setting(jitterSetting(id))
	if errors.Is(err, store.ErrNotFound) || err == nil && len(b) != 8 {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return time.Duration(binary.BigEndian.Uint64(b)), nil
}
