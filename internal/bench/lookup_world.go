package bench

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	kadpb "github.com/libp2p/go-libp2p-kad-dht/pb"
	recordlib "github.com/libp2p/go-libp2p-record"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	"google.golang.org/protobuf/encoding/protodelim"

	"communicator/dht"
	"communicator/dht/record"
	"communicator/simulations/memnet"
	"communicator/wire"
)

const (
	// oneWay is how long bytes travel between any two hosts.
	oneWay    = 25 * time.Millisecond
	roundTrip = 2 * oneWay
	// stampBits is the proof of work of the records: next to none.
	stampBits = 1
	// kadProtocol is what servers of the overlay speak.
	kadProtocol = dht.Prefix + "/kad/1.0.0"
	// hostsPerGroup spreads the hosts over IP groups (/16), one each.
	hostsPerGroup, firstGroup = 250, 20
)

// overlay is a network in memory whose servers know each other as after a long time of
// running. It is made, used and closed within one bubble of virtual time.
type overlay struct {
	net     *memnet.Network
	rand    *rand.Rand
	servers []*member
	infos   []peer.AddrInfo // of the servers
	clients []*member
	zone    ed25519.PrivateKey
	epoch   wire.Epoch
	made    int
}

// member is a host that takes part.
type member struct {
	host host.Host
	dht  *dht.DHT
}

func newOverlay(seed uint64, servers int) (*overlay, error) {
	fixed := func(peer.ID, peer.ID, int) time.Duration { return oneWay }
	o := &overlay{net: memnet.New(memnet.Options{Delay: fixed}), rand: rand.New(rand.NewPCG(seed, 1)),
		epoch: record.EpochAt(time.Now())}
	o.zone = ed25519.NewKeyFromSeed(o.seed())
	for range servers {
		m, err := o.join(dht.Config{Server: true})
		if err != nil {
			return o, err
		}
		o.servers = append(o.servers, m)
		o.infos = append(o.infos, peer.AddrInfo{ID: m.host.ID(), Addrs: m.host.Addrs()})
	}
	for _, m := range o.servers {
		if err := m.dht.Warm(o.infos); err != nil {
			return o, err
		}
	}
	return o, nil
}

// close leaves neither goroutine nor timer.
func (o *overlay) close() error {
	var errs []error
	for _, m := range slices.Concat(o.servers, o.clients) {
		errs = append(errs, m.dht.Close())
	}
	return errors.Join(append(errs, o.net.Close())...)
}

func (o *overlay) seed() []byte {
	var b [ed25519.SeedSize]byte
	for i := 0; i < len(b); i += 8 {
		binary.BigEndian.PutUint64(b[i:], o.rand.Uint64())
	}
	return b[:]
}

func (o *overlay) join(c dht.Config) (*member, error) {
	key, err := crypto.UnmarshalEd25519PrivateKey(ed25519.NewKeyFromSeed(o.seed()))
	if err != nil {
		return nil, err
	}
	o.made++
	address := fmt.Sprintf("/ip4/%d.%d.1.1/tcp/4001", firstGroup+o.made/hostsPerGroup, 1+o.made%hostsPerGroup)
	h, err := o.net.Host(key, ma.StringCast(address))
	if err != nil {
		return nil, err
	}
	// The limit for an IP group looks at connections, which a warmed table has none of.
	c.WorkBits, c.AnyGroup, c.Refresh = stampBits, true, -1
	d, err := dht.New(h, c)
	return &member{h, d}, err
}

// client joins a host that only asks, and knows nobody yet.
func (o *overlay) client() (*member, error) {
	m, err := o.join(dht.Config{})
	if err == nil {
		o.clients = append(o.clients, m)
	}
	return m, err
}

// reader is a client that has been running for long: its table is full, and it has looked
// something up before.
func (o *overlay) reader(ctx context.Context) (*member, error) {
	m, err := o.client()
	if err != nil {
		return nil, err
	}
	if err := m.dht.Warm(o.infos); err != nil {
		return nil, err
	}
	unknown, err := o.name()
	if err != nil {
		return nil, err
	}
	if _, err := m.dht.LookupAll(ctx, unknown.keys, nil); !errors.Is(err, dht.ErrNotFound) {
		return nil, fmt.Errorf("lookup of a name that nobody published: %w", err)
	}
	return m, nil
}

// leave closes a member as if its machine had been switched off, cleanly.
func (m *member) leave() error { return errors.Join(m.dht.Close(), m.host.Close()) }

// goAway takes servers out of the network: two of three are switched off, the third
// swallows what is sent to it.
func (o *overlay) goAway(gone []int) error {
	var silent []peer.ID
	for i, at := range gone {
		if i%3 == 2 {
			silent = append(silent, o.servers[at].host.ID())
		} else if err := o.servers[at].leave(); err != nil {
			return err
		}
	}
	o.net.Partition(silent)
	return nil
}

// published is a name of the zone in this week.
type published struct {
	secret record.NameSecret
	keys   []string
}

// name draws the secret of a name, which for a real one is derived with Argon2id.
func (o *overlay) name() (published, error) {
	n := published{secret: record.NameSecret(o.seed())}
	blind, err := record.Blind(o.zone.Public().(ed25519.PublicKey), n.secret, o.epoch)
	if err != nil {
		return n, err
	}
	locations := blind.Locations()
	n.keys = locations[:]
	return n, nil
}

func (o *overlay) sign(n published, version uint32, payload []byte) ([]byte, error) {
	return record.Sign(o.zone, n.secret, record.Draft{Epoch: o.epoch, Version: version, Payload: payload}, stampBits)
}

// holds says whether a record that was found is this version of a name.
func (o *overlay) holds(n published, found []byte, version uint32, payload []byte) bool {
	got, header, err := record.Open(o.zone.Public().(ed25519.PublicKey), n.secret, o.epoch, found)
	return err == nil && header.Version == version && bytes.Equal(got, payload)
}

// nearest are the servers that keep a key, by their place among all.
func (o *overlay) nearest(key string) []int {
	target := sha256.Sum256([]byte(key))
	distance := make([][sha256.Size]byte, len(o.infos))
	order := make([]int, len(o.infos))
	for i, p := range o.infos {
		order[i], distance[i] = i, sha256.Sum256([]byte(p.ID))
		for j := range target {
			distance[i][j] ^= target[j]
		}
	}
	slices.SortFunc(order, func(a, b int) int { return bytes.Compare(distance[a][:], distance[b][:]) })
	return order[:min(len(order), dht.Replication)]
}

// plant asks one server to store a value, as publishing does, but only that one.
func (m *member) plant(ctx context.Context, to peer.AddrInfo, key string, value []byte) error {
	if err := m.host.Connect(ctx, to); err != nil {
		return err
	}
	s, err := m.host.NewStream(ctx, to.ID, kadProtocol)
	if err != nil {
		return err
	}
	defer s.Reset() // after the answer nothing is to come
	put := kadpb.NewMessage(kadpb.Message_PUT_VALUE, []byte(key), 0)
	put.Record = recordlib.MakePutRecord(key, value)
	if _, err := protodelim.MarshalTo(s, put); err != nil {
		return err
	}
	stored := &kadpb.Message{}
	if err := protodelim.UnmarshalFrom(bufio.NewReader(s), stored); err != nil {
		return err
	}
	if !bytes.Equal(stored.GetRecord().GetValue(), value) {
		return errors.New("a server did not store a record")
	}
	return nil
}
