package demo

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"communicator/directory/authority"
	"communicator/internal/agentproc"
	"communicator/node"
	"communicator/node/config"
)

// overlay are the nodes that form the overlay, the first of which the others join by.
func (s *stage) overlay() []*agentproc.Agent {
	return slices.Concat([]*agentproc.Agent{s.directory}, s.sending[:], s.receiving[:], s.spare[:])
}

// nodes are all that were made.
func (s *stage) nodes() []*agentproc.Agent {
	return slices.DeleteFunc(append(s.overlay(), s.second), func(a *agentproc.Agent) bool { return a == nil })
}

// start makes the club, and starts nine processes.
func (s *stage) start(ctx context.Context) (err error) {
	s.say("starting nine nodes, each a process of its own …")
	// A key is valid from when it was made on: a minute ago, for clocks that step.
	if s.club, err = authority.Init(filepath.Join(s.root, "club"), authority.Options{Now: time.Now().Add(-time.Minute)}); err != nil {
		return err
	}
	if s.directory, err = s.serveClub(ctx, "directory of the club", nil); err != nil {
		return err
	}
	for _, n := range []struct {
		at         **agentproc.Agent
		name, role string
	}{
		{&s.sending[0], "sending agent of Alex", config.RoleSending},
		{&s.sending[1], "sending agent of Blair", config.RoleSending},
		{&s.sending[2], "sending agent of Carol", config.RoleSending},
		{&s.receiving[0], "receiving agent 1", config.RoleReceiving},
		{&s.receiving[1], "receiving agent 2", config.RoleReceiving},
		{&s.receiving[2], "receiving agent 3", config.RoleReceiving},
		{&s.spare[0], "other node 1", config.RoleReceiving},
		{&s.spare[1], "other node 2", config.RoleReceiving},
	} {
		if *n.at, err = s.node(ctx, n.name, n.role, func(c *config.Config) { c.DHT.Bootstrap = []string{uri(s.directory)} }); err != nil {
			return err
		}
	}
	return s.startOverlay(ctx)
}

// startOverlay starts the directory, and then those who join by it.
func (s *stage) startOverlay(ctx context.Context) error {
	all := s.overlay()
	if err := all[0].Start(ctx); err != nil {
		return err
	}
	group, starting := errgroup.WithContext(ctx)
	for _, a := range all[1:] {
		group.Go(func() error { return a.Start(starting) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	s.result.Agents = len(all)
	return nil
}

// node makes a node of one role that admits all three people.
func (s *stage) node(ctx context.Context, name, role string, change func(*config.Config)) (*agentproc.Agent, error) {
	return agentproc.New(ctx, agentproc.Options{Binary: s.options.Binary, Root: s.root, Name: name, Uses: 3,
		Change: func(c *config.Config) {
			c.Roles = []string{role}
			if change != nil {
				change(c)
			}
		}})
}

// serveClub makes a directory and gives it the club's online keys, as
// `communicator namespace serve` does.
func (s *stage) serveClub(ctx context.Context, name string, change func(*config.Config)) (*agentproc.Agent, error) {
	a, err := s.node(ctx, name, config.RoleDirectory, change)
	if err != nil {
		return nil, err
	}
	return a, s.club.Install(node.SpacesDir(a.Dir), true)
}

// uri is where a node is reached, without the token, which is nobody else's business.
func uri(a *agentproc.Agent) string {
	bare, _, _ := strings.Cut(a.URI, "?")
	return bare
}

func (s *stage) stopNodes() error {
	all := s.nodes()
	errs := make([]error, len(all))
	var wg sync.WaitGroup
	for i, a := range all {
		wg.Go(func() { errs[i] = a.Stop() })
	}
	wg.Wait()
	return errors.Join(errs...)
}
