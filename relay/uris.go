package relay

import (
	"sync"

	"communicator/wire/agenturi"
)

// uris remembers parsed URIs: a busy agent sees few different ones, and parsing one
// costs as much as the rest of a submission.
type uris struct {
	mu     sync.Mutex
	parsed map[string]agenturi.URI // guarded by mu: at most uriCache
}

func (u *uris) parse(s string) (agenturi.URI, error) {
	u.mu.Lock()
	uri, known := u.parsed[s]
	u.mu.Unlock()
	if known {
		return uri, nil
	}
	uri, err := agenturi.Parse(s)
	if err != nil || uri.Token != nil {
		return uri, err // not worth remembering
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.parsed) >= uriCache {
		clear(u.parsed)
	}
	u.parsed[s] = uri
	return uri, nil
}
