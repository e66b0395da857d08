package bench

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"golang.org/x/sync/errgroup"

	client "communicator/client/directory"
	"communicator/directory"
	"communicator/directory/proof"
	"communicator/eventlog"
	"communicator/internal/budget"
	"communicator/wire"
)

// directoryWorld is a directory of one namespace, on a log on disk as a node has it, and
// clients that speak its protocol over pipes.
type directoryWorld struct {
	namespace
	root    string // temporary
	log     eventlog.Log
	serves  *directory.Directory
	serving sync.WaitGroup
	agent   wire.AgentID
	clients []*client.Client
	model   logged // a statement as the log has it
	owner   subject
}

// contactName is the name that is asked for contact.
const contactName = proof.Name("contact")

// noLimit is for a rate or a stock that is not to be what ends a measurement.
const noLimit = math.MaxInt32

func newDirectoryWorld(ctx context.Context, dir string) (w *directoryWorld, err error) {
	w = &directoryWorld{}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.close())
		}
	}()
	if w.namespace, err = newNamespace(time.Now(), 0); err != nil {
		return w, err
	}
	if w.root, err = os.MkdirTemp(dir, "bench-directory-"); err != nil {
		return w, err
	}
	public, node, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return w, err
	}
	w.agent = wire.AgentIDOf(public)
	w.log, err = eventlog.Open(filepath.Join(w.root, "log"), eventlog.Options{
		Signer: node, Projections: directory.Projections(), Growing: directory.Growing,
	})
	if err != nil {
		return w, err
	}
	limits := directory.DefaultLimits()
	limits.Requests = budget.Rate{Burst: noLimit}
	limits.Contacts = budget.Rate{Burst: noLimit}
	limits.Vend.Stock, limits.Vend.PerHour = noLimit, noLimit
	w.serves, err = directory.New(directory.Config{Agent: w.agent, Log: w.log, Keys: w, Limits: limits})
	if err != nil {
		return w, err
	}
	if err = w.serves.AddNamespace(ctx, w.chain.NSID(), w.genesis); err != nil {
		return w, err
	}
	for range directoryClients {
		w.clients = append(w.clients, client.New(w.agent, w))
	}
	return w, w.learnLayout(ctx)
}

// Log and Attesting implement [directory.Keys].
func (w *directoryWorld) Log(proof.NSID) (ed25519.PrivateKey, bool) { return w.namespace.log, true }

// Attesting has none: names are submitted, not registered.
func (w *directoryWorld) Attesting(proof.NSID) (ed25519.PrivateKey, bool) { return nil, false }

// Open implements [client.Dialer].
func (w *directoryWorld) Open(context.Context) (io.ReadWriteCloser, peer.ID, error) {
	ours, theirs := net.Pipe()
	const self = peer.ID("bench")
	w.serving.Go(func() { _ = w.serves.ServeDirectory(context.Background(), theirs, self) })
	return ours, self, nil
}

func (w *directoryWorld) close() error {
	for _, c := range w.clients {
		_ = c.Close() // says how the stream ended
	}
	w.serving.Wait()
	var errs []error
	if w.serves != nil {
		errs = append(errs, w.serves.Close())
	}
	if w.log != nil {
		errs = append(errs, w.log.Close())
	}
	if w.root != "" {
		errs = append(errs, os.RemoveAll(w.root))
	}
	return errors.Join(errs...)
}

func (w *directoryWorld) authority(i int) client.Authority {
	return client.Authority{Client: w.clients[i%len(w.clients)], NS: w.chain.NSID(), Key: w.attesting}
}

// entry is a name's first statement with what the log takes beside it.
func (w *directoryWorld) entry(name proof.Name, s subject) (client.Entry, error) {
	e := client.Entry{Identity: s.doc[:]}
	var err error
	if e.Statement, _, err = w.bind(name, s); err != nil {
		return e, err
	}
	if _, err := rand.Read(e.Secret[:]); err != nil { // Argon2id is for real names
		return e, err
	}
	_, err = rand.Read(e.Opening[:])
	return e, err
}

// signed submits statements that have everything.
func (w *directoryWorld) signed(ctx context.Context, n int) (s spent, err error) {
	entries := make([]client.Entry, n)
	err = parallel(n, func(i int) error {
		who, err := newSubject()
		if err != nil {
			return err
		}
		entries[i], err = w.entry(proof.Name(fmt.Sprintf("signed%d", i)), who)
		return err
	})
	if err != nil {
		return s, err
	}
	err = s.spend(n, func() error {
		g, ctx := errgroup.WithContext(ctx)
		for i := range directoryClients {
			g.Go(func() error {
				_, err := w.authority(i).Submit(ctx, entries[i*n/directoryClients:(i+1)*n/directoryClients]...)
				return err
			})
		}
		return g.Wait()
	})
	return s, err
}

// parallel does something n times, on all processors.
func parallel(n int, do func(i int) error) error {
	var g errgroup.Group
	for part := range directoryClients {
		g.Go(func() error {
			for i := part; i < n; i += directoryClients {
				if err := do(i); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return g.Wait()
}
