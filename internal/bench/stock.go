package bench

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"communicator/eventlog"
	"communicator/internal/agentproc"
	"communicator/mailbox/admit"
	"communicator/node"
	"communicator/node/config"
	"communicator/wire"
)

// StockOptions say what a receiving agent holds before something is measured.
type StockOptions struct {
	Deliveries int
	Size       int // of a ciphertext, bytes
	Mailboxes  int
	Binary     string // that runs an agent; empty: this program
}

// stock is a receiving agent with deliveries in it, made through its log rather than
// over the network: filling is not what is measured.
type stock struct {
	agent  *agentproc.Agent
	root   string // temporary
	log    eventlog.Options
	owners []ed25519.PrivateKey
}

const (
	// stockChunk is how many deliveries one append makes, stockWriters how many appends
	// wait at a time.
	stockChunk, stockWriters = 64, 16
	// stockLife is when a stocked put's time is over.
	stockLife = 7 * 24 * time.Hour
)

// newStock makes an agent that is not running, with deliveries in its log.
func newStock(ctx context.Context, o StockOptions, progress io.Writer) (s *stock, err error) {
	s = &stock{}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	if s.root, err = os.MkdirTemp("", "communicator-bench-"); err != nil {
		return s, err
	}
	s.agent, err = agentproc.New(ctx, agentproc.Options{Binary: o.Binary, Root: s.root, Name: "receiving", Uses: 1,
		Change: func(c *config.Config) {
			c.Roles = []string{config.RoleReceiving}
			c.Log.Level = "error"
			c.Limits.MailboxesPerAccount = benchQuota
			c.Limits.DeliveriesPerMailbox = benchQuota
			c.Limits.BytesPerMailbox = 1 << 40
		}})
	if err != nil {
		return s, err
	}
	if err := s.learnOptions(ctx); err != nil {
		return s, err
	}
	return s, s.fill(ctx, o, progress)
}

// learnOptions opens the node once, to see how it opens its log.
func (s *stock) learnOptions(ctx context.Context) error {
	n, err := node.Open(ctx, node.Config{Dir: s.agent.Dir, LogOptions: func(o *eventlog.Options) { s.log = *o }})
	if err != nil {
		return err
	}
	s.log.Now = time.Now
	return n.Close()
}

func (s *stock) openLog() (eventlog.Log, error) {
	return eventlog.Open(filepath.Join(s.agent.Dir, "log"), s.log)
}

func (s *stock) fill(ctx context.Context, o StockOptions, progress io.Writer) (err error) {
	log, err := s.openLog()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, log.Close()) }()
	expires := admit.HourAfter(time.Now().Add(stockLife))
	for i := range o.Mailboxes {
		_, owner, err := ed25519.GenerateKey(nil)
		if err != nil {
			return err
		}
		s.owners = append(s.owners, owner)
		created := admit.MailboxCreated{Mailbox: mailboxOf(owner), Expires: expires, Slot: admit.Slot{byte(i >> 8), byte(i)}}
		if _, err := log.Append(ctx, eventOf(created, nil)); err != nil {
			return err
		}
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(stockWriters)
	report := max(o.Deliveries/10, 1)
	for first := 0; first < o.Deliveries; first += stockChunk {
		if first/report != (first-stockChunk)/report {
			fmt.Fprintf(progress, "stored %d of %d deliveries\n", first, o.Deliveries)
		}
		g.Go(func() error {
			return s.store(ctx, log, first, min(stockChunk, o.Deliveries-first), o.Size, expires)
		})
	}
	return g.Wait()
}

// store appends some deliveries, spread over the mailboxes.
func (s *stock) store(ctx context.Context, log eventlog.Log, first, n, size int, notAfter admit.Hour) error {
	events := make([]eventlog.Event, n)
	for i := range events {
		payload := make([]byte, size+wire.WrapOverhead)
		if _, err := rand.Read(payload); err != nil {
			return err
		}
		d := admit.Delivered{Mailbox: mailboxOf(s.owners[(first+i)%len(s.owners)]), NotAfter: notAfter}
		copy(d.Replay[:], payload)
		events[i] = eventOf(d, payload)
	}
	_, err := log.Append(ctx, events...)
	return err
}

func mailboxOf(owner ed25519.PrivateKey) wire.MailboxID {
	return wire.MailboxIDOf(owner.Public().(ed25519.PublicKey))
}

func eventOf(f admit.Fact, body []byte) eventlog.Event {
	return eventlog.Event{Kind: eventlog.Kind(f.Kind()), Version: admit.Version, Stream: f.Stream(), Header: f.Header(), Body: body}
}

func (s *stock) close() error {
	var err error
	if s.agent != nil {
		err = s.agent.Stop()
	}
	return errors.Join(err, os.RemoveAll(s.root))
}
