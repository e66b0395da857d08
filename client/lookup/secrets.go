package lookup

import (
	"sync"

	"communicator/dht/record"
	"communicator/directory/proof"
)

// secrets keeps names' secrets, which cost 32 MiB and some hundredths of a second each.
type secrets struct {
	mu    sync.Mutex // guards known; never held while deriving
	known map[secretOf]record.NameSecret
}

type secretOf struct {
	ns   proof.NSID
	name proof.Name
}

// maxSecrets bounds what one process remembers.
const maxSecrets = 4096

func newSecrets() *secrets { return &secrets{known: map[secretOf]record.NameSecret{}} }

func (s *secrets) of(name proof.Name, ns proof.NSID) record.NameSecret {
	key := secretOf{ns, name}
	s.mu.Lock()
	secret, ok := s.known[key]
	s.mu.Unlock()
	if ok {
		return secret
	}
	secret = record.Secret(string(name), ns)
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.known) >= maxSecrets {
		clear(s.known)
	}
	s.known[key] = secret
	return secret
}
