package real

import (
	"crypto/ed25519"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	"golang.org/x/sync/errgroup"

	"communicator/dht"
	"communicator/dht/record"
	"communicator/simulations/script"
	"communicator/simulations/trace"
	"communicator/wire"
)

// names are records in the overlay, and clients that look them up. A lookup ends where the
// overlay's part of one does: with the newest record that its key opens. What a namespace's
// proofs add is arithmetic, and asks nobody.
type names struct {
	w       *world
	zone    ed25519.PrivateKey
	epoch   wire.Epoch
	all     []published
	readers []*reader
}

// published is a name: what derives from it, and what it says.
type published struct {
	secret record.NameSecret
	keys   []string
}

// reader is a client of the overlay on the machine of a user.
type reader struct {
	host host.Host
	dht  *dht.DHT
}

// newest is the version of each name that is true; an older one is about as well.
const newest = 2

// openNames publishes the names and opens the clients, before the run begins.
func (w *world) openNames() error {
	n := w.s.Scenario.Workload.Names
	if w.s.Scenario.Workload.LookupsPerUserHour == 0 || n == 0 {
		return nil
	}
	r := w.s.Rand("names", 0)
	w.names = &names{w: w, zone: ed25519.NewKeyFromSeed(seedOf(r)), epoch: record.EpochAt(time.Now())}
	for range min(readers, len(w.users)) {
		if err := w.names.open(r); err != nil {
			return err
		}
	}
	for range n {
		if err := w.names.draw(r); err != nil {
			return err
		}
	}
	for version := uint32(1); version <= newest; version++ {
		if err := w.names.publish(version); err != nil {
			return err
		}
	}
	return nil
}

func seedOf(r *rand.Rand) []byte {
	var b [ed25519.SeedSize]byte
	for i := 0; i < len(b); i += 8 {
		binary.BigEndian.PutUint64(b[i:], r.Uint64())
	}
	return b[:]
}

// open opens a client that knows the overlay as one does that has been running.
func (n *names) open(r *rand.Rand) error {
	key, err := crypto.UnmarshalEd25519PrivateKey(ed25519.NewKeyFromSeed(seedOf(r)))
	if err != nil {
		return err
	}
	h, err := n.w.net.readerHost(int32(len(n.readers)), key)
	if err != nil {
		return err
	}
	d, err := dht.New(h, dht.Config{WorkBits: stampBits, AnyGroup: true, Refresh: -1})
	if err != nil {
		return errors.Join(err, h.Close())
	}
	n.readers = append(n.readers, &reader{h, d})
	known := make([]peer.AddrInfo, len(n.w.agents))
	for i, a := range n.w.agents {
		known[i] = a.info()
	}
	return d.Warm(known)
}

func (n *names) draw(r *rand.Rand) error {
	one := published{secret: record.NameSecret(seedOf(r))}
	blind, err := record.Blind(n.zone.Public().(ed25519.PublicKey), one.secret, n.epoch)
	if err != nil {
		return err
	}
	locations := blind.Locations()
	one.keys = locations[:]
	n.all = append(n.all, one)
	return nil
}

// publish publishes a version of every name, as its subject does.
func (n *names) publish(version uint32) error {
	g, ctx := errgroup.WithContext(n.w.ctx)
	g.SetLimit(publishing)
	for i, one := range n.all {
		g.Go(func() error {
			defer n.w.watch.moved()
			value, err := record.Sign(n.zone, one.secret, record.Draft{Epoch: n.epoch, Version: version,
				Payload: fmt.Appendf(nil, "name %d", i)}, stampBits)
			if err != nil {
				return err
			}
			entries, err := dht.Entries(value)
			if err != nil {
				return err
			}
			_, err = n.readers[i%len(n.readers)].dht.Publish(ctx, entries...)
			return err
		})
	}
	return g.Wait()
}

// lookUp looks names up as the script says, until the run ends.
func (w *world) lookUp() {
	if w.names == nil {
		return
	}
	for all := w.s.Lookups(); ; {
		next, more := all.Next()
		if !more || !w.until(next.At) {
			return
		}
		if w.users[next.User].isOn() {
			w.work.Go(func() { w.names.lookUp(next) })
		}
	}
}

func (n *names) lookUp(what script.Lookup) {
	began, one := n.w.tape.now(), n.all[what.Name]
	answer, err := n.readers[int(what.User)%len(n.readers)].dht.LookupAll(n.w.ctx, one.keys, nil)
	if n.w.ctx.Err() != nil {
		return
	}
	l := trace.Lookup{Found: err == nil}
	if err == nil {
		_, header, err := record.Open(n.zone.Public().(ed25519.PublicKey), one.secret, n.epoch, answer.Record)
		l.True = err == nil && header.Version == newest
	}
	n.w.tape.tell(func(now time.Duration, to trace.Recorder) {
		l.At, l.Took = now, now-began
		to.Lookup(l)
	})
}

// close ends the clients.
func (n *names) close() error {
	if n == nil {
		return nil
	}
	var errs []error
	for _, r := range n.readers {
		errs = append(errs, r.dht.Close(), r.host.Close())
	}
	return errors.Join(errs...)
}
