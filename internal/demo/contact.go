package demo

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"communicator/client"
	"communicator/directory/vend"
)

// contact has Alex write to Carol's name, which is all that he knows of her: the
// directory vends one of the key packages that she left there.
func (s *stage) contact(ctx context.Context) error {
	rule := vend.Policy{Rule: vend.Open, PerHour: perHour}
	if err := s.carol.client.SetRule(ctx, fullName, rule); err != nil {
		return err
	}
	if err := s.alex.knowsClub(ctx, s); err != nil {
		return err
	}
	contact, err := s.alex.client.Ask(ctx, fullName, client.AskOptions{As: s.carol.name})
	if err != nil && !errors.Is(err, client.ErrNoRoute) { // that message goes later
		return err
	}
	if contact.Trust != client.TrustAttested || !slices.Contains(contact.Names, fullName) {
		return fmt.Errorf("the contact is not shown as %s", fullName)
	}
	s.result.Broker.Attested = true
	// To Carol he is whoever came by her name, until he says who he is.
	stranger := "via " + fullName
	if err := s.carol.until(ctx, "a stranger", func() bool { return s.carol.contacts[stranger] }); err != nil {
		return err
	}
	if err := s.carol.client.Rename(ctx, stranger, s.alex.name); err != nil {
		return err
	}
	before := s.result.Sent
	if err := s.eachWay(ctx, s.alex, s.carol); err != nil {
		return err
	}
	s.result.Broker.Contacts, s.result.Broker.Messages = 1, s.result.Sent-before
	s.done("Alex asked the directory for contact with %s: a message each way", fullName)
	return nil
}
