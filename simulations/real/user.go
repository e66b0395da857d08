package real

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"sync"

	"communicator/client"
	"communicator/client/transport"
	"communicator/relay/receipt"
	"communicator/simulations/script"
	"communicator/simulations/trace"
)

// user is a person with a client.
type user struct {
	w      *world
	number int32
	client *client.Client

	renewals sync.WaitGroup // of addresses, that Follow's events began

	mu      sync.Mutex // guards what follows
	on      bool
	holds   int                // before the run begins: who needs the device on
	stop    context.CancelFunc // of Follow, while the device is on
	ended   chan error         // of Follow
	waiting []script.Send      // written while the device was off
	numbers map[client.MessageID]uint32
	early   map[client.MessageID][]client.DeliveryChanged // of messages whose number is not known yet
	met     map[string]bool                               // contacts with a session on both sides
	got     map[string]int                                // messages since a contact was given new addresses
}

func newUser(w *world, number int32) *user {
	return &user{w: w, number: number, numbers: map[client.MessageID]uint32{},
		early: map[client.MessageID][]client.DeliveryChanged{}, met: map[string]bool{}, got: map[string]int{}}
}

// nameOf is how a user's contacts call them.
func nameOf(user int32) string { return "user" + strconv.Itoa(int(user)) }

func userNamed(name string) int32 {
	n, err := strconv.Atoi(name[min(len("user"), len(name)):])
	if err != nil {
		return trace.None
	}
	return int32(n)
}

// agents are those that the user has, sending or receiving.
func (u *user) agents() (out []int32) {
	seen := map[int32]bool{}
	of := u.w.s.Users[u.number]
	for _, list := range [][script.MaxAgents]int32{of.Receiving, of.Sending} {
		for _, a := range list {
			if a >= 0 && !seen[a] {
				seen[a] = true
				out = append(out, a)
			}
		}
	}
	return out
}

// create makes the profile and opens accounts at the user's agents.
func (u *user) create(ctx context.Context) (err error) {
	contacts := len(u.w.s.Users[u.number].Contacts)
	agents := u.agents()
	open, perAgent := u.w.s.Scenario.Privacy.Connections, transport.DefaultMaxPerAgent
	if open == 0 {
		open, perAgent = contacts*min(watchedAgents, len(agents))+spareConns, 0
	}
	u.client, err = client.Create(ctx, filepath.Join(u.w.dir, nameOf(u.number)), []byte(passphrase), client.Options{
		Host: u.w.net.userHost(u.number), KDF: cheapKDF, Alone: true,
		MaxOpen: open, MaxPerAgent: perAgent,
	})
	if err != nil {
		return fmt.Errorf("user %d: %w", u.number, err)
	}
	for _, a := range agents {
		if _, err := u.client.AddAgent(ctx, u.w.agents[a].uri()); err != nil {
			return fmt.Errorf("user %d: agent %d: %w", u.number, a, err)
		}
	}
	return nil
}

// hold has the device on until release.
func (u *user) hold() {
	u.mu.Lock()
	u.holds++
	u.mu.Unlock()
	u.switchOn()
}

func (u *user) release() error {
	u.mu.Lock()
	u.holds--
	last := u.holds == 0
	u.mu.Unlock()
	if last {
		return u.switchOff()
	}
	return nil
}

// switchOn begins to follow, and sends what was written meanwhile.
func (u *user) switchOn() {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.on {
		return
	}
	ctx, stop := context.WithCancel(context.Background())
	u.on, u.stop, u.ended = true, stop, make(chan error, 1)
	go func(ended chan error) {
		err := u.client.Follow(ctx, func(e client.Event) { u.hear(ctx, e) })
		u.renewals.Wait()
		ended <- err
	}(u.ended)
	for _, m := range u.waiting {
		u.w.work.Go(func() { u.send(m) })
	}
	u.waiting = nil
}

// isOn says whether the device is on.
func (u *user) isOn() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.on
}

// switchOff ends what the device does, and waits for that.
func (u *user) switchOff() error {
	u.mu.Lock()
	if !u.on {
		u.mu.Unlock()
		return nil
	}
	u.on = false
	stop, ended := u.stop, u.ended
	u.mu.Unlock()
	stop()
	if err := <-ended; err != nil {
		return fmt.Errorf("user %d: %w", u.number, err)
	}
	return nil
}

// close ends the client.
func (u *user) close() error {
	if u.client == nil {
		return nil
	}
	return errors.Join(u.switchOff(), u.client.Close())
}

// write writes a message: at once, or when the device is on again.
func (u *user) write(m script.Send) {
	u.w.messages.sent(m)
	u.mu.Lock()
	off := !u.on
	if off {
		u.waiting = append(u.waiting, m)
	}
	u.mu.Unlock()
	if !off {
		u.w.work.Go(func() { u.send(m) })
	}
}

// send hands a message to the client, whose Follow does the rest.
func (u *user) send(m script.Send) {
	o := client.SendOptions{Wait: client.NoWait, Jitter: u.w.s.Scenario.Privacy.Jitter.D()}
	sent, err := u.client.Send(u.w.ctx, nameOf(m.To), text(m), o)
	if err != nil {
		if u.w.ctx.Err() == nil {
			u.w.broke("user %d could not send to user %d: %v", m.From, m.To, err)
		}
		return
	}
	u.mu.Lock()
	u.numbers[sent.ID] = m.Number
	early := u.early[sent.ID]
	delete(u.early, sent.ID)
	u.mu.Unlock()
	for _, e := range early {
		u.went(m.Number, e)
	}
}

// hear is what Follow calls, until ctx ends.
func (u *user) hear(ctx context.Context, event client.Event) {
	switch e := event.(type) {
	case client.MessageReceived:
		u.w.messages.showed(u.number, e.Message.Text)
		u.used(ctx, e.Message.Contact)
	case client.DeliveryChanged:
		u.mu.Lock()
		number, known := u.numbers[e.ID]
		if !known && e.State != client.Pending {
			u.early[e.ID] = append(u.early[e.ID], e)
		}
		u.mu.Unlock()
		if known {
			u.went(number, e)
		}
	case client.ContactAdded:
		u.mu.Lock()
		u.met[e.Contact.Name] = true
		u.mu.Unlock()
	case client.AddressesRotated:
		if e.Ours {
			t := blank(trace.Rotated)
			t.User, t.Peer = u.number, userNamed(e.Contact)
			u.w.tape.event(t)
		}
	case client.Undecryptable:
		u.w.undecryptable.Add(1)
	case client.Alarm:
		u.w.alarms.Add(1)
	}
}

// used counts a message that a contact has put to the user's addresses, and has the client
// offer new ones after as many as the scenario says.
func (u *user) used(ctx context.Context, contact string) {
	every := u.w.s.Scenario.Privacy.RotateEvery
	if every == 0 {
		return
	}
	u.mu.Lock()
	u.got[contact]++
	due := u.got[contact] >= every
	if due {
		u.got[contact] = 0
	}
	u.mu.Unlock()
	if !due {
		return
	}
	u.renewals.Go(func() {
		if err := u.client.Renew(ctx, contact); err != nil && ctx.Err() == nil {
			u.w.broke("user %d could not renew the addresses for %s: %v", u.number, contact, err)
		}
	})
}

// went tells how far a message came, and by whose receipt.
func (u *user) went(number uint32, e client.DeliveryChanged) {
	by, mailbox := trace.None, uint64(0)
	if st, err := receipt.Verify(e.Receipt, nil); err == nil {
		by = u.w.agentOf(st.Agent)
		if e.State == client.Stored {
			sum := sha256.Sum256(st.Stream)
			mailbox = binary.BigEndian.Uint64(sum[:])
		}
	}
	u.w.messages.went(number, e.State, by, mailbox)
}

// hasMet says whether the user has a session with a contact that both sides know of.
func (u *user) hasMet(peer int32) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.met[nameOf(peer)]
}
