package dht

import (
	"fmt"
	"regexp"
	"time"

	"communicator/dht/record"

	"github.com/ipfs/go-datastore"
	kad "github.com/libp2p/go-libp2p-kad-dht"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/protocol"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
)

// Quota bounds what a node stores of one kind of record.
type Quota struct {
	Records int
	Bytes   int64 // values and keys, without the datastore's own overhead
}

// Config says how a host takes part. The zero value is a client of the public network.
type Config struct {
	// Server makes the host store records and answer. A client only asks: it never
	// appears in anyone's routing table. Nothing switches by itself.
	Server bool
	// Private is for networks on private addresses: addresses of every kind are
	// dialled and passed on. Otherwise only public ones are.
	Private bool
	// Network is a name that separates a network from others, [a-z0-9-], at most 32
	// bytes; empty for the public one.
	Network string
	// AnyGroup admits any number of peers of one IP group (/16, or AS for IPv6) to
	// the routing table and to answers. A test on one machine, or a private network
	// in one subnet, needs it.
	AnyGroup bool

	// WorkBits is how many zero bits stamps must have; 0 stands for record.WorkBits.
	WorkBits int
	// Datastore keeps a server's records; nil keeps them in memory. It is used for
	// nothing else, and its owner closes it after the host.
	Datastore datastore.Batching
	// Attest and Agents bound it. Zeros stand for DefaultRecords and DefaultBytes.
	Attest, Agents Quota

	// Refresh is how often the routing table is refreshed; 0 stands for
	// DefaultRefresh, a negative one for never.
	Refresh time.Duration
	// Search bounds finding the peers nearest to a key, Request one request to one
	// of them. Zeros stand for DefaultSearch and DefaultRequest.
	Search, Request time.Duration
	// Now is the clock by which records are judged; nil stands for time.Now.
	Now func() time.Time
}

var networkName = regexp.MustCompile(`^[a-z0-9-]*$`)

func (c *Config) fill() error {
	if len(c.Network) > maxNetwork || !networkName.MatchString(c.Network) {
		return fmt.Errorf("%w: name of the network", ErrConfig)
	}
	if c.WorkBits < 0 || c.WorkBits > record.MaxWorkBits {
		return fmt.Errorf("%w: work bits", ErrConfig)
	}
	if c.WorkBits == 0 {
		c.WorkBits = record.WorkBits
	}
	for _, q := range []*Quota{&c.Attest, &c.Agents} {
		if q.Records < 0 || q.Bytes < 0 {
			return fmt.Errorf("%w: quota", ErrConfig)
		}
		if q.Records == 0 {
			q.Records = DefaultRecords
		}
		if q.Bytes == 0 {
			q.Bytes = DefaultBytes
		}
	}
	for d, otherwise := range map[*time.Duration]time.Duration{
		&c.Refresh: DefaultRefresh, &c.Search: DefaultSearch, &c.Request: DefaultRequest,
	} {
		if *d == 0 {
			*d = otherwise
		}
	}
	if c.Search < 0 || c.Request < 0 {
		return fmt.Errorf("%w: times", ErrConfig)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return nil
}

func (c *Config) prefix() protocol.ID {
	if c.Network == "" {
		return Prefix
	}
	return protocol.ID(Prefix + "/" + c.Network)
}

// protocol is what the library makes of the prefix.
func (c *Config) protocol() protocol.ID { return c.prefix() + "/kad/1.0.0" }

func (c *Config) options(h host.Host, s *store) []kad.Option {
	options := []kad.Option{
		kad.ProtocolPrefix(c.prefix()),
		kad.Validator(validators(c.WorkBits, c.Now)),
		kad.Datastore(s),
		kad.DisableProviders(),
		kad.BucketSize(Replication), kad.Concurrency(Parallel), kad.Resiliency(Settled),
		kad.MaxRecordAge(RecordAge), kad.ValueGCInterval(sweepEvery),
	}
	mode := kad.ModeClient
	if c.Server {
		mode = kad.ModeServer
	}
	options = append(options, kad.Mode(mode))
	if c.Refresh < 0 {
		options = append(options, kad.DisableAutoRefresh())
	} else {
		options = append(options, kad.RoutingTableRefreshPeriod(c.Refresh))
	}
	if !c.AnyGroup {
		options = append(options, kad.RoutingTablePeerDiversityFilter(
			kad.NewRTPeerDiversityFilter(h, groupPerBucket, groupPerTable)))
	}
	if !c.Private {
		options = append(options, kad.QueryFilter(kad.PublicQueryFilter),
			kad.RoutingTableFilter(kad.PublicRoutingTableFilter), kad.AddressFilter(publicOnly))
	}
	return options
}

// publicOnly keeps a stranger's answer from making this host dial its own network.
func publicOnly(addrs []ma.Multiaddr) []ma.Multiaddr {
	return ma.FilterAddrs(addrs, manet.IsPublicAddr)
}
