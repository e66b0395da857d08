package node

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	ma "github.com/multiformats/go-multiaddr"

	"communicator/eventlog"
	"communicator/mailbox/address"
	"communicator/node/admin"
	"communicator/node/config"
	"communicator/relay/receipt"
	"communicator/simulations/memnet"
	"communicator/wire"
)

// testSettings are a node's on loopback.
func testSettings() config.Config {
	c := config.Default()
	c.Listen = []string{"/ip4/127.0.0.1/tcp/0"}
	c.AllowPrivate = true
	c.Admin.Listen = "127.0.0.1:0"
	return c
}

// roomy takes the disk's size out of a test.
func roomy(o *eventlog.Options) { o.MinFree, o.MinFreePercent, o.Ballast = -1, -1, -1 }

// running is an open node whose Run is under way.
type running struct {
	*Node
	t    testing.TB
	stop context.CancelFunc
	done chan error
}

func run(t testing.TB, c Config) *running {
	t.Helper()
	n, err := Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	r := &running{Node: n, t: t, stop: stop, done: make(chan error, 1)}
	go func() { r.done <- n.Run(ctx) }()
	return r
}

func (r *running) end() {
	r.t.Helper()
	r.stop()
	if err := <-r.done; err != nil {
		r.t.Errorf("Run: %v", err)
	}
	if err := r.Close(); err != nil {
		r.t.Errorf("Close: %v", err)
	}
}

func (r *running) token(uses int) string {
	r.t.Helper()
	uri, err := r.NewToken(r.t.Context(), uses)
	if err != nil {
		r.t.Fatal(err)
	}
	return uri
}

// initDir makes a node's directory.
func initDir(t testing.TB) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "node")
	if _, err := Init(t.Context(), dir, testSettings(), 1); err != nil {
		t.Fatal(err)
	}
	return dir
}

func onDisk(dir string) Config { return Config{Dir: dir, LogOptions: roomy} }

func TestMessageThroughTwoNodes(t *testing.T) {
	sender := run(t, onDisk(initDir(t)))
	defer sender.end()
	receiver := run(t, onDisk(initDir(t)))
	defer receiver.end()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	blair := newPerson(t, nil, time.Now)
	defer blair.close()
	b := blair.makeBox(ctx, receiver.token(1))
	alex := newPerson(t, nil, time.Now)
	defer alex.close()
	out := alex.at(ctx, sender.token(1))
	a := alex.prepare(b, []byte("hello"))
	slip, err := out.Submit(ctx, a.Submission)
	if err != nil {
		t.Fatal(err)
	}
	if s, err := receipt.Verify(slip, nil); err != nil || s.Agent != sender.Agent() || s.Kind != receipt.Accepted {
		t.Errorf("the sending agent's receipt: %+v, %v", s, err)
	}
	o := alex.outcome(ctx, out, a)
	if o.Code != address.Stored {
		t.Fatalf("outcome %v", o.Code)
	}
	if s, err := receipt.Verify(o.Receipt, a.Payload); err != nil || s.Agent != receiver.Agent() || s.Kind != receipt.Stored {
		t.Errorf("the receiving agent's receipt: %+v, %v", s, err)
	}
	in := blair.at(ctx, receiver.URI())
	payloads, positions := blair.collect(ctx, in, b)
	if len(payloads) != 1 || string(payloads[0]) != "hello" {
		t.Fatalf("collected %q", payloads)
	}
	if err := in.Ack(ctx, b.owner, positions); err != nil {
		t.Fatal(err)
	}
	if stat, err := receiver.LogStat(ctx); err != nil || stat.Bodies != 0 {
		t.Errorf("%d bodies after everything was collected, %v", stat.Bodies, err)
	}
	// Forwarding through the sending agent, to the receiving agent's descriptor.
	signed, _, err := out.FetchDescriptor(ctx, receiver.URI(), nil)
	if err != nil || len(signed) == 0 {
		t.Errorf("descriptor through the sending agent: %v", err)
	}
}

func TestPermission(t *testing.T) {
	n := run(t, onDisk(initDir(t)))
	defer n.end()
	ctx := t.Context()
	uri := n.token(1)
	first := newPerson(t, nil, time.Now)
	defer first.close()
	if _, err := first.at(ctx, uri).Hello(ctx); err != nil {
		t.Errorf("with a token: %v", err)
	}
	second := newPerson(t, nil, time.Now)
	defer second.close()
	if _, err := second.at(ctx, uri).Hello(ctx); refusal(t, err) != wire.StatusPermission {
		t.Errorf("with a spent token: %v", err)
	}
}

func TestRestartKeepsWhatWasAccepted(t *testing.T) {
	sendDir, receiveDir := initDir(t), initDir(t)
	sender, receiver := run(t, onDisk(sendDir)), run(t, onDisk(receiveDir))
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	p := newPerson(t, nil, time.Now)
	b := p.makeBox(ctx, receiver.token(1))
	out := p.at(ctx, sender.token(1))
	// The receiving agent is away while messages are accepted.
	address := receiver.Host().Network().ListenAddresses()[0].String()
	receiver.end()
	accepted := map[int]bool{}
	for i := range 20 {
		if _, err := out.Submit(ctx, p.prepare(b, numbered(i)).Submission); err != nil {
			t.Fatal(err)
		}
		accepted[i] = true
	}
	sender.end()
	p.close()
	fixed := onDisk(receiveDir)
	fixed.Overrides = func(c *config.Config) { c.Listen = []string{address} }
	receiver = run(t, fixed)
	defer receiver.end()
	sender = run(t, onDisk(sendDir))
	defer sender.end()
	secrets := p.secrets
	p = newPerson(t, nil, time.Now)
	p.secrets = secrets
	defer p.close()
	in := p.at(ctx, receiver.URI())
	for ctx.Err() == nil {
		if payloads, _ := p.collect(ctx, in, b); len(payloads) >= len(accepted) {
			checkDelivery(t, payloads, accepted, 20)
			return
		}
		select {
		case <-ctx.Done():
		case <-time.After(50 * time.Millisecond): // another process's progress
		}
	}
	t.Error("not delivered in time")
}

func TestSecondProcessIsRefused(t *testing.T) {
	dir := initDir(t)
	n := run(t, onDisk(dir))
	defer n.end()
	if _, err := Open(t.Context(), onDisk(dir)); !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), fmt.Sprint(os.Getpid())) {
		t.Errorf("gave %v", err)
	}
	if err := n.log.View(func(eventlog.Tables) error { return nil }); err != nil {
		t.Errorf("the first one was disturbed: %v", err)
	}
}

func TestInit(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "node")
	c := testSettings()
	c.Announce = []string{"/dns4/relay.example.org/tcp/4001"}
	uri, err := Init(t.Context(), dir, c, 3)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(uri, "/dns4/relay.example.org/tcp/4001/p2p/12D3Koo") || !strings.Contains(uri, "?token=") {
		t.Errorf("printed %q", uri)
	}
	if _, err := Init(t.Context(), dir, c, 1); !errors.Is(err, ErrNotEmpty) {
		t.Errorf("over another: %v", err)
	}
	n := run(t, onDisk(dir))
	defer n.end()
	if !strings.HasPrefix(uri, n.URI()) {
		t.Errorf("ready %s, initialised as %s", n.URI(), uri)
	}
	if status, err := n.Status(t.Context()); err != nil || status.TokenUses != 3 {
		t.Errorf("%d token uses, %v", status.TokenUses, err)
	}
	if _, err := Open(t.Context(), onDisk(t.TempDir())); !errors.Is(err, ErrNoIdentity) {
		t.Errorf("an empty directory: %v", err)
	}
	for _, name := range []string{"", keysName, keysName + "/" + rootKeyName, config.FileName, admin.SocketName, descriptorName} {
		if st, err := os.Stat(filepath.Join(dir, name)); err != nil || st.Mode().Perm()&0o077 != 0 {
			t.Errorf("%q: mode %v, %v", name, st.Mode(), err)
		}
	}
}

func TestAdministration(t *testing.T) {
	dir := initDir(t)
	n := run(t, onDisk(dir))
	ctx := t.Context()
	service, err := Administer(ctx, dir)
	if err != nil {
		t.Fatal(err)
	}
	status, err := service.Status(ctx)
	if err != nil || !status.Running || status.URI != n.URI() || status.Log.Health != "healthy" || len(status.Problems) != 0 {
		t.Errorf("status %+v, %v", status, err)
	}
	if uri, err := service.NewToken(ctx, 2); err != nil || !strings.HasPrefix(uri, n.URI()+"?token=") {
		t.Errorf("token %q, %v", uri, err)
	}
	var remote *admin.RemoteError
	if _, err := service.NewToken(ctx, 0); !errors.As(err, &remote) {
		t.Errorf("a token of no uses: %v", err)
	}
	sequence := status.Descriptor.Sequence
	if d, err := service.Drain(ctx, true); err != nil || !d.Draining || !d.Done || d.Until.IsZero() {
		t.Errorf("drain %+v, %v", d, err)
	}
	if status, err = service.Status(ctx); err != nil || status.Descriptor.Sequence != sequence+1 {
		t.Errorf("descriptor %d after %d, %v", status.Descriptor.Sequence, sequence, err)
	}
	if _, err := service.LogVerify(ctx); err != nil {
		t.Error(err)
	}
	if err := service.LogReclaim(ctx); err != nil {
		t.Error(err)
	}
	if err := service.ConfirmClock(ctx, time.Now()); err != nil {
		t.Error(err)
	}
	if err := service.ConfirmClock(ctx, time.Now().Add(-48*time.Hour)); !errors.As(err, &remote) {
		t.Errorf("confirming another time: %v", err)
	}
	get(t, n, "/healthz", "healthy")
	get(t, n, "/metrics", "communicator_log_health 0")
	if err := service.Close(); err != nil {
		t.Error(err)
	}
	n.end()

	// The same, of a node that does not run.
	offline, err := Administer(ctx, dir)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := offline.Close(); err != nil {
			t.Error(err)
		}
	}()
	status, err = offline.Status(ctx)
	if err != nil || status.Running || !status.Drain.Draining || status.TokenUses != 2 {
		t.Errorf("status %+v, %v", status, err)
	}
	if _, err := offline.Drain(ctx, false); !errors.Is(err, admin.ErrNeedsNode) {
		t.Errorf("draining a directory: %v", err)
	}
	if _, err := offline.LogVerify(ctx); err != nil {
		t.Error(err)
	}
	if err := offline.Backup(ctx, io.Discard); err != nil {
		t.Error(err)
	}
}

func get(t *testing.T, n *running, path, want string) {
	t.Helper()
	response, err := http.Get("http://" + n.admin.Port().String() + path)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK || !strings.Contains(string(body), want) {
		t.Errorf("%s: %s %q, %v", path, response.Status, body, err)
	}
	if text := string(body); strings.Contains(text, "12D3Koo") || strings.Contains(text, "/ip4/") {
		t.Errorf("%s names a peer or an address", path)
	}
}

func TestDrainRefusesNewMailboxes(t *testing.T) {
	dir := initDir(t)
	n := run(t, onDisk(dir))
	ctx := t.Context()
	p := newPerson(t, nil, time.Now)
	defer p.close()
	l := p.at(ctx, n.token(1))
	p.makeBox(ctx, n.URI())
	if _, err := n.Drain(ctx, true); err != nil {
		t.Fatal(err)
	}
	create := func() error {
		_, owner, err := ed25519.GenerateKey(nil)
		if err != nil {
			t.Fatal(err)
		}
		_, err = l.Create(ctx, owner, 0, p.now().Add(30*24*time.Hour))
		return err
	}
	if err := create(); refusal(t, err) != wire.StatusDraining {
		t.Errorf("while draining: %v", err)
	}
	if _, err := n.Drain(ctx, false); err != nil {
		t.Fatal(err)
	}
	if err := create(); err != nil {
		t.Errorf("after it was taken back: %v", err)
	}
	n.end()
}

func TestForbiddenDestinations(t *testing.T) {
	c := onDisk(initDir(t))
	c.Overrides = func(c *config.Config) { c.AllowPrivate = false }
	n := run(t, c)
	defer n.end()
	g := &gater{n.policy, n.conduct}
	for addr, want := range map[string]bool{
		"/ip4/127.0.0.1/tcp/4001":       false,
		"/ip4/169.254.169.254/tcp/80":   false,
		"/ip4/10.0.0.1/tcp/4001":        false,
		"/ip6/::1/tcp/4001":             false,
		"/ip4/100.64.1.1/tcp/4001":      false,
		"/ip4/8.8.8.8/tcp/4001":         true,
		"/ip6/2606:4700::1111/tcp/4001": true,
	} {
		if got := g.InterceptAddrDial("somebody", ma.StringCast(addr)); got != want {
			t.Errorf("%s: %v", addr, got)
		}
	}
	if g.InterceptPeerDial(n.host.ID()) {
		t.Error("dials itself")
	}
	if g.InterceptSecured(0, "QmNotEd25519", nil) {
		t.Error("takes another kind of key")
	}
	if status, err := n.Status(t.Context()); err != nil || len(status.Problems) == 0 {
		t.Errorf("loopback alone is no problem: %v, %v", status.Problems, err)
	}
}

// TestVirtualTime lets two nodes in memory work through an outage of days.
func TestVirtualTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := memnet.New(memnet.Options{})
		settings := func(i int) Config {
			c := testSettings()
			c.Listen = []string{fmt.Sprintf("/ip4/192.0.2.%d/tcp/4001", i)}
			return Config{Settings: c, NewHost: func(s HostSettings) (host.Host, error) {
				return net.Host(s.Key, ma.StringCast(fmt.Sprintf("/ip4/192.0.2.%d/tcp/0", i)), s.Options...)
			}}
		}
		sender, receiver := run(t, settings(1)), run(t, settings(2))
		clients := byte(100)
		dial := func(key crypto.PrivKey) (host.Host, error) {
			clients++
			return net.Host(key, ma.StringCast(fmt.Sprintf("/ip4/192.0.2.%d/tcp/0", clients)))
		}
		ctx := t.Context()
		p := newPerson(t, dial, time.Now)
		b := p.makeBox(ctx, receiver.token(1))
		out := p.at(ctx, sender.token(1))
		if o := p.outcome(ctx, out, submit(t, p, b, 0)); o.Code != address.Stored {
			t.Errorf("outcome %v", o.Code)
		}
		net.Partition([]peerID{receiver.Host().ID()})
		accepted := map[int]bool{0: true}
		for i := 1; i < 5; i++ {
			submit(t, p, b, i)
			accepted[i] = true
		}
		time.Sleep(20 * time.Hour)
		net.Heal()
		time.Sleep(time.Hour)
		payloads, _ := p.collect(ctx, p.at(ctx, receiver.URI()), b)
		checkDelivery(t, payloads, accepted, 5)
		p.close()
		sender.end()
		receiver.end()
		if err := net.Close(); err != nil {
			t.Error(err)
		}
	})
}
