package demo

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"slices"
	"time"

	"communicator/dht/record"
	"communicator/internal/agentproc"
)

// secrets are what must not be found, by who may know it.
type secrets struct {
	texts     []needle // nobody but the two
	name      []needle // the club's directories, and those who look it up
	addresses []needle // receiving agents, of their own mailboxes
}

// inspect stops the nodes and searches their files, and what the overlay keeps of the
// name.
func (s *stage) inspect(ctx context.Context) error {
	hidden, err := s.secrets(ctx)
	if err != nil {
		return err
	}
	if err := s.inspectRecord(ctx, hidden); err != nil {
		return err
	}
	if err := s.stopNodes(); err != nil {
		return err
	}
	for _, a := range s.nodes() {
		found, err := search(a.Dir, hidden.from(s, a))
		if err != nil {
			return err
		}
		s.found(a.Name, found)
	}
	s.result.Leaks, s.result.Seen = len(s.result.Found), seen()
	if s.result.Leaks == 0 {
		s.done("searched the files of %d nodes for texts, names, keys and addresses: none where it must not be", len(s.nodes()))
	}
	return nil
}

func (s *stage) found(where string, what []string) {
	for _, w := range what {
		s.result.Found = append(s.result.Found, where+": "+w)
	}
}

// from is what a node must not have in its files. A directory knows the club's names and
// vends key packages, which have an address each; a receiving agent knows the mailboxes
// that it keeps.
func (h secrets) from(s *stage, a *agentproc.Agent) []needle {
	switch {
	case a == s.directory || a == s.second:
		return h.texts
	case slices.Contains(s.receiving[:], a):
		return slices.Concat(h.texts, h.name)
	}
	return slices.Concat(h.texts, h.name, h.addresses)
}

func (s *stage) secrets(ctx context.Context) (h secrets, err error) {
	key := s.name.identity.Key()
	h.texts = []needle{{"a text", []byte(phrase)}}
	h.name = []needle{{"a name", []byte(label)}, {"the key of a name", key[:]}, {"the secret of a name", s.name.secret[:]}}
	for _, p := range s.people() {
		others := slices.DeleteFunc(s.people(), func(other *person) bool { return other == p })
		known, err := p.addresses(ctx, others...)
		if err != nil {
			return h, err
		}
		for of, addresses := range known {
			if len(addresses) == 0 {
				return h, fmt.Errorf("%s has no address of %s", p.name, of)
			}
			for _, a := range addresses {
				h.addresses = append(h.addresses, needle{of + "'s mailbox", a.Mailbox[:]}, needle{of + "'s address key", a.Key[:]})
			}
		}
	}
	return h, nil
}

// inspectRecord fetches what the overlay's nodes keep of the name, as any of them could,
// and searches it.
func (s *stage) inspectRecord(ctx context.Context, h secrets) error {
	zone := s.club.Chain().Current().Zone
	blind, err := record.Blind(ed25519.PublicKey(zone[:]), s.name.secret, record.EpochAt(time.Now()))
	if err != nil {
		return err
	}
	keys := blind.Locations()
	answer, err := s.dana.network.Overlay().LookupAll(ctx, keys[:], nil)
	if err != nil {
		return errors.Join(errors.New("the record of the name"), err)
	}
	s.found("record in the overlay", within(answer.Record, slices.Concat(h.texts, h.name)))
	return nil
}
