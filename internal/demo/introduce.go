package demo

import (
	"context"
	"fmt"

	"communicator/client"
)

// introduce has Alex introduce Blair and Carol to each other. Both are asked, both
// agree, and they talk without Alex.
func (s *stage) introduce(ctx context.Context) error {
	// Alex can ask whom a session is established with.
	if err := s.alex.until(ctx, "Carol's answer", func() bool { return s.alex.contacts["Carol"] }); err != nil {
		return err
	}
	if _, err := s.alex.client.Introduce(ctx, "Blair", "Carol", client.IntroduceOptions{Note: "you both like boats"}); err != nil {
		return err
	}
	for _, side := range [][2]*person{{s.blair, s.carol}, {s.carol, s.blair}} {
		if err := side[0].approve(ctx, side[1].name); err != nil {
			return err
		}
		s.result.Introduction.Consents++
	}
	if err := s.acquainted(ctx, s.blair, s.carol); err != nil {
		return err
	}
	before := s.result.Sent
	if err := s.eachWay(ctx, s.blair, s.carol); err != nil {
		return err
	}
	s.result.Introduction.Made, s.result.Introduction.Messages = true, s.result.Sent-before
	s.done("Alex introduced Blair and Carol: both agreed, and wrote to each other")
	return nil
}

// approve waits for an introduction and agrees to it.
func (p *person) approve(ctx context.Context, to string) error {
	var asked client.Request
	if err := p.until(ctx, "an introduction", func() bool { asked = p.asked; return asked.Waiting }); err != nil {
		return err
	}
	if asked.Name != to || asked.From != "Alex" {
		return fmt.Errorf("%s was to be introduced to %s by Alex, and is asked about %q by %q", p.name, to, asked.Name, asked.From)
	}
	_, err := p.client.Approve(ctx, asked.ID, to)
	return err
}
