package relay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/proto"

	"communicator/wire"
	"communicator/wire/agenturi"
	"communicator/wire/mux"
)

var (
	// errWrongPeer: another agent answered than the URI names.
	errWrongPeer = errors.New("relay: the agent that answered is not the one named")
	// errForbidden: a destination that this agent does not dial any more.
	errForbidden = errors.New("relay: destination not to be dialled")
)

// links holds at most one stream to each receiving agent, open while it is used and
// for [Limits.IdleClose] after.
type links struct {
	s *Service

	mu     sync.Mutex
	byURI  map[string]*link // guarded by mu
	closed bool             // guarded by mu
	ending sync.WaitGroup   // streams being closed
}

func newLinks(s *Service) *links { return &links{s: s, byURI: make(map[string]*link)} }

// link is the way to one receiving agent. All its fields but conn's own are guarded
// by links.mu; nothing waits while holding it.
type link struct {
	all *links
	uri string // as it was submitted

	users int
	idle  *time.Timer // while users is zero
	try   *opening    // the current or last attempt to open; nil at first
}

// opening is one attempt to open a stream, shared by all who want it, and given up when
// none of them waits any more.
type opening struct {
	ctx    context.Context
	cancel context.CancelFunc

	done chan struct{} // closed once conn or err is set
	conn *conn
	err  error
}

// conn is one open stream.
type conn struct {
	client  *mux.Client
	timeout time.Duration
	answers atomic.Uint64
}

// acquire returns the link to an agent; release gives it back.
func (l *links) acquire(uri string) *link {
	l.mu.Lock()
	defer l.mu.Unlock()
	k := l.byURI[uri]
	if k == nil {
		k = &link{all: l, uri: uri}
		l.byURI[uri] = k
	}
	k.users++
	if k.idle != nil {
		k.idle.Stop()
		k.idle = nil
	}
	return k
}

func (k *link) release() {
	l := k.all
	l.mu.Lock()
	defer l.mu.Unlock()
	if k.users--; k.users > 0 {
		return
	}
	if l.closed || !k.live() || !k.try.finished() {
		l.forget(k)
		return
	}
	k.idle = time.AfterFunc(l.s.limits.IdleClose, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if k.users == 0 && l.byURI[k.uri] == k {
			l.forget(k)
		}
	})
}

// live says whether the link has a stream, or is about to. The caller holds mu.
func (k *link) live() bool { return k.try != nil && !k.try.over() }

// over says whether the attempt failed or its stream has ended. The caller holds mu.
func (o *opening) over() bool {
	return o.finished() && (o.err != nil || ended(o.conn.client))
}

func (o *opening) finished() bool {
	select {
	case <-o.done:
		return true
	default:
		return false
	}
}

func ended(c *mux.Client) bool {
	select {
	case <-c.Done():
		return true
	default:
		return false
	}
}

// answers says whether a stream to the agent is open on which it answered.
func (l *links) answers(uri string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	k := l.byURI[uri]
	return k != nil && k.live() && k.try.finished() && k.try.conn.answers.Load() > 0
}

// forget drops an unused link and closes its stream. The caller holds mu.
func (l *links) forget(k *link) {
	delete(l.byURI, k.uri)
	if k.idle != nil {
		k.idle.Stop()
		k.idle = nil
	}
	if k.try == nil {
		return
	}
	try := k.try
	try.cancel()
	l.ending.Go(func() {
		<-try.done
		if try.conn != nil {
			_ = try.conn.client.Close() // what ended it is known to its callers
		}
	})
}

// open returns the link's stream, opening one if there is none.
func (k *link) open(ctx context.Context) (*conn, error) {
	l := k.all
	l.mu.Lock()
	if !k.live() {
		if old := k.try; old != nil && old.conn != nil {
			l.ending.Go(func() { _ = old.conn.client.Close() })
		}
		try := &opening{done: make(chan struct{})}
		try.ctx, try.cancel = context.WithCancel(l.s.ctx)
		k.try = try
		l.ending.Go(func() { try.run(l.s, k.uri) })
	}
	try := k.try
	l.mu.Unlock()
	select {
	case <-try.done:
		return try.conn, try.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// run opens the stream. What may be dialled is looked at again: the configuration
// may be another than when the submission was accepted.
func (o *opening) run(s *Service, name string) {
	defer close(o.done)
	defer o.cancel()
	uri, err := agenturi.Parse(name)
	if err == nil {
		err = s.policy.CheckURI(uri)
	}
	if err != nil {
		o.err = fmt.Errorf("%w: %w", errForbidden, err)
		return
	}
	client, err := s.dial(o.ctx, uri, wire.ProtocolDeliver)
	if err != nil {
		o.err = err
		return
	}
	o.conn = &conn{client: client, timeout: s.limits.RequestTimeout}
}

// dial opens a stream to the agent that the URI names, and no other.
func (s *Service) dial(ctx context.Context, uri agenturi.URI, protocol string) (*mux.Client, error) {
	ctx, cancel := context.WithTimeout(ctx, s.limits.OpenTimeout)
	defer cancel()
	stream, remote, err := s.cfg.Open(ctx, uri, protocol)
	if err != nil {
		return nil, err
	}
	if remote != uri.Peer {
		abort(stream)
		return nil, errWrongPeer
	}
	return mux.NewClient(stream, s.limits.Mux), nil
}

// abort resets a stream where it can be, else closes it.
func abort(stream io.Closer) {
	if r, ok := stream.(interface{ Reset() error }); ok {
		_ = r.Reset()
		return
	}
	_ = stream.Close()
}

// call asks once. A stream on which nothing at all was answered for as long as one
// request may take is given up, since the path under it may be gone.
func (c *conn) call(ctx context.Context, req, resp proto.Message) error {
	before := c.answers.Load()
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	err := c.client.Call(ctx, req, resp)
	if err == nil {
		c.answers.Add(1)
		return nil
	}
	if errors.Is(ctx.Err(), context.DeadlineExceeded) && c.answers.Load() == before {
		_ = c.client.Close()
	}
	return err
}

// close ends all streams and waits until they have.
func (l *links) close() {
	l.mu.Lock()
	l.closed = true
	for _, k := range l.byURI {
		l.forget(k)
	}
	l.mu.Unlock()
	l.ending.Wait()
}

func (l *links) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for _, k := range l.byURI {
		if k.live() {
			n++
		}
	}
	return n
}
