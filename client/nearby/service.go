package nearby

import (
	"context"
	crand "crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"communicator/particle"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/p2p/discovery/mdns"
)

// Protocol is the stream protocol, as libp2p negotiates it.
const Protocol = protocol.ID("/communicator/nearby/1")

// Options are what a search takes.
type Options struct {
	// Name is announced to whoever is near; nothing is if it is empty.
	Name string
	// Package is our encoded key package, made for this one exchange.
	Package []byte
	// Rand draws the ephemeral identity and the exchange's bytes; crypto/rand if nil.
	Rand io.Reader
	// Logger gets what a developer wants to know, without names or peer ids; none if nil.
	Logger *slog.Logger

	// host and find are for tests: a host in memory, and how others are found.
	host func(crypto.PrivKey) (host.Host, error)
	find func(host.Host, func(peer.AddrInfo)) (io.Closer, error)
}

func (o Options) withDefaults() Options {
	if o.Rand == nil {
		o.Rand = crand.Reader
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.host == nil {
		o.host = newHost
	}
	if o.find == nil {
		o.find = findByMDNS
	}
	return o
}

// Peer is somebody who is near.
type Peer struct {
	ID     string // for Choose; as long as both are here
	Name   string // announced; empty if not
	Chosen bool   // their person has chosen us
}

// Service is a search for others who are near, and at most one exchange.
type Service struct {
	opts   Options
	host   host.Host
	finder io.Closer
	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	work   sync.WaitGroup // everything that was started

	mu      sync.Mutex // guards what follows
	links   map[peer.ID]*link
	pending map[peer.ID]bool // being dialled or greeted
	chosen  map[peer.ID]bool // have chosen us
	spent   bool
	closed  bool
	changed chan struct{} // closed and replaced when the list changes
}

// Open begins to announce and to search. The caller closes it.
//
// Errors: [ErrBadName], [ErrPackage], [ErrNoNetwork].
func Open(o Options) (*Service, error) {
	o = o.withDefaults()
	if !usableName(o.Name) {
		return nil, ErrBadName
	}
	if pkg, err := particle.ParsePackage(o.Package); err != nil || pkg.Contact() == nil || !pkg.OneTime() {
		return nil, ErrPackage
	}
	key, _, err := crypto.GenerateEd25519Key(o.Rand)
	if err != nil {
		return nil, fmt.Errorf("nearby: %w", err)
	}
	h, err := o.host(key)
	if err != nil {
		return nil, fmt.Errorf("nearby: %w", err)
	}
	s := &Service{opts: o, host: h, links: map[peer.ID]*link{}, pending: map[peer.ID]bool{},
		chosen: map[peer.ID]bool{}, changed: make(chan struct{})}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	h.SetStreamHandler(Protocol, s.accept)
	if s.finder, err = o.find(h, s.found); err != nil {
		s.finder = nil
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

type foundFunc func(peer.AddrInfo)

func (f foundFunc) HandlePeerFound(i peer.AddrInfo) { f(i) }

func findByMDNS(h host.Host, found func(peer.AddrInfo)) (io.Closer, error) {
	if !multicastInterfaces() {
		return nil, ErrNoNetwork
	}
	m := mdns.NewMdnsService(h, serviceName, foundFunc(found))
	if err := m.Start(); err != nil {
		return nil, errors.Join(ErrNoNetwork, err, m.Close())
	}
	return m, nil
}

// Close ends the search and every connection, and waits for what it has started.
func (s *Service) Close() error {
	s.mu.Lock()
	s.closed = true
	links := s.links
	s.links = map[peer.ID]*link{}
	s.mu.Unlock()
	s.cancel()
	var err error
	if s.finder != nil {
		err = s.finder.Close()
	}
	for _, l := range links {
		l.close()
	}
	err = errors.Join(err, s.host.Close())
	s.work.Wait()
	return err
}

// start runs a piece of work that Close waits for, unless it has been closed.
func (s *Service) start(work func()) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.work.Go(work)
	return true
}

// reserve notes that a peer is being met; false if it is known, or there are too many.
func (s *Service) reserve(id peer.ID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.pending[id] || s.links[id] != nil || len(s.links)+len(s.pending) >= MaxPeers {
		return false
	}
	s.pending[id] = true
	return true
}

func (s *Service) release(id peer.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.pending, id)
}

// found dials a peer, if it is ours to dial: two who dial each other at once fail.
func (s *Service) found(info peer.AddrInfo) {
	if string(s.host.ID()) >= string(info.ID) || !s.reserve(info.ID) {
		return
	}
	if !s.start(func() {
		defer s.release(info.ID)
		s.dial(info)
	}) {
		s.release(info.ID)
	}
}

func (s *Service) dial(info peer.AddrInfo) {
	for try := range dialTries {
		if try > 0 && !s.pause() {
			return
		}
		ctx, cancel := context.WithTimeout(s.ctx, greetTime)
		err := s.host.Connect(ctx, info)
		var stream network.Stream
		if err == nil {
			stream, err = s.host.NewStream(ctx, info.ID, Protocol)
		}
		cancel()
		if err != nil {
			s.opts.Logger.Debug("peer not reached", "err", err)
			continue
		}
		s.meet(stream, true)
		return
	}
}

// pause waits between two dials, and says whether to go on.
func (s *Service) pause() bool {
	t := time.NewTimer(dialPause)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-s.ctx.Done():
		return false
	}
}

// accept takes the stream of a peer that dials.
func (s *Service) accept(stream network.Stream) {
	id := stream.Conn().RemotePeer()
	if string(id) >= string(s.host.ID()) || len(id) > maxPeerID || !s.reserve(id) {
		_ = stream.Reset()
		return
	}
	if !s.start(func() {
		defer s.release(id)
		s.meet(stream, false)
	}) {
		s.release(id)
		_ = stream.Reset()
	}
}

// meet greets and lists a peer.
func (s *Service) meet(stream network.Stream, dials bool) {
	_ = stream.SetDeadline(time.Now().Add(greetTime))
	name, err := greet(streamChannel{stream}, dials, s.opts.Name)
	_ = stream.SetDeadline(time.Time{})
	id := stream.Conn().RemotePeer()
	l := newLink(shortID(id), side{id: string(id), name: name}, stream)
	s.mu.Lock()
	if err == nil && s.closed {
		err = ErrGone
	}
	if err == nil {
		s.links[id] = l
		s.work.Go(func() { s.follow(id, l) })
		s.notify()
	}
	s.mu.Unlock()
	if err != nil {
		s.opts.Logger.Debug("peer not met", "err", err)
		_ = stream.Reset()
	}
}

// follow reads what a peer says, and drops it from the list when it goes.
func (s *Service) follow(id peer.ID, l *link) {
	l.read(func(k kind) {
		if k != kindChoose {
			return
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		if !s.chosen[id] {
			s.chosen[id] = true
			s.notify()
		}
	})
	_ = l.stream.Reset()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.links[id] == l {
		delete(s.links, id)
		delete(s.chosen, id)
		s.notify()
	}
}

// notify wakes who waits for the list to change; s.mu is held.
func (s *Service) notify() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// shortID is the end of a peer id, enough to tell some apart.
func shortID(id peer.ID) string {
	text := id.String()
	return text[max(0, len(text)-shortLength):]
}

// shortLength is how many characters of a peer id a list shows.
const shortLength = 8

// Peers lists who is near, by name, and returns a channel that is closed when the list
// changes.
func (s *Service) Peers() ([]Peer, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Peer
	for id, l := range s.links {
		out = append(out, Peer{ID: l.id, Name: l.peer.name, Chosen: s.chosen[id]})
	}
	slices.SortFunc(out, func(a, b Peer) int {
		if c := strings.Compare(a.Name, b.Name); c != 0 {
			return c
		}
		return strings.Compare(a.ID, b.ID)
	})
	return out, s.changed
}
