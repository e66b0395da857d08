package dht

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"communicator/dht/record"
	"communicator/simulations/memnet"
	"communicator/wire"
	"communicator/wire/descriptor"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
)

const (
	oneWay    = 25 * time.Millisecond
	roundTrip = 2 * oneWay
	workBits  = 1
)

// world is a network of servers on public addresses, each in an IP group of its own.
type world struct {
	t     *testing.T
	net   *memnet.Network
	rand  *rand.Rand
	nodes []*DHT
	peers []peer.AddrInfo
	made  int
}

// inWorld runs a test in virtual time with n servers that know each other as after a
// long time of running: each bucket of each table is full or complete.
func inWorld(t *testing.T, seed uint64, n int, test func(t *testing.T, w *world)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fixed := func(peer.ID, peer.ID, int) time.Duration { return oneWay }
		w := &world{t: t, net: memnet.New(memnet.Options{Delay: fixed}), rand: rand.New(rand.NewPCG(seed, 1))}
		for range n {
			w.add(w.host(), Config{Server: true})
		}
		for _, d := range w.nodes {
			w.warm(d)
		}
		test(t, w)
		for _, d := range w.nodes {
			if err := d.Close(); err != nil {
				t.Error(err)
			}
		}
		if err := w.net.Close(); err != nil {
			t.Error(err)
		}
	})
}

// key makes keys that are the same for a seed, whatever the library reads.
func (w *world) key() crypto.PrivKey {
	seed := make([]byte, ed25519.SeedSize)
	for i := range 4 {
		binary.BigEndian.PutUint64(seed[8*i:], w.rand.Uint64())
	}
	key, err := crypto.UnmarshalEd25519PrivateKey(ed25519.NewKeyFromSeed(seed))
	if err != nil {
		w.t.Fatal(err)
	}
	return key
}

func (w *world) host() host.Host { return w.hostWith(w.key()) }

func (w *world) hostWith(key crypto.PrivKey) host.Host {
	w.t.Helper()
	w.made++
	h, err := w.net.Host(key, ma.StringCast(fmt.Sprintf("/ip4/%d.%d.1.1/tcp/4001", 20+w.made/250, 1+w.made%250)))
	if err != nil {
		w.t.Fatal(err)
	}
	return h
}

// add makes a host take part.
func (w *world) add(h host.Host, cfg Config) *DHT {
	w.t.Helper()
	cfg.WorkBits, cfg.AnyGroup, cfg.Refresh = workBits, true, -1
	d, err := New(h, cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	w.nodes = append(w.nodes, d)
	if cfg.Server {
		w.peers = append(w.peers, peer.AddrInfo{ID: h.ID(), Addrs: h.Addrs()})
	}
	return d
}

func (w *world) warm(d *DHT) {
	w.t.Helper()
	if err := d.Warm(w.peers); err != nil {
		w.t.Fatal(err)
	}
}

// client is a host that asks only, and knows as many servers as fit its table.
func (w *world) client() *DHT {
	w.t.Helper()
	d := w.add(w.host(), Config{})
	w.warm(d)
	return d
}

// stop closes nodes as if their machines had been switched off, cleanly.
func (w *world) stop(nodes ...*DHT) {
	w.t.Helper()
	for _, d := range nodes {
		if err := d.Close(); err != nil {
			w.t.Error(err)
		}
		if err := d.host.Close(); err != nil {
			w.t.Error(err)
		}
	}
}

func (w *world) byID(id peer.ID) *DHT {
	for _, d := range w.nodes {
		if d.host.ID() == id {
			return d
		}
	}
	return nil
}

// name is a name of a zone in the world's week.
type name struct {
	zone   ed25519.PrivateKey
	secret record.NameSecret
	epoch  wire.Epoch
	keys   []string
}

func (w *world) name() name {
	w.t.Helper()
	raw, err := w.key().Raw()
	if err != nil {
		w.t.Fatal(err)
	}
	n := name{zone: ed25519.PrivateKey(raw), epoch: record.EpochAt(time.Now())}
	binary.BigEndian.PutUint64(n.secret[:], w.rand.Uint64()) // Argon2 is for real names
	blind, err := record.Blind(n.zone.Public().(ed25519.PublicKey), n.secret, n.epoch)
	if err != nil {
		w.t.Fatal(err)
	}
	keys := blind.Locations()
	n.keys = keys[:]
	return n
}

func (n name) sign(t *testing.T, version uint32, payload string) []byte {
	t.Helper()
	b, err := record.Sign(n.zone, n.secret, record.Draft{Epoch: n.epoch, Version: version, Payload: []byte(payload)}, workBits)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func entries(t *testing.T, value []byte) []Entry {
	t.Helper()
	e, err := Entries(value)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func (w *world) publish(d *DHT, value []byte) Report {
	w.t.Helper()
	report, err := d.Publish(w.t.Context(), entries(w.t, value)...)
	if err != nil {
		w.t.Fatal(err)
	}
	return report
}

// descriptors are two successive ones of an agent.
func (w *world) descriptors() (agent wire.AgentID, older, newer []byte) {
	w.t.Helper()
	raw, err := w.key().Raw()
	if err != nil {
		w.t.Fatal(err)
	}
	root := ed25519.PrivateKey(raw)
	d := descriptor.Descriptor{Root: root.Public().(ed25519.PublicKey), Roles: descriptor.Sending,
		Policy: descriptor.PolicyOpen, Sequence: 1, Issued: time.Now().Truncate(time.Second)}
	if older, err = descriptor.Sign(d, root); err != nil {
		w.t.Fatal(err)
	}
	d.Prev, d.Sequence = d.Chain(), 2
	if newer, err = descriptor.Sign(d, root); err != nil {
		w.t.Fatal(err)
	}
	return d.Agent(), older, newer
}

// nearer orders peers by their distance from a key.
func nearer(key string, a, b peer.ID) int {
	target := sha256.Sum256([]byte(key))
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	for i := range target {
		x[i], y[i] = x[i]^target[i], y[i]^target[i]
	}
	return bytes.Compare(x[:], y[:])
}
