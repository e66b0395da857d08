package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"communicator/client"
	"communicator/internal/agentproc"
	"communicator/node/config"
)

// Options of a demonstration.
type Options struct {
	Messages int    // each way
	Binary   string // that runs an agent as `BINARY node --data DIR`; empty: this program
}

const (
	// patience is how long everything together may take.
	patience = 3 * time.Minute
	// rotateEvery is after how many messages each side asks for new addresses. In life
	// they change with every day of talking.
	rotateEvery = 25
)

// Run plays the demonstration and tells progress what it does.
func Run(ctx context.Context, o Options, progress io.Writer) (r Result, err error) {
	started := time.Now()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	root, err := os.MkdirTemp("", "communicator-demo-")
	if err != nil {
		return r, err
	}
	s := &stage{options: o, root: root, progress: progress}
	defer func() { err = errors.Join(err, s.close(), os.RemoveAll(root)) }()
	for _, act := range []func(context.Context) error{s.startAgents, s.meet, s.talk, s.settle, s.inspect} {
		if err := act(ctx); err != nil {
			return s.result, err
		}
	}
	s.result.Seconds = time.Since(started).Seconds()
	return s.result, nil
}

// stage holds who takes part.
type stage struct {
	options  Options
	root     string
	progress io.Writer

	sending     [2]*agentproc.Agent // Alex's and Blair's
	receiving   [3]*agentproc.Agent // shared by both
	alex, blair *person
	result      Result
}

func (s *stage) agents() []*agentproc.Agent { return append(s.sending[:], s.receiving[:]...) }

func (s *stage) say(format string, args ...any) { fmt.Fprintf(s.progress, format+"\n", args...) }

// startAgents starts five processes.
func (s *stage) startAgents(ctx context.Context) (err error) {
	s.say("Starting two sending and three receiving agents, each a process of its own …")
	for i, name := range []string{"sending agent of Alex", "sending agent of Blair"} {
		if s.sending[i], err = s.agent(ctx, name, config.RoleSending); err != nil {
			return err
		}
	}
	for i := range s.receiving {
		name := fmt.Sprintf("receiving agent %d", i+1)
		if s.receiving[i], err = s.agent(ctx, name, config.RoleReceiving); err != nil {
			return err
		}
	}
	for _, a := range s.agents() {
		if err := a.Start(ctx); err != nil {
			return err
		}
		s.result.Agents++
	}
	return nil
}

// agent makes an agent of one role that admits both people.
func (s *stage) agent(ctx context.Context, name, role string) (*agentproc.Agent, error) {
	return agentproc.New(ctx, agentproc.Options{Binary: s.options.Binary, Root: s.root, Name: name, Uses: 2,
		Change: func(c *config.Config) { c.Roles = []string{role} }})
}

// meet makes the relationship from an invitation.
func (s *stage) meet(ctx context.Context) (err error) {
	all := s.receiving[:]
	if s.alex, err = newPerson(ctx, s.root, "Alex", append(all[:3:3], s.sending[0])...); err != nil {
		return err
	}
	if s.blair, err = newPerson(ctx, s.root, "Blair", append(all[:3:3], s.sending[1])...); err != nil {
		return err
	}
	invitation, err := s.alex.client.Invite(ctx, "Blair")
	if err != nil {
		return err
	}
	s.say("Alex invites: %s", invitation.Link)
	if _, err := s.blair.client.Accept(ctx, invitation.Link, "Alex"); err != nil {
		return err
	}
	s.alex.follow(ctx)
	s.blair.follow(ctx)
	for _, p := range []*person{s.alex, s.blair} {
		if err := p.until(ctx, "the other side", func() bool { return p.met }); err != nil {
			return err
		}
	}
	s.say("Blair accepted. Both write …")
	return nil
}

// talk lets both write, replaces addresses on the way, and kills an agent half-way.
func (s *stage) talk(ctx context.Context) error {
	half := s.options.Messages / 2
	for i := range s.options.Messages {
		switch {
		case i == half:
			s.say("… half-way: kill -9 of %s …", s.receiving[0].Name)
			if err := s.receiving[0].Kill(); err != nil {
				return err
			}
		case i == half+rotateEvery/2 || i == s.options.Messages-1 && s.result.Killed == 0:
			if err := s.revive(ctx); err != nil {
				return err
			}
		}
		if i%rotateEvery == rotateEvery/2 {
			if err := errors.Join(s.alex.client.Renew(ctx, "Blair"), s.blair.client.Renew(ctx, "Alex")); err != nil {
				return err
			}
		}
		if err := s.exchange(ctx, i); err != nil {
			return err
		}
	}
	if s.result.Killed == 0 {
		return s.revive(ctx)
	}
	return nil
}

// revive brings the killed agent back.
func (s *stage) revive(ctx context.Context) error {
	s.say("… it is started again …")
	s.result.Killed++
	return s.receiving[0].Start(ctx)
}

// exchange sends one message each way.
func (s *stage) exchange(ctx context.Context, i int) error {
	for _, way := range []struct {
		from *person
		to   string
	}{{s.alex, "Blair"}, {s.blair, "Alex"}} {
		text := textOf(way.from.name, i)
		_, err := way.from.client.Send(ctx, way.to, text, client.SendOptions{Wait: client.UntilSubmitted})
		if err != nil {
			return fmt.Errorf("%s sends message %d: %w", way.from.name, i, err)
		}
		s.result.Sent++
	}
	return nil
}

// textOf is a text that cannot occur in a file by chance.
func textOf(from string, i int) string {
	return fmt.Sprintf("This is message %d that %s wrote in the demonstration.", i, from)
}

// settle waits until everything has arrived, then compares message by message.
func (s *stage) settle(ctx context.Context) error {
	s.say("… waiting for the last of %d messages …", s.result.Sent)
	for _, p := range []*person{s.alex, s.blair} {
		err := p.until(ctx, "messages", func() bool { return len(p.received) >= s.options.Messages })
		if err != nil && ctx.Err() == nil {
			return err
		}
	}
	s.alex.mu.Lock()
	defer s.alex.mu.Unlock()
	s.blair.mu.Lock()
	defer s.blair.mu.Unlock()
	for i := range s.options.Messages {
		s.count(s.blair.received[textOf("Alex", i)])
		s.count(s.alex.received[textOf("Blair", i)])
	}
	s.result.Rotations = s.alex.rotated + s.blair.rotated
	s.result.Alarms = len(s.alex.alarms) + len(s.blair.alarms)
	return nil
}

func (s *stage) count(times int) {
	switch {
	case times == 0:
		s.result.Lost++
	case times > 1:
		s.result.Duplicated += times - 1
		fallthrough
	default:
		s.result.Delivered++
	}
}

// inspect stops the agents and searches their files.
func (s *stage) inspect(ctx context.Context) error {
	s.say("Searching the agents' files …")
	needles := []needle{{"a text", []byte("that Alex wrote in the demonstration")}, {"a text", []byte("that Blair wrote in the demonstration")}}
	addresses, err := s.addresses(ctx)
	if err != nil {
		return err
	}
	if err := s.stopAgents(); err != nil {
		return err
	}
	for i, a := range s.agents() {
		looked := needles
		if i < len(s.sending) { // only receiving agents may know a mailbox
			looked = append(looked[:len(looked):len(looked)], addresses...)
		}
		found, err := search(a.Dir, looked)
		if err != nil {
			return err
		}
		for _, f := range found {
			s.result.Found = append(s.result.Found, a.Name+": "+f)
		}
	}
	s.result.Leaks = len(s.result.Found)
	s.result.Seen = seen()
	return nil
}

// addresses are the delivery addresses that each side has of the other: what no
// sending agent may hold. They are read from the profiles.
func (s *stage) addresses(ctx context.Context) ([]needle, error) {
	var needles []needle
	for _, side := range []struct {
		p  *person
		of string
	}{{s.alex, "Blair"}, {s.blair, "Alex"}} {
		addresses, err := side.p.addressesOf(ctx, side.of)
		if err != nil {
			return nil, err
		}
		for _, a := range addresses {
			needles = append(needles, needle{side.of + "'s mailbox", a.Mailbox[:]}, needle{side.of + "'s address key", a.Key[:]})
		}
	}
	if len(needles) == 0 {
		return nil, errors.New("neither side has an address of the other")
	}
	return needles, nil
}

func (s *stage) stopAgents() error {
	var errs []error
	for _, a := range s.agents() {
		if a != nil {
			errs = append(errs, a.Stop())
		}
	}
	return errors.Join(errs...)
}

// close ends everything that still runs.
func (s *stage) close() error {
	var errs []error
	for _, p := range []*person{s.alex, s.blair} {
		if p != nil {
			errs = append(errs, p.leave())
		}
	}
	return errors.Join(append(errs, s.stopAgents())...)
}
