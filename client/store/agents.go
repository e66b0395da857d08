package store

import "time"

// AgentID numbers one of the person's own agents within the profile.
type AgentID int64

// Roles says what one of our agents does for us; the bits may be combined.
type Roles uint8

const (
	RoleSending Roles = 1 << iota
	RoleReceiving
)

// AgentState is where an agent of ours stands.
type AgentState uint8

const (
	AgentActive   AgentState = iota
	AgentDraining            // used for what runs, for nothing new
	AgentDead
)

// Agent is one of the person's own sending or receiving agents.
type Agent struct {
	ID         AgentID // assigned by AddAgent
	URI        string  // without the token
	Token      []byte  // opens an account once; empty when spent or not needed
	Roles      Roles
	Credential []byte // the account's secret at this agent
	Descriptor []byte // newest signed service descriptor, opaque
	Sequence   uint64 // of the descriptor
	State      AgentState
	Added      time.Time // set by AddAgent
}

const agentColumns = `id, uri, token, roles, credential, descriptor, sequence, state, added`

func scanAgent(r *row) Agent {
	return Agent{
		ID: AgentID(r.int()), URI: r.text(), Token: r.blob(), Roles: Roles(r.int()), Credential: r.blob(),
		Descriptor: r.blob(), Sequence: r.uint(), State: AgentState(r.int()), Added: r.time(),
	}
}

// AddAgent stores an agent and returns its id; [ErrExists] for a known URI.
func (tx *Tx) AddAgent(a Agent) (AgentID, error) {
	id, err := tx.insert(`INSERT INTO agents (uri, token, roles, credential, descriptor, sequence, state, added)
		VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)`,
		a.URI, a.Token, int(a.Roles), a.Credential, a.Descriptor, a.Sequence, int(a.State), tx.Now())
	return AgentID(id), err
}

// Agent returns one agent.
func (tx *Tx) Agent(id AgentID) (Agent, error) {
	return one(tx, scanAgent, `SELECT `+agentColumns+` FROM agents WHERE id = ?1`, int64(id))
}

// AgentByURI returns the agent with this URI, written as it was added.
func (tx *Tx) AgentByURI(uri string) (Agent, error) {
	return one(tx, scanAgent, `SELECT `+agentColumns+` FROM agents WHERE uri = ?1`, uri)
}

// Agents returns all agents in the order in which they were added.
func (tx *Tx) Agents() ([]Agent, error) {
	return list(tx, scanAgent, `SELECT `+agentColumns+` FROM agents ORDER BY id`)
}

// SetAgentState changes where an agent stands.
func (tx *Tx) SetAgentState(id AgentID, s AgentState) error {
	return tx.change(`UPDATE agents SET state = ?2 WHERE id = ?1`, int64(id), int(s))
}

// SetAgentAccount stores the account's credential and erases the spent token.
func (tx *Tx) SetAgentAccount(id AgentID, credential []byte) error {
	return tx.change(`UPDATE agents SET credential = ?2, token = x'' WHERE id = ?1`, int64(id), credential)
}

// SetAgentDescriptor stores a newer descriptor. The same sequence again
// changes nothing; a lower one is [ErrStale].
func (tx *Tx) SetAgentDescriptor(id AgentID, sequence uint64, descriptor []byte) error {
	a, err := tx.Agent(id)
	if err != nil {
		return err
	}
	switch {
	case len(a.Descriptor) > 0 && sequence < a.Sequence:
		return ErrStale
	case len(a.Descriptor) > 0 && sequence == a.Sequence:
		return nil
	}
	return tx.change(`UPDATE agents SET descriptor = ?2, sequence = ?3 WHERE id = ?1`, int64(id), descriptor, sequence)
}

// DeleteAgent forgets an agent; [ErrReference] while a mailbox or an attempt
// names it.
func (tx *Tx) DeleteAgent(id AgentID) error {
	return tx.change(`DELETE FROM agents WHERE id = ?1`, int64(id))
}

// Descriptor is a peer agent's service descriptor in the cache.
type Descriptor struct {
	Agent    [32]byte // the agent's id
	Bytes    []byte   // signed, opaque
	Sequence uint64
	Fetched  time.Time // set by PutDescriptor
}

// PutDescriptor caches a peer agent's descriptor. One with a lower sequence than
// the cached one is [ErrStale] and the cached one stays; an equal sequence
// only renews Fetched.
func (tx *Tx) PutDescriptor(d Descriptor) error {
	n, err := tx.exec(`INSERT INTO descriptors (agent, bytes, sequence, fetched) VALUES (?1, ?2, ?3, ?4)
		ON CONFLICT (agent) DO UPDATE SET
			bytes = CASE WHEN excluded.sequence > sequence THEN excluded.bytes ELSE bytes END,
			sequence = excluded.sequence, fetched = excluded.fetched
		WHERE excluded.sequence >= sequence`, d.Agent[:], d.Bytes, d.Sequence, tx.Now())
	if err == nil && n == 0 {
		return ErrStale
	}
	return err
}

// Descriptor returns a peer agent's cached descriptor.
func (tx *Tx) Descriptor(agent [32]byte) (Descriptor, error) {
	return one(tx, func(r *row) Descriptor {
		return Descriptor{Agent: r.b32(), Bytes: r.blob(), Sequence: r.uint(), Fetched: r.time()}
	}, `SELECT agent, bytes, sequence, fetched FROM descriptors WHERE agent = ?1`, agent[:])
}

// PruneDescriptors forgets what was fetched before a time and returns how many.
// The sequence is forgotten with it, so prune only what no contact uses.
func (tx *Tx) PruneDescriptors(before time.Time) (int64, error) {
	return tx.exec(`DELETE FROM descriptors WHERE fetched < ?1`, before)
}
