package demo

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"communicator/client/lookup"
	"communicator/client/transport"
	"communicator/dht"
)

// onlooker looks names up without an account: a memory of what was seen, and a host that
// is used for nothing else.
type onlooker struct {
	memory  lookup.Dir
	network *lookup.Joined
	*lookup.Resolver
}

// newOnlooker enters the overlay through nodes; without any it asks directories alone.
func newOnlooker(ctx context.Context, root, name string, through ...string) (*onlooker, error) {
	memory, err := lookup.OpenDir(filepath.Join(root, name))
	if err != nil {
		return nil, err
	}
	o := &onlooker{memory: memory}
	return o, o.enter(ctx, through...)
}

// enter leaves the network and enters it through other nodes.
func (o *onlooker) enter(ctx context.Context, through ...string) error {
	if err := o.leave(); err != nil {
		return err
	}
	host, err := transport.NewHost("")
	if err != nil {
		return err
	}
	o.network, err = lookup.Join(ctx, lookup.HostFunc(host), dht.Config{}, through, nil)
	options := lookup.Options{Memory: o.memory}
	if o.network != nil {
		options.Dial = o.network.Dial
	}
	switch {
	case err == nil:
		options.Overlay = o.network.Overlay()
	case len(through) > 0 || !errors.Is(err, dht.ErrNoPeers):
		return err
	}
	o.Resolver = lookup.New(options)
	return nil
}

// enterOverlay enters it until this many nodes are seen: they need a moment to meet.
func (o *onlooker) enterOverlay(ctx context.Context, nodes int, through ...string) (seen int, err error) {
	err = retry(ctx, func() (bool, error) {
		if seen = o.network.Overlay().Stats().Peers; seen >= nodes {
			return true, nil
		}
		return false, o.enter(ctx, through...)
	})
	return seen, err
}

// inOverlay looks a name up until the overlay has it, for as long as a search may take.
func (o *onlooker) inOverlay(ctx context.Context, name string) (res lookup.Result, err error) {
	err = retry(ctx, func() (bool, error) {
		res, err = o.Lookup(ctx, name)
		if errors.Is(err, lookup.ErrNotFound) || errors.Is(err, lookup.ErrUnreachable) {
			return false, nil
		}
		return res.FromOverlay, err
	})
	if err != nil {
		err = fmt.Errorf("%s in the overlay: %w", name, err)
	}
	return res, err
}

const (
	tryAgain = 300 * time.Millisecond
	tryFor   = 30 * time.Second // on a busy machine
)

// retry calls try now and again until it says that it is done.
func retry(ctx context.Context, try func() (done bool, err error)) error {
	ctx, cancel := context.WithTimeout(ctx, tryFor)
	defer cancel()
	timer := time.NewTicker(tryAgain)
	defer timer.Stop()
	for {
		if done, err := try(); done || err != nil {
			return err
		}
		select {
		case <-timer.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// leave ends what was entered.
func (o *onlooker) leave() error {
	if o.network == nil {
		return nil
	}
	err := o.network.Close()
	o.network = nil
	return err
}
