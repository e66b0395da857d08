package client

import (
	"context"
	crand "crypto/rand"
	"encoding/binary"
	"errors"
	"io"
	"iter"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"communicator/client/route"
	"communicator/client/store"
	"communicator/client/transport"
	"communicator/dht"
	"communicator/particle"
)

// Options set what a client takes from outside. The zero value is fit for use.
type Options struct {
	// Host makes libp2p hosts; if nil, transport.NewHost(Proxy).
	Host transport.HostFunc
	// Proxy is a SOCKS5 proxy, "HOST:PORT", through which everything goes.
	Proxy string
	// MaxOpen is how many connections are open at once, MaxPerAgent how many of them at one
	// agent; 24 and 6 if both are zero. Of MaxOpen alone any number may be at one agent.
	MaxOpen, MaxPerAgent int
	// Linked collects all mailboxes of an agent over one connection: fewer
	// connections, and the agent sees that they belong to one person.
	Linked bool
	// AckDelay is the mean of the random delay of automatic answers, which would
	// otherwise tell when a message was read; [DefaultAckDelay] if zero, none if
	// negative.
	AckDelay time.Duration
	// Route is how patient sending is.
	Route route.Policy
	// KDF is the cost of passphrases that are set; the store's default if zero.
	KDF store.KDF
	// Alone is [store.Options.Alone]: nobody else opens the profile meanwhile.
	Alone bool
	// Now is the clock; time.Now if nil.
	Now func() time.Time
	// Rand draws keys and choices; crypto/rand if nil.
	Rand io.Reader
	// Attestations tells what namespaces attest, to check the claims of contacts; nil
	// for the names that this profile has looked up.
	Attestations Attestations
	// Recheck is how often, on average, the attested names of contacts are looked up
	// again; [DefaultRecheck] if zero, never if negative.
	Recheck time.Duration
	// Overlay says how names are looked up; the zero value is the public network.
	Overlay dht.Config
	// Logger gets what a developer wants to know, without names, addresses or texts;
	// none if nil.
	Logger *slog.Logger
}

func (o Options) withDefaults() (Options, error) {
	if o.Host == nil {
		h, err := transport.NewHost(o.Proxy)
		if err != nil {
			return o, err
		}
		o.Host = h
	}
	if o.AckDelay == 0 {
		o.AckDelay = DefaultAckDelay
	}
	if o.Recheck == 0 {
		o.Recheck = DefaultRecheck
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Rand == nil {
		o.Rand = crand.Reader
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	o.Route = o.Route.WithDefaults()
	return o, nil
}

func (o Options) store() store.Options {
	return store.Options{Now: o.Now, Rand: o.Rand, KDF: o.KDF, Alone: o.Alone}
}

// Client is an open profile with its connections.
type Client struct {
	st     *store.Store
	pool   *transport.Pool
	opts   Options
	rnd    *rand.Rand // over a source that may be used from many goroutines
	health health
	flying flights
	keys   sealKeys
	spent  spent
	events bus
	names  names
	pruned atomic.Int64 // Unix seconds of the last prune

	active activity
	turns  turns
	// crash is for tests: it fails at a named point of a journey, as a crash would.
	crash func(point string) error
}

// Create makes a new profile at path, a file, and opens it.
//
// Errors: [ErrProfileExists], [store.ErrEmptyPassphrase].
func Create(ctx context.Context, path string, passphrase []byte, o Options) (*Client, error) {
	return start(ctx, o, func(so store.Options) (*store.Store, error) {
		st, err := store.Create(path, passphrase, so)
		if errors.Is(err, store.ErrExists) {
			err = ErrProfileExists
		}
		return st, err
	})
}

// Open opens the profile at path.
//
// Errors: [ErrNoProfile], [ErrWrongPassphrase], [store.ErrNotProfile],
// [store.ErrNewerFormat], [store.ErrDamaged].
func Open(ctx context.Context, path string, passphrase []byte, o Options) (*Client, error) {
	return start(ctx, o, func(so store.Options) (*store.Store, error) {
		st, err := store.Open(path, passphrase, so)
		if errors.Is(err, store.ErrNotFound) {
			err = ErrNoProfile
		}
		return st, err
	})
}

// Import makes a profile at path from an export. Its conversations are re-established
// before anything is sent in them, and verification starts anew: the exported profile
// may have gone on. Use the exported profile no more.
//
// Errors: [ErrProfileExists], [ErrWrongPassphrase], [store.ErrNotProfile],
// [store.ErrDamaged].
func Import(ctx context.Context, path string, r io.Reader, exportPassphrase, passphrase []byte, o Options) (*Client, error) {
	c, err := start(ctx, o, func(so store.Options) (*store.Store, error) {
		st, err := store.Import(ctx, path, r, exportPassphrase, passphrase, so)
		if errors.Is(err, store.ErrExists) {
			err = ErrProfileExists
		}
		return st, err
	})
	return c, err
}

func start(ctx context.Context, o Options, open func(store.Options) (*store.Store, error)) (*Client, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	var seed [32]byte
	if _, err := io.ReadFull(o.Rand, seed[:]); err != nil {
		return nil, err
	}
	st, err := open(o.store())
	if err != nil {
		return nil, err
	}
	c := &Client{st: st, turns: turns{first: watchFirst, most: watchMost}}
	c.pool, err = transport.NewPool(transport.Options{Host: o.Host, MaxOpen: o.MaxOpen, MaxPerAgent: o.MaxPerAgent,
		Rand: o.Rand, Now: o.Now, Active: c.lastActive})
	if err != nil {
		return nil, errors.Join(err, st.Close())
	}
	if o.Attestations == nil {
		o.Attestations = attested{st, o.Now}
	}
	c.opts, c.rnd, c.names = o, rand.New(newLockedSource(seed)), newNames()
	if err := c.markImported(ctx); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// markImported marks the state of every relationship that an import has left to be
// reset, before anything can be sent from it.
func (c *Client) markImported(ctx context.Context) error {
	var imported bool
	err := c.st.View(ctx, func(tx *store.Tx) error {
		p, err := tx.Profile()
		imported = !p.Imported.IsZero()
		return err
	})
	if err != nil || !imported {
		return err
	}
	return c.st.Update(ctx, func(tx *store.Tx) error {
		contacts, err := tx.Contacts()
		if err != nil {
			return err
		}
		for _, row := range contacts {
			if row.State != store.ContactNeedsReset {
				continue
			}
			r, err := load(tx, row.ID)
			if err != nil {
				return err
			}
			if !r.particle.Imported() {
				if err := r.save(tx, r.particle.MarkImported()); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// Close ends every connection and closes the profile. Calls under way fail.
func (c *Client) Close() error { return errors.Join(c.closeNames(), c.pool.Close(), c.st.Close()) }

// Export writes the profile to w, encrypted under another passphrase. What is sent from
// this profile afterwards makes the export unfit to go on from without re-establishing:
// [Import] does that by itself.
func (c *Client) Export(ctx context.Context, w io.Writer, passphrase []byte) error {
	return c.st.Export(ctx, w, passphrase)
}

// ChangePassphrase replaces the profile's passphrase.
func (c *Client) ChangePassphrase(ctx context.Context, old, fresh []byte) error {
	return c.st.ChangePassphrase(ctx, old, fresh)
}

func (c *Client) now() time.Time { return c.opts.Now() }

// mayTry says whether upkeep that may have failed before is due.
func (c *Client) mayTry(what string) bool {
	return c.health.mayTry(what, c.now(), c.opts.Route.RetryMin)
}

// at is where a test may let the client crash.
func (c *Client) at(point string) error {
	if c.crash == nil {
		return nil
	}
	return c.crash(point)
}

func (c *Client) randomID() (id store.ID, err error) {
	_, err = io.ReadFull(c.opts.Rand, id[:])
	return id, err
}

// lockedSource is a random source for many goroutines.
type lockedSource struct {
	mu sync.Mutex // guards src
	// ChaCha8, since which sending agent is chosen should not be guessed.
	src *rand.ChaCha8
}

func newLockedSource(seed [32]byte) *lockedSource {
	return &lockedSource{src: rand.NewChaCha8(seed)}
}

func (s *lockedSource) Uint64() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.src.Uint64()
}

// relation is a contact with its decoded state, inside a transaction.
type relation struct {
	store.Contact
	particle particle.Particle
}

func load(tx *store.Tx, id store.ID) (relation, error) {
	row, err := tx.Contact(id)
	if err != nil {
		return relation{}, err
	}
	return decode(row)
}

// everyContact goes through the relationships by name, and reads one at a time.
func everyContact(tx *store.Tx) iter.Seq2[relation, error] {
	return func(yield func(relation, error) bool) {
		rows, err := tx.Contacts()
		if err != nil {
			yield(relation{}, err)
			return
		}
		for _, row := range rows {
			if r, err := load(tx, row.ID); !yield(r, err) || err != nil {
				return
			}
		}
	}
}

func loadByName(tx *store.Tx, name string) (relation, error) {
	row, err := tx.ContactByName(name)
	if err != nil {
		return relation{}, contactError(err)
	}
	return decode(row)
}

func decode(row store.Contact) (relation, error) {
	p, err := particle.Parse(row.Particle)
	return relation{row, p}, err
}

// save stores the next state of the relationship.
func (r *relation) save(tx *store.Tx, next particle.Particle) error {
	r.particle = next
	return tx.SetParticle(r.ID, next.Marshal())
}

// counterScope names the counter of the puts to one of the peer's mailboxes.
func counterScope(agent [32]byte, mailbox [16]byte) []byte {
	return append(append([]byte("put"), agent[:]...), mailbox[:]...)
}

func millis(t time.Time) []byte { return binary.BigEndian.AppendUint64(nil, uint64(t.UnixMilli())) }

func parseMillis(b []byte) (time.Time, bool) {
	if len(b) != 8 {
		return time.Time{}, false
	}
	return time.UnixMilli(int64(binary.BigEndian.Uint64(b))).UTC(), true
}
