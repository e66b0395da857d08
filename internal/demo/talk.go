package demo

import (
	"context"
	"errors"
	"fmt"
)

// rotateEvery is after how many messages each side asks for new addresses. In life
// they change with every day of talking.
const rotateEvery = 25

// phrase is in every text, and cannot occur in a file by chance.
const phrase = "wrote in the demonstration"

func textOf(from string, i int) string {
	return fmt.Sprintf("This is message %d that %s %s.", i, from, phrase)
}

func greeting(from, to string) string {
	return fmt.Sprintf("This is what %s %s to %s.", from, phrase, to)
}

// meet makes the three people, and the relationship of two of them from an invitation.
func (s *stage) meet(ctx context.Context) (err error) {
	for i, p := range []struct {
		at   **person
		name string
	}{{&s.alex, "Alex"}, {&s.blair, "Blair"}, {&s.carol, "Carol"}} {
		if *p.at, err = newPerson(ctx, s.root, p.name, append(s.receiving[:3:3], s.sending[i])...); err != nil {
			return err
		}
	}
	invitation, err := s.alex.client.Invite(ctx, "Blair")
	if err != nil {
		return err
	}
	if _, err := s.blair.client.Accept(ctx, invitation.Link, "Alex"); err != nil {
		return err
	}
	for _, p := range s.people() {
		p.follow(ctx)
	}
	if err := s.acquainted(ctx, s.alex, s.blair); err != nil {
		return err
	}
	s.done("Alex invited Blair: %s", invitation.Link)
	return nil
}

// acquainted waits until two people have a session with each other.
func (s *stage) acquainted(ctx context.Context, a, b *person) error {
	return errors.Join(
		a.until(ctx, "a contact", func() bool { return a.contacts[b.name] }),
		b.until(ctx, "a contact", func() bool { return b.contacts[a.name] }))
}

// talk lets both write, replaces addresses on the way, and kills an agent half-way.
func (s *stage) talk(ctx context.Context) error {
	half := s.options.Messages / 2
	s.say("Alex and Blair write %d messages each …", s.options.Messages)
	for i := range s.options.Messages {
		switch {
		case i == half:
			s.say("half-way: kill -9 of %s …", s.receiving[0].Name)
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
		for _, way := range [][2]*person{{s.alex, s.blair}, {s.blair, s.alex}} {
			if err := s.write(ctx, way[0], way[1], textOf(way[0].name, i)); err != nil {
				return err
			}
		}
	}
	if s.result.Killed == 0 {
		return s.revive(ctx)
	}
	return nil
}

// revive brings the killed agent back.
func (s *stage) revive(ctx context.Context) error {
	s.result.Killed++
	return s.receiving[0].Start(ctx)
}
