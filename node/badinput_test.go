package node

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	ma "github.com/multiformats/go-multiaddr"

	"communicator/eventlog"
	"communicator/mailbox/address"
	"communicator/mailbox/admit"
	"communicator/node/config"
	"communicator/wire"
)

// TestConnectionsOfOneNetworkAreBounded opens connections from one network after the
// other until each is refused; others, and those that leave, still get in.
func TestConnectionsOfOneNetworkAreBounded(t *testing.T) {
	for name, c := range map[string]struct {
		addr  func(i int) string
		limit int
	}{
		"an IPv4 address": {func(int) string { return "/ip4/8.8.8.8/tcp/%d" }, 8},
		"an IPv6 /56":     {func(i int) string { return fmt.Sprintf("/ip6/2001:4860:1:%x::1/tcp/%%d", i) }, 8},
		"an IPv6 /48":     {func(i int) string { return fmt.Sprintf("/ip6/2001:4860:2:%x::1/tcp/%%d", i<<8) }, 64},
		"loopback":        {func(int) string { return "/ip4/127.0.0.1/tcp/%d" }, 8},
	} {
		limits := testLimits(t, false)
		open := func(i int, addr string) (network.ConnManagementScope, error) {
			return limits.OpenConnection(network.DirInbound, true, ma.StringCast(fmt.Sprintf(addr, 1024+i)))
		}
		var last network.ConnManagementScope
		for i := range c.limit {
			scope, err := open(i, c.addr(i))
			if err != nil {
				t.Fatalf("%s: connection %d: %v", name, i+1, err)
			}
			last = scope
		}
		if _, err := open(c.limit, c.addr(c.limit)); err == nil {
			t.Errorf("%s: one too many gets in", name)
		}
		if _, err := open(0, "/ip4/1.1.1.1/tcp/%d"); err != nil {
			t.Errorf("%s: somebody else: %v", name, err)
		}
		last.Done()
		if _, err := open(c.limit, c.addr(c.limit-1)); err != nil {
			t.Errorf("%s: after one has left: %v", name, err)
		}
	}
	private := testLimits(t, true)
	for i := range 100 {
		if _, err := private.OpenConnection(network.DirInbound, true, ma.StringCast(fmt.Sprintf("/ip4/127.0.0.1/tcp/%d", 1024+i))); err != nil {
			t.Fatalf("loopback, exempt: connection %d: %v", i+1, err)
		}
	}
}

// testLimits is the resource manager of a public node, without the rate of dialling.
func testLimits(t *testing.T, allowPrivate bool) network.ResourceManager {
	t.Helper()
	key, _, err := crypto.GenerateEd25519Key(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := config.Default()
	c.AllowPrivate = allowPrivate
	s, err := hostSettings(c, key, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(s.Limits.Close(), s.Trim.Close()); err != nil {
			t.Error(err)
		}
	})
	return s.Limits
}

// TestPanicEndsItsStreamAlone lets a handler panic: others, and what is stored, do not
// notice.
func TestPanicEndsItsStreamAlone(t *testing.T) {
	n := run(t, onDisk(initDir(t)))
	defer n.end()
	const broken = protocol.ID("/test/panics/1")
	n.host.SetStreamHandler(broken, n.guarded(func(network.Stream) { panic("at the disco") }))
	ctx := t.Context()
	p := newPerson(t, nil, time.Now)
	defer p.close()
	l := p.at(ctx, n.token(1))
	b := p.makeBox(ctx, n.URI())

	other := run(t, onDisk(initDir(t)))
	defer other.end()
	if err := other.host.Connect(ctx, peer.AddrInfo{ID: n.host.ID(), Addrs: n.host.Addrs()}); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		s, err := other.host.NewStream(ctx, n.host.ID(), broken)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Read(make([]byte, 1)); !errors.Is(err, network.ErrReset) {
			t.Errorf("the stream ended with %v", err)
		}
	}
	get(t, n, "/metrics", "communicator_node_handler_panics_total 3")
	via := p.at(ctx, other.token(1))
	if o := p.outcome(ctx, via, submit(t, p, b, 0)); o.Code != address.Stored {
		t.Errorf("a message afterwards: %v", o.Code)
	}
	if payloads, _ := p.collect(ctx, l, b); len(payloads) != 1 {
		t.Errorf("collected %d", len(payloads))
	}
}

// TestEventOfANewerVersionRefusesToStart gives a node a log in which a later version has
// written. It says what to do and changes nothing: that version still opens it.
func TestEventOfANewerVersionRefusesToStart(t *testing.T) {
	dir := initDir(t)
	var options eventlog.Options
	c := onDisk(dir)
	c.LogOptions = func(o *eventlog.Options) { roomy(o); options = *o }
	n := run(t, c)
	n.end()
	options.Now, options.OnFail, options.Knows = time.Now, nil, nil
	later := options
	later.Projections = []eventlog.Projection{laterTable(126)}
	for _, p := range options.Projections {
		if p.ID() == wire.TableMailbox || p.ID() == wire.TableBlob {
			p = laterTable(p.ID())
		}
		later.Projections = append(later.Projections, p)
	}
	path := filepath.Join(dir, logName)
	write := func() uint64 {
		log, err := eventlog.Open(path, later)
		if err != nil {
			t.Fatal(err)
		}
		defer log.Close()
		appended, err := log.Append(context.Background(), eventlog.Event{
			Kind: eventlog.Kind(admit.KindDelivered), Version: admit.Version + 1, Stream: make([]byte, 16), Body: []byte("new"),
		})
		if err != nil {
			t.Fatal(err)
		}
		return appended[0].Seq
	}
	seq := write()
	_, err := Open(t.Context(), onDisk(dir))
	if !errors.Is(err, wire.ErrVersion) || !strings.Contains(err.Error(), "newer version") {
		t.Errorf("an old version opened it: %v", err)
	}
	if again := write(); again != seq+1 {
		t.Errorf("the newer version goes on at %d after %d", again, seq)
	}
}

// sameTable is one of today's, of which a later version understands more.
type sameTable struct{ eventlog.Projection }

func (s sameTable) Apply(w eventlog.Writer, r eventlog.Record, body []byte) error {
	if r.Version > admit.Version {
		return nil
	}
	return s.Projection.Apply(w, r, body)
}

// TestNewerEventIsNoticedAmongCurrentTables: a start does not read the log through, and
// still sees that a later version has appended what this one cannot read. So do the
// commands that read the log without a node, and a restore; nothing is changed.
func TestNewerEventIsNoticedAmongCurrentTables(t *testing.T) {
	dir := initDir(t)
	var later eventlog.Options
	c := onDisk(dir)
	c.LogOptions = func(o *eventlog.Options) { roomy(o); later = *o }
	n := run(t, c)
	n.end()
	later.Now, later.OnFail, later.Knows = time.Now, nil, nil
	for i, p := range later.Projections {
		later.Projections[i] = sameTable{p}
	}
	var backup bytes.Buffer
	write := func() uint64 {
		log, err := eventlog.Open(filepath.Join(dir, logName), later)
		if err != nil {
			t.Fatal(err)
		}
		defer log.Close()
		appended, err := log.Append(t.Context(), eventlog.Event{
			Kind: eventlog.Kind(admit.KindDelivered), Version: admit.Version + 1, Stream: make([]byte, 16), Body: []byte("new"),
		})
		if err != nil {
			t.Fatal(err)
		}
		backup.Reset()
		if err := writeBackup(t.Context(), &backup, dir, log); err != nil {
			t.Fatal(err)
		}
		return appended[0].Seq
	}
	seq := write()
	fresh := filepath.Join(t.TempDir(), "fresh")
	for what, open := range map[string]func() error{
		"a node":  func() error { _, err := Open(t.Context(), onDisk(dir)); return err },
		"admin":   func() error { _, err := Administer(t.Context(), dir); return err },
		"restore": func() error { _, err := Restore(t.Context(), fresh, bytes.NewReader(backup.Bytes())); return err },
	} {
		var unknown *eventlog.UnknownKindsError
		err := open()
		if !errors.As(err, &unknown) || len(unknown.Kinds) != 1 || !strings.Contains(err.Error(), "newer version of this program: install that, nothing was changed") {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := os.Stat(fresh); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what a refused restore leaves: %v", err)
	}
	if again := write(); again != seq+1 {
		t.Errorf("the newer version goes on at %d after %d", again, seq)
	}
}

// laterTable is a table as only a later version has it.
type laterTable byte

func (l laterTable) Name() string                                       { return fmt.Sprint("later ", byte(l)) }
func (l laterTable) ID() byte                                           { return byte(l) }
func (laterTable) Apply(eventlog.Writer, eventlog.Record, []byte) error { return nil }

// inside is a name server of an attacker, whose every name is this machine.
type inside struct{}

func (inside) ResolveDNSComponent(_ context.Context, addr ma.Multiaddr, _ int) ([]ma.Multiaddr, error) {
	_, rest := ma.SplitFirst(addr)
	return []ma.Multiaddr{ma.StringCast("/ip4/127.0.0.1").Encapsulate(rest)}, nil
}

func (i inside) ResolveDNSAddr(ctx context.Context, _ peer.ID, addr ma.Multiaddr, _, limit int) ([]ma.Multiaddr, error) {
	return i.ResolveDNSComponent(ctx, addr, limit)
}

// TestNamesAreCheckedAfterResolving dials a public name behind which a forbidden address
// lies: no connection is made. The control, which may dial private addresses, makes one.
func TestNamesAreCheckedAfterResolving(t *testing.T) {
	target := run(t, onDisk(initDir(t)))
	defer target.end()
	port, err := target.host.Network().ListenAddresses()[0].ValueForProtocol(ma.P_TCP)
	if err != nil {
		t.Fatal(err)
	}
	for _, private := range []bool{false, true} {
		c := onDisk(initDir(t))
		c.Overrides = func(c *config.Config) { c.AllowPrivate = private }
		c.NewHost = func(s HostSettings) (host.Host, error) {
			s.Options = append(s.Options, libp2p.MultiaddrResolver(inside{}))
			return newTCPHost(s)
		}
		n := run(t, c)
		addr := ma.StringCast("/dns4/relay.example.org/tcp/" + port)
		err := n.host.Connect(t.Context(), peer.AddrInfo{ID: target.host.ID(), Addrs: []ma.Multiaddr{addr}})
		if (err == nil) != private {
			t.Errorf("private addresses allowed: %v; dialling said %v", private, err)
		}
		if got := len(target.host.Network().ConnsToPeer(n.host.ID())); (got > 0) != private {
			t.Errorf("private addresses allowed: %v; %d connections arrived", private, got)
		}
		n.end()
	}
}
