package bench

import (
	"context"
	"crypto/rand"
	"errors"
	"time"

	"golang.org/x/sync/errgroup"

	client "communicator/client/directory"
	"communicator/directory/vend"
	"communicator/particle"
	"communicator/wire"
)

// contactLife is how long the packages are good.
const contactLife = 7 * 24 * time.Hour

// contacts stocks a name with one-time packages, and asks for all of them.
func (w *directoryWorld) contacts(ctx context.Context, n int) (s spent, err error) {
	packages := make([][]byte, n)
	expires := time.Now().Add(contactLife).Truncate(time.Second)
	address := &wire.Address{Agent: w.agent, Expires: expires, Caps: wire.CapContact,
		URI: "/dns4/agent.example.org/udp/4001/quic-v1/p2p/12D3KooWExample"}
	err = parallel(n, func(i int) error {
		p, _, err := particle.NewPackage(rand.Reader, w.owner.identity,
			particle.PackageOptions{Contact: address, OneTime: true, Expires: expires})
		packages[i] = p.Bytes()
		return err
	})
	if err != nil {
		return s, err
	}
	owner := client.Owner{Client: w.clients[0], NS: w.chain.NSID(), Name: contactName, Key: w.owner.key}
	if err := owner.SetRule(ctx, vend.Policy{Rule: vend.Open, PerHour: noLimit}); err != nil {
		return s, err
	}
	if err := owner.Upload(ctx, packages...); err != nil {
		return s, err
	}
	vended := make([]string, n)
	err = s.spend(n, func() error {
		g, ctx := errgroup.WithContext(ctx)
		g.SetLimit(contactClients)
		for i := range n {
			g.Go(func() error {
				id, err := client.NewRequestID(rand.Reader)
				if err != nil {
					return err
				}
				p, err := w.clients[0].Contact(ctx, client.ContactRequest{NS: owner.NS, Name: owner.Name, ID: id}, time.Now())
				vended[i] = string(p)
				return err
			})
		}
		return g.Wait()
	})
	if err != nil {
		return s, err
	}
	different := map[string]bool{}
	for _, p := range vended {
		different[p] = true
	}
	if len(different) != n {
		return s, errors.New("a one-time package was vended twice")
	}
	return s, nil
}
