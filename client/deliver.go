package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"communicator/client/route"
	"communicator/client/store"
	"communicator/client/transport"
	"communicator/mailbox/address"
	"communicator/relay/receipt"
	"communicator/wire"
	"communicator/wire/pb"

	"golang.org/x/sync/errgroup"
)

// carryOut does what a plan asks for. It says whether anything came of it, so that
// another look is worth while. Agents that fail are no error here: the plan of the next
// round goes around them.
func (c *Client) carryOut(ctx context.Context, contact store.ID, p plan, patience bool) (progress bool, err error) {
	progress = p.changes
	if len(p.missing) > 0 {
		fetched, err := c.fetchKeys(ctx, contact, p.missing)
		if err != nil {
			c.opts.Logger.Debug("sealing keys not fetched", "err", err)
		}
		progress = progress || fetched > 0
	}
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(parallel)
	for _, j := range p.submit {
		if c.flying.take(j.attempt.ID) {
			progress = true
			g.Go(func() error {
				defer c.flying.land(j.attempt.ID)
				return c.submit(gctx, j)
			})
		}
	}
	for _, batch := range c.batches(p.poll) {
		progress = true
		g.Go(func() error {
			defer func() {
				for _, j := range batch {
					c.flying.land(j.attempt.ID)
				}
			}()
			return c.askOutcomes(gctx, contact, batch, patience)
		})
	}
	if err := g.Wait(); err != nil {
		return false, err
	}
	return progress, context.Cause(ctx)
}

// batches groups the questions that go to one sending agent, as many as one request
// may hold, and reserves their attempts.
func (c *Client) batches(jobs []job) [][]job {
	bySender := map[store.AgentID][]job{}
	var out [][]job
	for _, j := range jobs {
		if !c.flying.take(j.attempt.ID) {
			continue
		}
		batch := append(bySender[j.sender.ID], j)
		if len(batch) == transport.MaxHandles {
			out, batch = append(out, batch), nil
		}
		bySender[j.sender.ID] = batch
	}
	for _, batch := range bySender {
		if len(batch) > 0 {
			out = append(out, batch)
		}
	}
	return out
}

// submit hands an attempt's bytes to its sending agent, the same ones every time, and
// saves the receipt. Only the profile's own failures are errors.
func (c *Client) submit(ctx context.Context, j job) error {
	sub, err := submission(j.attempt)
	if err != nil {
		return err
	}
	var proof []byte
	body, err := submissionBody(sub, j.sender)
	if err != nil {
		return err
	}
	err = c.call(ctx, j.message.Contact, j.sender, func(l *transport.Lease) (err error) {
		if proof, err = l.Submit(ctx, sub); err != nil {
			return err
		}
		return checkAccepted(proof, body, sub.Handle, j.sender)
	})
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		return c.submitFailed(ctx, j, err)
	}
	c.noteActive(j.message.Contact)
	if err := c.at("submitted"); err != nil {
		return err
	}
	var event Event
	err = c.st.Update(ctx, func(tx *store.Tx) (err error) {
		event, err = c.saveReceipt(tx, j, proof, body)
		return err
	})
	return c.emitUnless(err, event)
}

// emitUnless emits an event of a transaction that was committed. An attempt or message
// that was ended meanwhile, by another process or an outcome, is no error.
func (c *Client) emitUnless(err error, events ...Event) error {
	if errors.Is(err, store.ErrTransition) || errors.Is(err, store.ErrNotFound) {
		return nil
	}
	for _, e := range events {
		if err == nil && e != nil {
			c.events.emit(e)
		}
	}
	return err
}

func (c *Client) saveReceipt(tx *store.Tx, j job, proof, body []byte) (Event, error) {
	if err := tx.SubmittedAttempt(j.attempt.ID, proof, c.now()); err != nil {
		return nil, err
	}
	o, err := tx.Outgoing(j.message.ID)
	if err != nil || o.State != store.OutgoingQueued {
		return nil, err
	}
	if err := tx.SetOutgoingState(o.ID, store.OutgoingSubmitted); err != nil {
		return nil, err
	}
	return c.delivery(tx, o, Submitted, proof, body)
}

// delivery notes in the history how far a message came, with the proof, and makes the
// event that says so. Automatic answers have neither. Body is what the proof was given
// for.
func (c *Client) delivery(tx *store.Tx, o store.Outgoing, s MessageState, proof, body []byte) (Event, error) {
	err := tx.SetMessageState(o.Contact, false, o.ID, s)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err == nil && len(proof) > 0 {
		err = errors.Join(tx.SetMessageReceipt(o.Contact, o.ID, proof), keepReceiptFile(tx, o.ID, proof, body))
	}
	if err != nil {
		return nil, err
	}
	row, err := tx.Contact(o.Contact)
	return DeliveryChanged{Contact: row.Name, ID: MessageID(o.ID), State: s, Receipt: nonEmpty(proof)}, err
}

// submitFailed schedules the same bytes again, or ends an attempt that its sending agent
// refused for good.
func (c *Client) submitFailed(ctx context.Context, j job, cause error) error {
	c.opts.Logger.Debug("submission failed", "err", cause)
	err := c.st.Update(ctx, func(tx *store.Tx) error {
		if !retryable(cause) {
			e, err := parseEnvelope(j.attempt.Sealed)
			if err != nil {
				return err
			}
			return tx.FinishAttempt(j.attempt.ID, result{code: route.Declined, mailbox: e.mailbox}.marshal())
		}
		pause := c.again(j.attempt.Tries, j.attempt.Created, cause)
		var refused *wire.StatusError
		if errors.As(cause, &refused) {
			pause = max(pause, min(refused.RetryAfter, c.opts.Route.RetryMax))
		}
		return tx.RetryAttempt(j.attempt.ID, c.now().Add(pause))
	})
	return c.emitUnless(err)
}

// submissionBody is what a sending agent's receipt for the submission is given for.
func submissionBody(sub transport.Submission, sender ownAgent) ([]byte, error) {
	return receipt.SubmissionBody{
		Account: wire.Credential(sender.Credential).Account(), URI: sub.URI, KeyID: sub.KeyID,
		Sealed: sub.Sealed, Payload: sub.Payload, NotAfter: sub.NotAfter, Jitter: sub.Jitter,
	}.Marshal()
}

// checkAccepted verifies a sending agent's receipt: for this submission, by this agent.
// The receipt that answers a repeat has no salt once the message was forwarded, since the
// agent has erased both; then it is the handle, which only this submission has, that says
// what it is for.
func checkAccepted(proof, body []byte, handle wire.Handle, sender ownAgent) error {
	s, err := receipt.Verify(proof, body)
	if errors.Is(err, receipt.ErrNoSalt) {
		err = nil
	}
	hash := handle.Hash()
	if err == nil && (s.Kind != receipt.Accepted || s.Agent != sender.uri.Agent || !bytes.Equal(s.Stream, hash[:])) {
		err = receipt.ErrInvalid
	}
	if err != nil {
		return fmt.Errorf("sending agent's receipt: %w", err)
	}
	return nil
}

// askOutcomes fetches what became of submissions at one sending agent, saves it, and
// then lets the agent forget it.
func (c *Client) askOutcomes(ctx context.Context, contact store.ID, batch []job, patience bool) error {
	handles := make([]wire.Handle, len(batch))
	byHandle := map[wire.Handle]job{}
	wait := time.Duration(0)
	for i, j := range batch {
		handles[i] = j.attempt.Handle
		byHandle[handles[i]] = j
		if patience && j.attempt.Tries == 0 {
			wait = min(outcomeWait, c.opts.Route.OutcomePatience)
		}
	}
	var states []transport.OutcomeState
	err := c.call(ctx, contact, batch[0].sender, func(l *transport.Lease) (err error) {
		states, err = l.FetchOutcomes(ctx, handles, wait)
		return err
	})
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		c.opts.Logger.Debug("outcomes not fetched", "err", err)
	}
	if err := c.at("outcome"); err != nil {
		return err
	}
	var known []wire.Handle
	for _, s := range states {
		j, over := byHandle[s.Handle], s.State != pb.OutcomeState_PENDING
		if !over {
			continue
		}
		delete(byHandle, s.Handle)
		if err := c.saveOutcome(ctx, j, s); err != nil {
			return err
		}
		if s.State != pb.OutcomeState_UNKNOWN {
			known = append(known, s.Handle)
		}
	}
	if err := c.askAgain(ctx, byHandle, err); err != nil {
		return err
	}
	return c.ackOutcomes(ctx, contact, batch[0].sender, known)
}

// askAgain schedules the next question about attempts without an outcome, or whose agent
// could not be asked because of cause.
func (c *Client) askAgain(ctx context.Context, pending map[wire.Handle]job, cause error) error {
	if len(pending) == 0 {
		return nil
	}
	return c.st.Update(ctx, func(tx *store.Tx) error {
		for _, j := range pending {
			next := c.now().Add(c.again(j.attempt.Tries, j.attempt.Created, cause))
			err := tx.RetryAttempt(j.attempt.ID, next)
			if err != nil && !errors.Is(err, store.ErrTransition) && !errors.Is(err, store.ErrNotFound) {
				return err
			}
		}
		return nil
	})
}

// ackOutcomes lets the agent forget outcomes that are saved. If it cannot be told, it
// forgets them by itself in time.
func (c *Client) ackOutcomes(ctx context.Context, contact store.ID, sender ownAgent, handles []wire.Handle) error {
	if len(handles) == 0 {
		return nil
	}
	if err := c.at("outcome-saved"); err != nil {
		return err
	}
	err := c.call(ctx, contact, sender, func(l *transport.Lease) error { return l.AckOutcomes(ctx, handles) })
	if err != nil {
		c.opts.Logger.Debug("outcomes not acknowledged", "err", err)
	}
	return context.Cause(ctx)
}

// saveOutcome ends an attempt with what its sending agent knows, and with it, if it was
// stored, the message.
func (c *Client) saveOutcome(ctx context.Context, j job, s transport.OutcomeState) error {
	r, proof := c.readOutcome(j.attempt, s)
	var event Event
	err := c.st.Update(ctx, func(tx *store.Tx) (err error) {
		event = nil
		if err := tx.FinishAttempt(j.attempt.ID, r.marshal()); err != nil || r.code != route.Stored {
			return err
		}
		if event, err = c.delivery(tx, j.message, Stored, proof, j.attempt.Payload); err != nil {
			return err
		}
		return forget(tx, j.message)
	})
	if r.code == route.Stored || r.code == route.Closed || r.code == route.Full {
		c.health.markReceiver(j.attempt.Receiver, zeroTime)
	}
	return c.emitUnless(err, event)
}

// readOutcome opens a sealed outcome. One that does not open was made by an agent that
// could not open the seal: the address is of no use, with this key at least.
func (c *Client) readOutcome(a store.Attempt, s transport.OutcomeState) (r result, proof []byte) {
	e, err := parseEnvelope(a.Sealed)
	if err != nil {
		return result{code: route.Lost}, nil
	}
	r = result{code: route.Lost, mailbox: e.mailbox}
	if s.State != pb.OutcomeState_FORWARDED && s.State != pb.OutcomeState_REFUSED {
		return r, nil
	}
	r.code = route.Refused
	if s.State == pb.OutcomeState_REFUSED {
		return r, nil
	}
	secret, err := address.ParseOutcomeSecret(a.Secret)
	if err != nil {
		return r, nil
	}
	o, err := secret.Open(s.Outcome, wire.HashPayload(a.Payload), e.notAfter)
	if err != nil {
		return r, nil
	}
	switch o.Code {
	case address.Stored:
		r.code = route.Stored
		if st, err := receipt.Verify(o.Receipt, a.Payload); err == nil && st.BodyMatches &&
			st.Kind == receipt.Stored && st.Agent == a.Receiver {
			proof = o.Receipt
		}
	case address.Closed:
		r.code = route.Closed
	case address.Full:
		r.code, r.retryAt = route.Full, c.now().Add(max(o.RetryAfter, minFullPause))
	}
	return r, proof
}
