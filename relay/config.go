package relay

import (
	"crypto/rand"
	"io"
	"log/slog"
	"sync"
	"time"
)

func (c Config) withDefaults() Config {
	c.Limits = c.Limits.withDefaults()
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Rand == nil {
		c.Rand = rand.Reader
	}
	c.Rand = &lockedReader{r: c.Rand}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	c.Logger = c.Logger.With("agent", c.Agent.String()) // a process may run several
	if c.Observe == nil {
		c.Observe = func(Result) {}
	}
	return c
}

// lockedReader lets goroutines share a reader that is not safe for it, such as a
// seeded one in a test.
type lockedReader struct {
	mu sync.Mutex // guards r
	r  io.Reader
}

func (l *lockedReader) Read(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.r.Read(b)
}
