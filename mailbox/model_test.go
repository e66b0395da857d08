package mailbox

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"communicator/eventlog"
	"communicator/mailbox/address"
	"communicator/wire"
	"communicator/wire/mux"
	"communicator/wire/pb"
)

// model is what a mailbox should be, kept the simplest way there is.
type model struct {
	o       *owner
	to      wire.Address
	mode    string // "open", "closed", "silent"
	stored  []string
	sent    map[string]attempt
	counter int
}

// TestAgainstModel lets random owners and senders act, and compares the agent with a
// model of it after each step.
func TestAgainstModel(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		a := newAgent(t, func(c *Config) { c.Limits.Quotas.Deliveries = 4 })
		c := a.dial(a.ServeDeliver, sendingAgent)
		var all []*model
		for range 2 {
			m := &model{o: a.owner(1), mode: "open", sent: map[string]attempt{}}
			m.to = m.o.create(0)
			all = append(all, m)
		}
		for range rapid.IntRange(1, 25).Draw(r, "steps") {
			m := rapid.SampledFrom(all).Draw(r, "mailbox")
			switch rapid.SampledFrom([]string{"put", "put", "put", "repeat", "ack", "close", "silence", "purge", "rebuild"}).Draw(r, "step") {
			case "put":
				m.put(r, a, c)
			case "repeat":
				m.repeat(r, a, c)
			case "ack":
				m.ack(r)
			case "close":
				m.revoke(r, pb.Revoke_CLOSE, false)
			case "silence":
				m.revoke(r, pb.Revoke_SILENT, false)
			case "purge":
				m.revoke(r, pb.Revoke_CLOSE, true)
			case "rebuild":
				if err := a.log.Rebuild(t.Context()); err != nil {
					r.Fatal(err)
				}
			}
			for _, m := range all {
				if got := m.o.collect(); !slices.Equal(got, m.stored) {
					r.Fatalf("collected %q, want %q", got, m.stored)
				}
			}
			if err := CheckDelivery(a.log); err != nil {
				r.Fatal(err)
			}
		}
		a.close()
	})
}

func (m *model) put(r *rapid.T, a *agent, c *mux.Client) {
	m.counter++
	payload := fmt.Sprint("message ", m.counter)
	p := a.attempt(m.to, payload)
	want := address.Stored
	switch {
	case m.mode == "closed":
		want = address.Closed
	case m.mode == "open" && len(m.stored) == 4:
		want = address.Full
	}
	if got := a.code(c, p); got != want {
		r.Fatalf("%s mailbox with %d: %v, want %v", m.mode, len(m.stored), got, want)
	}
	if want == address.Stored {
		m.sent[payload] = p
		if m.mode == "open" {
			m.stored = append(m.stored, payload)
		}
	}
}

func (m *model) repeat(r *rapid.T, a *agent, c *mux.Client) {
	for _, p := range m.sent {
		before := a.events()
		if got := a.code(c, p); got != address.Stored || a.events() != before {
			r.Fatalf("repeat: %v, %d events", got, a.events()-before)
		}
	}
}

func (m *model) ack(r *rapid.T) {
	if len(m.stored) == 0 {
		return
	}
	i := rapid.IntRange(0, len(m.stored)-1).Draw(r, "which")
	page, _ := m.o.page(&pb.Collect{})
	m.o.must(pb.SignedOp_ACK, &pb.Ack{Positions: []uint64{page[i].Position}})
	m.stored = slices.Delete(m.stored, i, i+1)
	if _, err := m.o.a.log.Body(page[i].Position); !errors.Is(err, eventlog.ErrErased) {
		r.Fatalf("acknowledged body: %v", err)
	}
}

func (m *model) revoke(r *rapid.T, mode pb.Revoke_Mode, purge bool) {
	want := wire.StatusOK
	if mode == pb.Revoke_SILENT && m.mode == "closed" {
		want = wire.StatusConflict
	}
	if _, got := m.o.do(pb.SignedOp_REVOKE, &pb.Revoke{Mode: mode, Purge: purge}); got != want {
		r.Fatalf("%v of a %s mailbox: %v, want %v", mode, m.mode, got, want)
	}
	if want != wire.StatusOK {
		return
	}
	m.mode = map[pb.Revoke_Mode]string{pb.Revoke_CLOSE: "closed", pb.Revoke_SILENT: "silent"}[mode]
	if purge {
		m.stored = nil
	}
}
