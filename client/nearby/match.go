package nearby

import "context"

// choose takes the one exchange of the service.
func (s *Service) choose(id string) (*link, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.spent {
		return nil, ErrSpent
	}
	for _, l := range s.links {
		if l.id == id {
			s.spent = true
			return l, nil
		}
	}
	return nil, ErrNoPeer
}

// Match is an exchange that waits for the two people to compare their words.
type Match struct {
	Words   Words
	Name    string // that the other side announced
	Package []byte // theirs: to be used only if the words are the same
	link    *link
}

// Exchange chooses a peer, waits until its person has chosen us, until ctx ends, and
// exchanges the packages. A service exchanges once, whatever comes of it.
//
// Errors: [ErrNoPeer], [ErrSpent], [ErrGone], [ErrProtocol], [ErrCommitment],
// [ErrPackage], [ErrMirror].
func (s *Service) Exchange(ctx context.Context, id string) (*Match, error) {
	l, err := s.choose(id)
	if err != nil {
		return nil, err
	}
	m, err := s.exchange(ctx, l)
	if err != nil {
		l.close()
		return nil, err
	}
	return m, nil
}

func (s *Service) exchange(ctx context.Context, l *link) (*Match, error) {
	l.deadline = ctx
	if err := l.send(frame{kind: kindChoose}); err != nil {
		return nil, err
	}
	body, err := expect(l, kindChoose)
	if err != nil {
		return nil, err
	}
	if len(body) != 0 {
		return nil, ErrProtocol
	}
	defer l.within(ctx, exchangeTime)()
	own, peer := side{id: string(s.host.ID()), name: s.opts.Name, pkg: s.opts.Package}, l.peer
	words, err := exchange(l, s.opts.Rand, &own, &peer)
	if err != nil {
		return nil, err
	}
	return &Match{Words: words, Name: peer.name, Package: peer.pkg, link: l}, nil
}

// Agree tells the other side whether our person found the words the same, and returns
// whether both did.
//
// Errors: [ErrGone] and [ErrProtocol] if the other side's answer did not come.
func (m *Match) Agree(ctx context.Context, same bool) (bool, error) {
	defer m.link.within(ctx, verdictTime)()
	theirs, err := agree(m.link, same)
	if err != nil {
		m.link.close()
		return false, err
	}
	m.link.part()
	return same && theirs, nil
}
