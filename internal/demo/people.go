package demo

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"communicator/client"
	"communicator/client/route"
	"communicator/client/store"
	"communicator/internal/agentproc"
	"communicator/particle"
	"communicator/wire"
)

// person is a profile with what happened to it.
type person struct {
	name   string
	path   string // of the profile
	client *client.Client

	mu       sync.Mutex      // guards what follows
	received map[string]int  // by text: how often
	contacts map[string]bool // with whom there is a session
	asked    client.Request  // the newest that waits for our consent
	rotated  int             // how often our addresses were replaced
	alarms   []string
	changed  chan struct{} // closed and replaced when something came

	stop context.CancelFunc
	done chan error // one value: how following ended
}

// passphrase of all profiles, which are removed at the end.
var passphrase = []byte("demonstration")

// maxOpen is how many connections each person may have open: one for each relationship
// and key package at each agent, so that none waits for its turn.
const maxOpen = 64

// newPerson makes a profile with the given agents.
func newPerson(ctx context.Context, root, name string, agents ...*agentproc.Agent) (*person, error) {
	path := filepath.Join(root, name+".db")
	c, err := client.Create(ctx, path, passphrase, client.Options{
		AckDelay: -1, // nobody watches here, and the demonstration should end
		MaxOpen:  maxOpen,
		Route:    route.Policy{SubmitPatience: 2 * time.Second, OutcomePatience: 2 * time.Second, TroubleFor: 5 * time.Second},
	})
	if err != nil {
		return nil, err
	}
	p := &person{name: name, path: path, client: c, received: make(map[string]int), contacts: make(map[string]bool),
		changed: make(chan struct{})}
	for _, a := range agents {
		if _, err := c.AddAgent(ctx, a.URI); err != nil {
			return nil, errors.Join(fmt.Errorf("%s adds %s: %w", name, a.Name, err), c.Close())
		}
	}
	return p, nil
}

// follow collects until the person leaves.
func (p *person) follow(ctx context.Context) {
	ctx, p.stop = context.WithCancel(ctx)
	p.done = make(chan error, 1)
	go func() { p.done <- p.client.Follow(ctx, p.saw) }()
}

// leave ends following and closes the profile.
func (p *person) leave() error {
	var err error
	if p.stop != nil {
		p.stop()
		if err = <-p.done; errors.Is(err, context.Canceled) {
			err = nil
		}
	}
	return errors.Join(err, p.client.Close())
}

func (p *person) saw(e client.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch e := e.(type) {
	case client.MessageReceived:
		p.received[e.Message.Text]++
	case client.ContactAdded:
		p.contacts[e.Contact.Name] = true
	case client.RequestChanged:
		if e.Request.Waiting {
			p.asked = e.Request
		}
	case client.AddressesRotated:
		if e.Ours { // each is counted where it was made
			p.rotated++
		}
	case client.Alarm:
		p.alarms = append(p.alarms, e.Kind.String())
	}
	close(p.changed)
	p.changed = make(chan struct{})
}

// send hands a message to our sending agent.
func (p *person) send(ctx context.Context, to, text string) error {
	if _, err := p.client.Send(ctx, to, text, client.SendOptions{Wait: client.UntilSubmitted}); err != nil {
		return fmt.Errorf("%s writes to %s: %w", p.name, to, err)
	}
	return nil
}

// times is how often a text came.
func (p *person) times(text string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.received[text]
}

// counted is how many alarms there were, and how often our addresses were replaced.
func (p *person) counted() (alarms, rotated int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.alarms), p.rotated
}

// until waits for a condition on what was received.
func (p *person) until(ctx context.Context, what string, done func() bool) error {
	for {
		p.mu.Lock()
		ok, changed := done(), p.changed
		p.mu.Unlock()
		if ok {
			return nil
		}
		select {
		case <-changed:
		case err := <-p.done:
			p.done <- err
			return fmt.Errorf("%s stopped following while waiting for %s: %w", p.name, what, err)
		case <-ctx.Done():
			return fmt.Errorf("%s waited for %s: %w", p.name, what, ctx.Err())
		}
	}
}

// addresses reads from the profile what the addresses of others are.
func (p *person) addresses(ctx context.Context, of ...*person) (known map[string][]wire.Address, err error) {
	st, err := store.Open(p.path, passphrase, store.Options{})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	known = map[string][]wire.Address{}
	return known, st.View(ctx, func(tx *store.Tx) error {
		for _, other := range of {
			contact, err := tx.ContactByName(other.name)
			if err != nil {
				return err
			}
			state, err := particle.Parse(contact.Particle)
			if err != nil {
				return err
			}
			known[other.name] = state.PeerAddresses(time.Now())
		}
		return nil
	})
}
