package config

import (
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"communicator/wire"
	"communicator/wire/agenturi"
)

// What values may be.
const (
	maxAddrs     = 8  // announced or listened at: a descriptor lists no more
	maxWorkBits  = 40 // a day of one core's hashing
	maxPeers     = 10000
	maxBootstrap = 64
	minRetention = time.Hour
	maxRetention = 366 * day
	minReclaim   = time.Minute
	maxReclaim   = day // erased bodies are promised to be off the files after it

	// minSubmissionBytes lets the largest submission in, which a smaller quota would
	// refuse for ever.
	minSubmissionBytes Size = wire.MaxFrame
	maxQuota           Size = 1 << 50
)

// Validate finds the first fault, as an [*Error].
func (c Config) Validate() error {
	for _, check := range []func() error{
		c.validateAddrs, c.validateRoles, c.Access.validate, c.Limits.validate, c.Storage.validate,
		c.DHT.validate, c.Log.validate, c.Admin.validate,
	} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

func fault(key, format string, args ...any) error {
	return &Error{Key: key, Err: fmt.Errorf(format, args...)}
}

func (c Config) validateAddrs() error {
	if len(c.Listen) == 0 {
		return fault("listen", "at least one multiaddr is needed, such as /ip4/0.0.0.0/tcp/4001")
	}
	for key, addrs := range map[string][]string{"listen": c.Listen, "announce": c.Announce} {
		if len(addrs) > maxAddrs {
			return fault(key, "%d multiaddrs are more than %d", len(addrs), maxAddrs)
		}
		for _, s := range addrs {
			if err := checkAddr(key, s); err != nil {
				return err
			}
		}
	}
	return nil
}

func checkAddr(key, s string) error {
	addr, err := ma.NewMultiaddr(s)
	if err != nil {
		return fault(key, "%q is not a multiaddr: %v", s, err)
	}
	var codes []int
	for _, c := range addr {
		codes = append(codes, c.Protocol().Code)
	}
	switch {
	case slices.Contains(codes, ma.P_P2P):
		return fault(key, "%q: leave out /p2p/…, the node appends its own id", s)
	case key == "announce" && len(codes) == 1 && codes[0] == ma.P_DNSADDR:
		return nil
	case len(codes) != 2 || codes[1] != ma.P_TCP:
		return fault(key, "%q is not an address with a TCP port, such as /ip4/192.0.2.1/tcp/4001", s)
	case codes[0] == ma.P_IP4, codes[0] == ma.P_IP6:
		return nil
	case key == "announce" && (codes[0] == ma.P_DNS || codes[0] == ma.P_DNS4 || codes[0] == ma.P_DNS6):
		return nil
	}
	return fault(key, "%q does not begin with /ip4, /ip6 or, for announce, /dns", s)
}

var allRoles = []string{RoleSending, RoleReceiving, RoleDirectory}

func (c Config) validateRoles() error {
	if len(c.Roles) == 0 {
		return fault("roles", "at least one of %q is needed", allRoles)
	}
	for i, r := range c.Roles {
		if !slices.Contains(allRoles, r) {
			return fault("roles", "%q is none of %q", r, allRoles)
		}
		if slices.Contains(c.Roles[:i], r) {
			return fault("roles", "%q is listed twice", r)
		}
	}
	return nil
}

func (a Access) validate() error {
	switch a.Policy {
	case PolicyOpen, PolicyToken:
	case PolicyPeers:
		if len(a.Peers) == 0 {
			return fault("access.peers", "policy \"peers\" without a peer serves nobody")
		}
	default:
		return fault("access.policy", "%q is none of \"open\", \"token\" and \"peers\"", string(a.Policy))
	}
	if a.WorkBits < 0 || a.WorkBits > maxWorkBits {
		return fault("access.work_bits", "%d is not between 0 and %d", a.WorkBits, maxWorkBits)
	}
	if len(a.Peers) > maxPeers {
		return fault("access.peers", "%d are more than %d", len(a.Peers), maxPeers)
	}
	for _, s := range a.Peers {
		if _, err := peer.Decode(s); err != nil {
			return fault("access.peers", "%q is not a peer id", s)
		}
	}
	return nil
}

func (l Limits) validate() error {
	for _, v := range []struct {
		key string
		n   int64
		max int64
	}{
		{"mailboxes_per_account", int64(l.MailboxesPerAccount), 1 << 30},
		{"deliveries_per_mailbox", int64(l.DeliveriesPerMailbox), 1 << 30},
		{"bytes_per_mailbox", int64(l.BytesPerMailbox), int64(maxQuota)},
		{"submissions_per_account", int64(l.SubmissionsPerAccount), 1 << 30},
		{"connections_in", int64(l.ConnectionsIn), 1 << 20},
		{"connections_out", int64(l.ConnectionsOut), 1 << 20},
		{"connections_per_address", int64(l.ConnectionsPerAddress), 1 << 20},
	} {
		if v.n < 1 || v.n > v.max {
			return fault("limits."+v.key, "%d is not between 1 and %d", v.n, v.max)
		}
	}
	if b := l.SubmissionBytesPerAccount; b < minSubmissionBytes || b > maxQuota {
		return fault("limits.submission_bytes_per_account", "%v is not between %v and %v", b, minSubmissionBytes, maxQuota)
	}
	return nil
}

func (s Storage) validate() error {
	if s.Max != 0 && s.Max < MinStorage {
		return fault("storage.max", "%v is less than %v", s.Max, MinStorage)
	}
	if r := time.Duration(s.Retention); r < minRetention || r > maxRetention {
		return fault("storage.retention", "%v is not between %v and %v", s.Retention, minRetention, Duration(maxRetention))
	}
	if r := time.Duration(s.Reclaim); r < minReclaim || r > maxReclaim {
		return fault("storage.reclaim", "%v is not between %v and %v", s.Reclaim, Duration(minReclaim), Duration(maxReclaim))
	}
	return nil
}

var networkName = regexp.MustCompile(`^[a-z0-9-]{0,32}$`)

func (d DHT) validate() error {
	if len(d.Bootstrap) > maxBootstrap {
		return fault("dht.bootstrap", "%d are more than %d", len(d.Bootstrap), maxBootstrap)
	}
	for _, s := range d.Bootstrap {
		if _, err := agenturi.Parse(s); err != nil {
			return fault("dht.bootstrap", "%q is not the URI of a node: %v", s, err)
		}
	}
	if !networkName.MatchString(d.Network) {
		return fault("dht.network", "%q is not a name of at most 32 of a-z, 0-9 and -", d.Network)
	}
	if d.WorkBits < 1 || d.WorkBits > maxWorkBits {
		return fault("dht.work_bits", "%d is not between 1 and %d", d.WorkBits, maxWorkBits)
	}
	if d.Records < 1 || d.Records > 1<<24 {
		return fault("dht.records", "%d is not between 1 and %d", d.Records, 1<<24)
	}
	if d.Bytes < minDHTBytes || d.Bytes > 1<<40 {
		return fault("dht.bytes", "%v is not between %v and %v", d.Bytes, minDHTBytes, Size(1<<40))
	}
	return nil
}

// minDHTBytes holds a few records of the largest size.
const minDHTBytes Size = 1 << 20

// MinStorage is the least that a log can work in: its own files, tables under
// compaction and the ballast.
const MinStorage Size = 256 << 20

func (l Log) validate() error {
	if l.Format != "text" && l.Format != "json" {
		return fault("log.format", "%q is neither \"text\" nor \"json\"", l.Format)
	}
	if !slices.Contains([]string{"debug", "info", "warn", "error"}, l.Level) {
		return fault("log.level", "%q is none of \"debug\", \"info\", \"warn\" and \"error\"", l.Level)
	}
	return nil
}

// ErrNotLoopback is the fault of an administration address that others could reach.
var ErrNotLoopback = errors.New("must be a loopback address such as 127.0.0.1:9464: metrics are not for the world")

func (a Admin) validate() error {
	if a.Listen == "" {
		return nil
	}
	at, err := netip.ParseAddrPort(a.Listen)
	if err != nil {
		return fault("admin.listen", "%q is not an IP address with a port", a.Listen)
	}
	if !at.Addr().IsLoopback() {
		return &Error{Key: "admin.listen", Err: ErrNotLoopback}
	}
	return nil
}
