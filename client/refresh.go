package client

import (
	"context"
	"errors"
	"time"

	"communicator/client/store"
	"communicator/client/transport"
	"communicator/wire/descriptor"
)

// refreshAgents asks our own agents for their newest descriptors now and then, starts
// leaving those that leave or stay away, and takes back those that return.
func (c *Client) refreshAgents(ctx context.Context) error {
	var agents []ownAgent
	seen := map[store.AgentID]time.Time{}
	leaving := map[store.AgentID]bool{}
	err := c.st.View(ctx, func(tx *store.Tx) (err error) {
		agents, err = ownAgents(tx, RoleSending|RoleReceiving, AgentActive, AgentDraining, AgentDead)
		for _, a := range agents {
			if b, err := tx.Setting(seenSetting(a.ID)); err == nil {
				seen[a.ID], _ = parseMillis(b)
			}
			_, err := tx.Setting(leavingSetting(a.ID))
			leaving[a.ID] = err == nil
		}
		return err
	})
	if err != nil {
		return err
	}
	for _, a := range agents {
		if leaving[a.ID] {
			if _, err := c.forgetAgent(ctx, a.ID); err != nil {
				return err
			}
			continue
		}
		if c.now().Sub(seen[a.ID]) < refreshAgents || !c.mayTry("refresh/"+a.URI) {
			continue
		}
		if err := c.refreshAgent(ctx, a, seen[a.ID]); err != nil {
			return err
		}
	}
	return nil
}

func (c *Client) refreshAgent(ctx context.Context, a ownAgent, seen time.Time) error {
	once, err := c.randomID()
	if err != nil {
		return err
	}
	var signed []byte
	var d descriptor.Descriptor
	err = c.call(ctx, once, a, func(l *transport.Lease) (err error) {
		if signed, err = l.Descriptor(ctx); err == nil {
			d, err = descriptor.Parse(signed, a.uri.Agent)
		}
		return err
	})
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	now := c.now()
	if err != nil {
		c.opts.Logger.Debug("own agent not reached", "err", err)
		if now.Sub(seen) < deadAfter {
			return nil
		}
		return c.st.Update(ctx, func(tx *store.Tx) error { return tx.SetAgentState(a.ID, AgentDead) })
	}
	c.health.worked("refresh/" + a.URI)
	return c.st.Update(ctx, func(tx *store.Tx) error {
		state := AgentActive
		if d.Draining {
			state = AgentDraining
		}
		if err := tx.SetAgentState(a.ID, state); err != nil {
			return err
		}
		if err := tx.SetAgentDescriptor(a.ID, d.Sequence, signed); err != nil && !errors.Is(err, store.ErrStale) {
			return err
		}
		return tx.SetSetting(seenSetting(a.ID), millis(now))
	})
}
