package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"communicator/client/store"
	"communicator/client/transport"
	"communicator/wire"
	"communicator/wire/agenturi"
	"communicator/wire/descriptor"

	"github.com/multiformats/go-multiaddr"
)

var zeroTime time.Time

// ownAgent is one of the person's agents, ready to be called.
type ownAgent struct {
	store.Agent
	uri agenturi.URI
}

// target is what the transport needs; it shows the account only where that is asked for.
func (a ownAgent) target() transport.Target {
	t := transport.Target{URI: a.uri}
	if d, err := descriptor.Parse(a.Descriptor, a.uri.Agent); err == nil {
		for _, s := range d.Addrs {
			// An address of a protocol that this build does not know is passed over.
			if m, err := multiaddr.NewMultiaddr(s); err == nil && !m.Equal(a.uri.Addr) {
				t.Addrs = append(t.Addrs, m)
			}
		}
	}
	if len(a.Credential) == len(wire.Credential{}) {
		credential := wire.Credential(a.Credential)
		t.Credential = &credential
	}
	if len(a.Token) == wire.TokenSize {
		token := wire.Token(a.Token)
		t.Token = &token
	}
	return t
}

func toOwn(a store.Agent) (ownAgent, error) {
	uri, err := agenturi.Parse(a.URI)
	return ownAgent{a, uri}, err
}

// ownAgents lists the agents in a role that are in one of the states.
func ownAgents(tx *store.Tx, role store.Roles, states ...store.AgentState) ([]ownAgent, error) {
	rows, err := tx.Agents()
	if err != nil {
		return nil, err
	}
	var out []ownAgent
	for _, row := range rows {
		if row.Roles&role == 0 || !slices.Contains(states, row.State) {
			continue
		}
		a, err := toOwn(row)
		if err != nil {
			return nil, err
		}
		out = append(out, a)
	}
	return out, nil
}

func ownAgentByID(tx *store.Tx, id store.AgentID) (ownAgent, error) {
	row, err := tx.Agent(id)
	if err != nil {
		return ownAgent{}, err
	}
	return toOwn(row)
}

// key names the connection of a relationship at an agent.
func (c *Client) key(relationship store.ID, a ownAgent) transport.Key {
	return transport.Key{Relationship: relationship, Agent: a.uri.Agent}
}

// call leases the connection of a relationship at an agent for one piece of work, and
// notes whether the agent could be reached.
func (c *Client) call(ctx context.Context, relationship store.ID, a ownAgent, do func(*transport.Lease) error) error {
	l, err := c.pool.Take(ctx, c.key(relationship, a), a.target())
	if err != nil {
		return err
	}
	defer l.Release()
	err = do(l)
	c.noteHealth(a, err)
	return err
}

// noteHealth keeps the score of an agent.
func (c *Client) noteHealth(a ownAgent, err error) {
	var gone *transport.UnreachableError
	switch {
	case err == nil:
		if c.health.mark(a.ID, zeroTime) {
			c.events.emit(AgentTrouble{URI: a.URI})
		}
	case errors.As(err, &gone):
		if c.health.mark(a.ID, c.now().Add(c.opts.Route.TroubleFor)) {
			c.events.emit(AgentTrouble{URI: a.URI, Err: err})
		}
	}
}

// AddAgent adds one of the person's own agents. The URI may carry a token; it is spent
// on an account here. The agent is dialled, its descriptor checked and its account
// opened before it is kept.
//
// Errors: those of agenturi.Parse, [ErrAgentExists], [*wire.StatusError] (StatusPermission
// without a valid token), [*transport.UnreachableError].
func (c *Client) AddAgent(ctx context.Context, uri string) (Agent, error) {
	u, err := agenturi.Parse(uri)
	if err != nil {
		return Agent{}, err
	}
	row, err := c.newAgent(ctx, u)
	if err != nil {
		return Agent{}, err
	}
	a := ownAgent{row, u}
	relationship, err := c.randomID()
	if err != nil {
		return Agent{}, err
	}
	var d descriptor.Descriptor
	err = c.call(ctx, relationship, a, func(l *transport.Lease) error {
		if a.Descriptor, err = l.Descriptor(ctx); err != nil {
			return err
		}
		d, err = descriptor.Parse(a.Descriptor, u.Agent)
		return err
	})
	if err != nil {
		return Agent{}, fmt.Errorf("asking the agent who it is: %w", err)
	}
	a.Roles, a.Sequence = rolesOf(d), d.Sequence
	if a.Roles == 0 {
		return Agent{}, fmt.Errorf("%w: it neither sends nor receives", ErrDescriptor)
	}
	// Stored before the token is spent: the credential must survive a crash.
	if err := c.st.Update(ctx, func(tx *store.Tx) error {
		a.ID, err = tx.AddAgent(a.Agent)
		return err
	}); err != nil {
		if errors.Is(err, store.ErrExists) {
			err = ErrAgentExists
		}
		return Agent{}, err
	}
	if err := c.openAccount(ctx, relationship, a); err != nil {
		forget := c.st.Update(ctx, func(tx *store.Tx) error { return tx.DeleteAgent(a.ID) })
		return Agent{}, errors.Join(fmt.Errorf("opening an account: %w", err), forget)
	}
	c.health.forgive()
	return c.Agent(ctx, a.URI)
}

// newAgent prepares the row of an agent.
func (c *Client) newAgent(ctx context.Context, u agenturi.URI) (store.Agent, error) {
	row := store.Agent{URI: u.String()}
	if u.Token != nil {
		row.Token = u.Token[:]
	}
	var err error
	row.Credential, err = c.credential(ctx, u.Agent)
	if err != nil {
		return row, err
	}
	return row, c.st.View(ctx, func(tx *store.Tx) error {
		agents, err := ownAgents(tx, RoleSending|RoleReceiving, AgentActive, AgentDraining, AgentDead)
		for _, a := range agents {
			if a.uri.Agent == u.Agent {
				return ErrAgentExists
			}
		}
		return err
	})
}

const (
	settingCredentials = "credentials" // the seed of all credentials

	labelCredential wire.Label = "comm/1/client-credential" // HMAC(seed, label ‖ agent id)
)

// credential derives the account's secret at an agent, so that a token that was spent in
// a call whose answer never came is not lost: the next try has the same credential.
func (c *Client) credential(ctx context.Context, agent wire.AgentID) ([]byte, error) {
	var seed []byte
	err := c.st.Update(ctx, func(tx *store.Tx) (err error) {
		if seed, err = tx.Setting(settingCredentials); !errors.Is(err, store.ErrNotFound) {
			return err
		}
		seed = make([]byte, 32)
		if _, err := io.ReadFull(c.opts.Rand, seed); err != nil {
			return err
		}
		return tx.SetSetting(settingCredentials, seed)
	})
	if err != nil {
		return nil, err
	}
	sum := wire.MAC(seed, labelCredential, agent[:])
	return sum[:], nil
}

func rolesOf(d descriptor.Descriptor) (r store.Roles) {
	if d.Roles&descriptor.Sending != 0 {
		r |= RoleSending
	}
	if d.Roles&descriptor.Receiving != 0 {
		r |= RoleReceiving
	}
	return r
}

// openAccount shows the token and the credential where the agent asks for permission.
func (c *Client) openAccount(ctx context.Context, relationship store.ID, a ownAgent) error {
	err := c.call(ctx, relationship, a, func(l *transport.Lease) error {
		if a.Roles&RoleSending != 0 {
			_, err := l.Hello(ctx)
			return err
		}
		return l.HelloMailbox(ctx)
	})
	if err != nil {
		return err
	}
	return c.st.Update(ctx, func(tx *store.Tx) error {
		if err := tx.SetAgentAccount(a.ID, a.Credential); err != nil {
			return err
		}
		return tx.SetSetting(seenSetting(a.ID), millis(c.now()))
	})
}

// seenSetting holds when an agent was last reached by upkeep.
func seenSetting(id store.AgentID) string { return fmt.Sprintf("agent/%d/seen", id) }

// Agent returns one agent by its URI without the token.
func (c *Client) Agent(ctx context.Context, uri string) (Agent, error) {
	var out Agent
	err := c.st.View(ctx, func(tx *store.Tx) error {
		row, err := agentByURI(tx, uri)
		if err != nil {
			return err
		}
		a, err := toOwn(row)
		out = a.public()
		return err
	})
	return out, err
}

func agentByURI(tx *store.Tx, uri string) (store.Agent, error) {
	u, err := agenturi.Parse(uri)
	if err != nil {
		return store.Agent{}, err
	}
	row, err := tx.AgentByURI(u.String())
	if errors.Is(err, store.ErrNotFound) {
		err = ErrNoSuchAgent
	}
	return row, err
}

func (a ownAgent) public() Agent {
	return Agent{URI: a.URI, ID: a.uri.Agent, Roles: a.Roles, State: a.State, Added: a.Added}
}

// Agents lists the person's own agents in the order in which they were added.
func (c *Client) Agents(ctx context.Context) ([]Agent, error) {
	var out []Agent
	err := c.st.View(ctx, func(tx *store.Tx) error {
		agents, err := ownAgents(tx, RoleSending|RoleReceiving, AgentActive, AgentDraining, AgentDead)
		for _, a := range agents {
			out = append(out, a.public())
		}
		return err
	})
	return out, err
}

// RemoveAgent leaves an agent: it is used for nothing new, and relationships move their
// mailboxes away with their next messages. Once nothing needs it any more it is gone;
// until then the error is [ErrAgentInUse], and upkeep finishes the work.
//
// Errors: [ErrNoSuchAgent], [ErrAgentInUse].
func (c *Client) RemoveAgent(ctx context.Context, uri string) error {
	var id store.AgentID
	err := c.st.Update(ctx, func(tx *store.Tx) error {
		row, err := agentByURI(tx, uri)
		if err != nil {
			return err
		}
		id = row.ID
		if err := tx.SetSetting(leavingSetting(id), []byte{1}); err != nil {
			return err
		}
		return tx.SetAgentState(id, AgentDraining)
	})
	if err != nil {
		return err
	}
	gone, err := c.forgetAgent(ctx, id)
	if err == nil && !gone {
		err = ErrAgentInUse
	}
	return err
}

// leavingSetting marks an agent that is to be forgotten when nothing needs it.
func leavingSetting(id store.AgentID) string { return fmt.Sprintf("agent/%d/leaving", id) }

// forgetAgent deletes a leaving agent if nothing refers to it: its unused pooled
// mailboxes go with it, since they cost the agent nothing.
func (c *Client) forgetAgent(ctx context.Context, id store.AgentID) (gone bool, err error) {
	err = c.st.Update(ctx, func(tx *store.Tx) error {
		open, err := tx.Mailboxes(store.MailboxFilter{Agent: id, States: []store.MailboxState{
			store.MailboxActive, store.MailboxGrace, store.MailboxClosing}})
		if err != nil || len(open) > 0 {
			return err
		}
		idle, err := tx.Mailboxes(store.MailboxFilter{Agent: id})
		if err != nil {
			return err
		}
		for _, m := range idle {
			if err := errors.Join(tx.SetMailboxState(m.ID, store.MailboxClosed, zeroTime), deleteMailbox(tx, m.ID)); err != nil {
				return err
			}
		}
		if err := deleteSettings(tx, leavingSetting(id), seenSetting(id), soughtSetting(id)); err != nil {
			return err
		}
		return tx.DeleteAgent(id)
	})
	if errors.Is(err, store.ErrReference) { // an attempt still waits for its outcome
		return false, nil
	}
	if err != nil {
		return false, err
	}
	err = c.st.View(ctx, func(tx *store.Tx) error {
		_, err := tx.Agent(id)
		gone = errors.Is(err, store.ErrNotFound)
		if gone {
			return nil
		}
		return err
	})
	return gone, err
}

// again is the pause after a number of tries at one of our own agents since a time, of
// which the last ended with cause: short where the agent cannot be reached.
func (c *Client) again(tries uint64, since time.Time, cause error) time.Duration {
	if gone := (*transport.UnreachableError)(nil); errors.As(cause, &gone) {
		return c.opts.Route.Reconnect(tries, c.now().Sub(since), c.rnd)
	}
	return c.opts.Route.Backoff(tries, c.rnd)
}
