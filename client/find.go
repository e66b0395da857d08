package client

import (
	"context"
	"errors"
	"fmt"
	"time"

	"communicator/client/store"
	"communicator/dht"
	"communicator/wire/descriptor"
)

// seekEvery is how often an own agent that cannot be reached is looked for.
const seekEvery = 10 * time.Minute

// soughtSetting holds when an agent was last looked for.
func soughtSetting(id store.AgentID) string { return fmt.Sprintf("agent/%d/sought", id) }

// findAgents looks in the overlay for own agents that could not be reached lately: an
// agent that has moved publishes its signed descriptor there under its id. What that says
// is used from the next call on, beside the address in the agent's URI.
func (c *Client) findAgents(ctx context.Context) error {
	var missing []ownAgent
	now := c.now()
	err := c.st.View(ctx, func(tx *store.Tx) error {
		agents, err := ownAgents(tx, RoleSending|RoleReceiving, AgentActive, AgentDraining, AgentDead)
		for _, a := range agents {
			if !c.health.trouble(a.ID, now) {
				continue
			}
			b, err := tx.Setting(soughtSetting(a.ID))
			if err != nil && !errors.Is(err, store.ErrNotFound) {
				return err
			}
			if last, set := parseMillis(b); !set || now.Sub(last).Abs() >= seekEvery {
				missing = append(missing, a)
			}
		}
		return err
	})
	for _, a := range missing {
		if err != nil {
			return err
		}
		if err = c.st.Update(ctx, func(tx *store.Tx) error { return tx.SetSetting(soughtSetting(a.ID), millis(now)) }); err == nil {
			err = c.findAgent(ctx, a)
		}
	}
	return err
}

// findAgent looks for one agent. That the overlay cannot be reached, or does not have it,
// is no error here.
func (c *Client) findAgent(ctx context.Context, a ownAgent) error {
	network, _, err := c.named(ctx, nil)
	if err != nil {
		c.opts.Logger.Debug("overlay not entered", "err", err)
		return context.Cause(ctx)
	}
	found, err := network.Overlay().Lookup(ctx, dht.DescriptorEntry(a.uri.Agent, nil).Key)
	if err != nil {
		c.opts.Logger.Debug("own agent not found", "err", err)
		return context.Cause(ctx)
	}
	d, err := descriptor.Parse(found.Record, a.uri.Agent)
	if err != nil {
		return nil
	}
	err = c.st.Update(ctx, func(tx *store.Tx) error { return tx.SetAgentDescriptor(a.ID, d.Sequence, found.Record) })
	if errors.Is(err, store.ErrStale) || errors.Is(err, store.ErrNotFound) {
		return nil
	}
	c.health.worked("refresh/" + a.URI) // try it at once
	return err
}
