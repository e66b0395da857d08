package mux

import (
	"context"
	"sync"
)

// requestContext is the context of one request being served. Most requests are answered
// without anybody asking for its Done, so it is derived from the stream's only then.
type requestContext struct {
	context.Context // the stream's

	mu   sync.Mutex
	over bool               // guarded by mu: cancelled
	made context.Context    // guarded by mu: nil until Done is asked for
	stop context.CancelFunc // guarded by mu: of made
}

func (c *requestContext) cancel() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.over = true
	if c.stop != nil {
		c.stop()
	}
}

// Done makes the context that it speaks for.
func (c *requestContext) Done() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.made == nil {
		c.made, c.stop = context.WithCancel(c.Context)
		if c.over {
			c.stop()
		}
	}
	return c.made.Done()
}

func (c *requestContext) Err() error {
	c.mu.Lock()
	over := c.over
	c.mu.Unlock()
	if err := c.Context.Err(); err != nil || !over {
		return err
	}
	return context.Canceled
}

// Value lets contexts derived from this one find what cancels it.
func (c *requestContext) Value(key any) any {
	c.mu.Lock()
	made := c.made
	c.mu.Unlock()
	if made != nil {
		return made.Value(key)
	}
	return c.Context.Value(key)
}
