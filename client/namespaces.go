package client

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"communicator/client/directory"
	"communicator/client/lookup"
	"communicator/client/store"
	"communicator/dht"
	"communicator/directory/proof"
	"communicator/particle"
	"communicator/wire/agenturi"
)

// Network is the part of the world where names are: the overlay and directories.
type Network interface {
	Overlay() *dht.DHT
	Dial(ctx context.Context, uri string) (lookup.Directory, error)
	Directory(ctx context.Context, uri string) (*directory.Client, error)
	Publish(ctx context.Context, uri string, records [][]byte) (stored int, err error)
	Close() error
}

// names is what looks names up for this profile. It joins the overlay when it is first
// needed, with a host that is used for nothing else.
type names struct {
	busy     chan struct{} // holds a value while nobody joins; its taker owns what follows
	network  Network
	resolver *lookup.Resolver
	joined   time.Time // when entering the overlay was tried last
	closed   bool
}

func newNames() names {
	n := names{busy: make(chan struct{}, 1)}
	n.busy <- struct{}{}
	return n
}

// Names returns the resolver of names, whose memory is this profile: namespaces, the
// checkpoints of their logs, and what each name was last shown to be. Through are
// agent URIs to enter the overlay by, beside this profile's own agents and the
// directories of its namespaces. When the overlay cannot be reached it asks
// directories alone.
func (c *Client) Names(ctx context.Context, through ...string) (*lookup.Resolver, error) {
	_, r, err := c.named(ctx, through)
	return r, err
}

func (c *Client) named(ctx context.Context, through []string) (Network, *lookup.Resolver, error) {
	select {
	case <-c.names.busy:
	case <-ctx.Done():
		return nil, nil, context.Cause(ctx)
	}
	defer func() { c.names.busy <- struct{}{} }()
	if c.names.closed {
		return nil, nil, ErrClosed
	}
	if c.names.resolver != nil {
		c.rejoin(ctx, through)
		return c.names.network, c.names.resolver, nil
	}
	remembered, err := c.entrances(ctx)
	if err != nil {
		return nil, nil, err
	}
	joined, err := lookup.Join(ctx, lookup.HostFunc(c.opts.Host), c.opts.Overlay, through, remembered)
	if joined == nil {
		return nil, nil, err
	}
	if err != nil && ctx.Err() != nil {
		return nil, nil, errors.Join(context.Cause(ctx), joined.Close())
	}
	// Without peers the overlay says so by itself, and may have some later.
	c.names.network, c.names.joined = joined, c.now()
	c.names.resolver = lookup.New(lookup.Options{Dial: joined.Dial, Overlay: joined.Overlay(), Memory: profileMemory{c.st},
		Now: c.now, Proved: c.proved, Frozen: c.caught})
	return joined, c.names.resolver, nil
}

// entrances are the URIs that are remembered, to enter the overlay by.
func (c *Client) entrances(ctx context.Context) (remembered []string, err error) {
	err = c.st.View(ctx, func(tx *store.Tx) error {
		own, err := ownAgents(tx, RoleSending|RoleReceiving, AgentActive)
		for _, a := range own {
			remembered = append(remembered, a.uri.String())
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	known, err := lookup.New(lookup.Options{Memory: profileMemory{c.st}, Now: c.now}).Namespaces(ctx)
	for _, n := range known {
		if n.Petname != "" { // others were only looked at, and anybody can make one
			remembered = append(remembered, n.Peers...)
		}
	}
	return remembered, err
}

// rejoin tries to enter the overlay again, now and then, while nobody of it is known.
func (c *Client) rejoin(ctx context.Context, through []string) {
	overlay := c.names.network.Overlay()
	if overlay.Stats().Peers > 0 || c.now().Sub(c.names.joined).Abs() < rejoinEvery {
		return
	}
	c.names.joined = c.now()
	remembered, err := c.entrances(ctx)
	if err != nil {
		return // whatever is asked next says so
	}
	var peers []peer.AddrInfo
	for _, s := range slices.Concat(through, remembered) {
		if uri, err := agenturi.Parse(s); err == nil {
			peers = append(peers, peer.AddrInfo{ID: uri.Peer, Addrs: []ma.Multiaddr{uri.Addr}})
		}
	}
	ctx, cancel := context.WithTimeout(ctx, directoryPatience)
	defer cancel()
	if err := overlay.Bootstrap(ctx, peers[:min(len(peers), maxEntrances)]); err != nil {
		c.opts.Logger.Debug("overlay not reached", "err", err)
	}
}

func (c *Client) closeNames() error {
	<-c.names.busy
	defer func() { c.names.busy <- struct{}{} }()
	c.names.closed = true
	if c.names.network == nil {
		return nil
	}
	err := c.names.network.Close()
	c.names.network, c.names.resolver = nil, nil
	return err
}

// profileMemory keeps what lookups remember among the settings of the profile.
type profileMemory struct{ st *store.Store }

const lookupSetting = "lookup/"

// Update implements [lookup.Memory].
func (m profileMemory) Update(ctx context.Context, fn func(lookup.Rows) error) error {
	return m.st.Update(ctx, func(tx *store.Tx) error { return fn(profileRows{tx}) })
}

type profileRows struct{ tx *store.Tx }

func (r profileRows) Get(key string) ([]byte, error) {
	b, err := r.tx.Setting(lookupSetting + key)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	return b, err
}

func (r profileRows) Put(key string, value []byte) error {
	return r.tx.SetSetting(lookupSetting+key, value)
}

func (r profileRows) Delete(key string) error {
	err := r.tx.DeleteSetting(lookupSetting + key)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	return err
}

func (r profileRows) Keys(prefix string) ([]string, error) {
	keys, err := r.tx.SettingKeys(lookupSetting + prefix)
	for i := range keys {
		keys[i] = keys[i][len(lookupSetting):]
	}
	return keys, err
}

// attested answers from what this profile has looked up: a claim whose name was not
// looked up yet waits until it is.
type attested struct {
	st  *store.Store
	now func() time.Time
}

// Attested implements [Attestations].
func (a attested) Attested(ctx context.Context, statement [32]byte) (out Attestation, err error) {
	err = a.st.View(ctx, func(tx *store.Tx) error {
		seen, err := lookup.ByStatement(profileRows{tx}, statement, a.now())
		if err != nil {
			return err
		}
		space := seen.NS.String()
		if name, err := lookup.Petname(profileRows{tx}, seen.NS); err == nil && name != "" {
			space = name
		}
		out = Attestation{Name: string(seen.Name) + "@" + space, Statement: statement, Key: particle.IdDoc(seen.IdDoc).DH(),
			Party: proof.PartyOf(seen.IdDoc)}
		return nil
	})
	return out, err
}

// place is a name in a namespace, with the directory that serves it.
type place struct {
	space lookup.Namespace
	label proof.Name
	dir   *directory.Client
	says  directory.Space // what the directory says of the namespace
}

// placeOf finds a name's namespace and connects to the first of its directories that
// can be reached and serves it. If that has a newer manifest it is fetched. The caller
// closes dir.
func (c *Client) placeOf(ctx context.Context, name string, peers []string) (place, error) {
	full, err := proof.ParseFullName(name)
	if err != nil {
		return place{}, err
	}
	if len(full.Labels) != 1 {
		return place{}, fmt.Errorf("%w: name the namespace itself, without delegations", proof.ErrName)
	}
	network, resolver, err := c.named(ctx, peers)
	if err != nil {
		return place{}, err
	}
	space, err := resolver.Namespace(ctx, full.NS, peers...)
	if err != nil {
		return place{}, err
	}
	if space.Frozen {
		return place{}, fmt.Errorf("%w: %s", lookup.ErrFrozen, space.ID)
	}
	problems := lookup.ErrUnreachable
	for _, uri := range slices.Concat(peers, space.Peers) {
		dir, says, err := reachDirectory(ctx, network, uri, space.ID)
		if err != nil {
			if ctx.Err() != nil {
				return place{}, context.Cause(ctx)
			}
			problems = errors.Join(problems, err)
			continue
		}
		if says.Manifest > space.Manifest.Number {
			if newer, err := resolver.Refresh(ctx, space.ID); err == nil {
				space = newer
			} else {
				c.opts.Logger.Debug("newer manifest not fetched", "err", err)
			}
		}
		return place{space, full.Labels[0], dir, says}, nil
	}
	return place{}, problems
}

// reachDirectory connects to one directory, which has to serve the namespace.
func reachDirectory(ctx context.Context, network Network, uri string, ns proof.NSID) (*directory.Client, directory.Space, error) {
	ctx, cancel := context.WithTimeout(ctx, directoryPatience)
	defer cancel()
	dir, err := network.Directory(ctx, uri)
	if err != nil {
		return nil, directory.Space{}, err
	}
	says, err := dir.Space(ctx, ns)
	if err != nil {
		return nil, says, errors.Join(err, dir.Close())
	}
	return dir, says, nil
}

const (
	// directoryPatience is how long one directory may take to be reached.
	directoryPatience = 20 * time.Second
	// rejoinEvery is how often a profile without peers tries to enter the overlay.
	rejoinEvery = time.Minute
	// maxEntrances is how many peers are tried for that.
	maxEntrances = 64
)
