package node

import (
	"context"
	"encoding/hex"
	"errors"
	"time"

	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"

	"communicator/node/admin"
	"communicator/node/config"
	"communicator/wire/agenturi"
)

// Administer returns what can be asked of the node in a directory: of the running
// node if there is one, else of its log on disk. The caller closes it.
func Administer(ctx context.Context, dir string) (admin.Service, error) {
	client, err := admin.Dial(dir)
	if err == nil {
		return client, nil
	}
	if !errors.Is(err, admin.ErrNotRunning) {
		return nil, err
	}
	return openOffline(ctx, dir)
}

// offline is a directory whose node does not run. It holds the directory's lock, so
// that none starts meanwhile.
type offline struct {
	*Node
}

// openOffline opens directory, log and what hangs on them, and no host.
func openOffline(ctx context.Context, dir string) (*offline, error) {
	n := &Node{config: Config{Dir: dir}.withDefaults(), failed: make(chan error, 1)}
	n.logger = n.config.Logger
	n.ctx, n.stop = context.WithCancel(context.WithoutCancel(ctx))
	for _, step := range []func() error{n.openDir, n.openLog, n.openKeys} {
		if err := step(); err != nil {
			return nil, errors.Join(err, n.Close())
		}
	}
	return &offline{n}, nil
}

// Status tells what the directory shows.
func (o *offline) Status(context.Context) (admin.Status, error) {
	s := admin.Status{
		Agent: hex.EncodeToString(o.id[:]), Roles: o.settings.Roles,
		Policy: string(o.settings.Access.Policy), Problems: []string{"the node is not running"},
	}
	s.Clock.Trusted, s.Clock.LastTrusted, s.Clock.Now = o.clock.report()
	state := o.log.State()
	s.Log = admin.Log{Health: admin.HealthText(state.Health), Reason: state.Reason}
	if d, _, ok := o.chain.current(); ok {
		s.Descriptor = admin.Descriptor{Sequence: d.Sequence, Issued: d.Issued, Addresses: d.Addrs}
	}
	stat, err := o.log.Stat()
	if err != nil {
		return s, err
	}
	s.Stat = &stat
	if s.Drain, err = o.drain(stat); err != nil {
		return s, err
	}
	counts, err := o.access.Counts()
	s.Accounts, s.TokenUses = counts.Accounts, counts.TokenUses
	if uri, ok := o.lastURI(); ok {
		s.URI = uri.String()
	}
	return s, err
}

// lastURI is where the node was reached when it last ran, or, before it first did,
// where its configuration lets expect it.
func (o *offline) lastURI() (agenturi.URI, bool) {
	id, err := agenturi.PeerOf(o.root)
	if err != nil {
		return agenturi.URI{}, false
	}
	var addrs []ma.Multiaddr
	if d, _, ok := o.chain.current(); ok {
		for _, s := range d.Addrs {
			if addr, err := ma.NewMultiaddr(s); err == nil {
				addrs = append(addrs, addr)
			}
		}
	}
	if len(addrs) == 0 {
		addrs = expected(o.settings)
	}
	if len(addrs) == 0 {
		return agenturi.URI{}, false
	}
	uri, err := agenturi.Of(addrs[0], id)
	return uri, err == nil
}

// expected is where a node with this configuration will be reached, as far as that
// can be told before it runs.
func expected(c config.Config) []ma.Multiaddr {
	announced, err := announced(c)
	if err != nil {
		return nil
	}
	interfaces, err := manet.InterfaceMultiaddrs()
	if err != nil {
		interfaces = nil
	}
	var all []ma.Multiaddr
	for _, s := range c.Listen {
		addr, err := ma.NewMultiaddr(s)
		if err != nil {
			continue
		}
		if port, err := addr.ValueForProtocol(ma.P_TCP); err != nil || port == "0" {
			continue
		}
		if resolved, err := manet.ResolveUnspecifiedAddress(addr, interfaces); err == nil {
			all = append(all, resolved...)
		}
	}
	if addrs := announced(all); len(addrs) > 0 {
		return addrs
	}
	return all
}

// NewToken makes a token for the address at which the node last ran.
func (o *offline) NewToken(ctx context.Context, uses int) (string, error) {
	uri, ok := o.lastURI()
	if !ok {
		return "", admin.ErrNeedsNode
	}
	token, err := o.access.IssueToken(ctx, uses)
	if err != nil {
		return "", err
	}
	return uri.WithToken(token), nil
}

// Drain needs a node: owners cannot be told by a directory.
func (o *offline) Drain(context.Context, bool) (admin.Drain, error) {
	return admin.Drain{}, admin.ErrNeedsNode
}

// ConfirmClock notes the time for the next start.
func (o *offline) ConfirmClock(_ context.Context, seen time.Time) error { return o.clock.confirm(seen) }

var _ admin.Service = (*offline)(nil)
