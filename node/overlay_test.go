package node

import (
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	ma "github.com/multiformats/go-multiaddr"

	"communicator/dht"
	"communicator/eventlog"
	"communicator/mailbox/address"
	"communicator/mailbox/keyring"
	"communicator/simulations/memnet"
	"communicator/wire/descriptor"
)

// TestAgentThatMovedIsFound: a sender holds an address whose agent has another IP
// address since. The sending agent finds it by its id.
func TestAgentThatMovedIsFound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := memnet.New(memnet.Options{})
		settings := func(i int, bootstrap ...string) Config {
			c := testSettings()
			c.Listen = []string{fmt.Sprintf("/ip4/192.0.2.%d/tcp/4001", i)}
			c.DHT.Bootstrap = bootstrap
			return Config{Settings: c, NewHost: func(s HostSettings) (host.Host, error) {
				return net.Host(s.Key, ma.StringCast(fmt.Sprintf("/ip4/192.0.2.%d/tcp/0", i)), s.Options...)
			}}
		}
		hub := run(t, settings(1))
		sender := run(t, settings(2, hub.URI()))
		_, key, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		ring, err := keyring.Memory(rand.Reader, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		memory, file := new(eventlog.Memory), filepath.Join(t.TempDir(), "descriptor")
		at := func(i int) Config {
			c := settings(i, hub.URI())
			c.Key, c.Memory, c.Keyring, c.DescriptorFile = key, memory, ring, file
			return c
		}
		receiver := run(t, at(3))
		clients := byte(100)
		ctx := t.Context()
		p := newPerson(t, func(key crypto.PrivKey) (host.Host, error) {
			clients++
			return net.Host(key, ma.StringCast(fmt.Sprintf("/ip4/192.0.2.%d/tcp/0", clients)))
		}, time.Now)
		b := p.makeBox(ctx, receiver.token(1)) // its address names 192.0.2.3
		out := p.at(ctx, sender.token(1))
		time.Sleep(time.Minute)
		first := descriptorFrom(t, hub, receiver)

		receiver.end()
		receiver = run(t, at(4))
		time.Sleep(time.Minute)
		if d := descriptorFrom(t, hub, receiver); d.Addrs[0] == first.Addrs[0] {
			t.Errorf("the overlay still says %v", d.Addrs)
		}
		if o := p.outcome(ctx, out, submit(t, p, b, 0)); o.Code != address.Stored {
			t.Errorf("outcome %v", o.Code)
		}
		p.close()
		for _, n := range []*running{sender, receiver, hub} {
			n.end()
		}
		if err := net.Close(); err != nil {
			t.Error(err)
		}
	})
}

func descriptorFrom(t *testing.T, at, of *running) descriptor.Descriptor {
	t.Helper()
	found, err := at.overlay.dht.Lookup(t.Context(), dht.DescriptorEntry(of.Agent(), nil).Key)
	if err != nil {
		t.Fatal(err)
	}
	d, err := descriptor.Parse(found.Record, of.Agent())
	if err != nil {
		t.Fatal(err)
	}
	return d
}
