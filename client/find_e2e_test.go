package client_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"net"
	"path/filepath"
	"testing"
	"time"

	ma "github.com/multiformats/go-multiaddr"

	"communicator/client"
	"communicator/eventlog"
	"communicator/mailbox/keyring"
	"communicator/node"
	"communicator/node/config"
)

// TestOwnAgentThatMovedIsFound: one of a person's agents comes back at another address,
// which the overlay has under its id.
func TestOwnAgentThatMovedIsFound(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	hub := newClub(t).node
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ring, err := keyring.Memory(rand.Reader, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	settings := config.Default()
	settings.Listen, settings.AllowPrivate = []string{"/ip4/127.0.0.1/tcp/0"}, true
	settings.Admin.Listen, settings.DHT.WorkBits = "", quick.WorkBits
	settings.DHT.Bootstrap = []string{hub.URI()}
	moving := node.Config{Settings: settings, Key: key, Keyring: ring, Memory: &eventlog.Memory{},
		DescriptorFile: filepath.Join(t.TempDir(), "descriptor")}
	before := serve(t, moving)

	at := &clock{at: time.Now()}
	o := options(at)
	o.Overlay = quick
	alice, err := client.Create(ctx, filepath.Join(t.TempDir(), "profile"), []byte("pass"), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { alice.Close() })
	uri := before.uri(t)
	for _, u := range []string{hub.uri(t), uri} {
		if _, err := alice.AddAgent(ctx, u); err != nil {
			t.Fatal(err)
		}
	}
	bob := newPerson(t, nil, hub, startPeer(t, hub))
	inv, err := alice.Invite(ctx, "bob")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := bob.Accept(ctx, inv.Link, "alice"); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		receive(t, alice)
		receive(t, bob)
	}

	was, err := ma.NewMultiaddr(before.URI())
	if err != nil {
		t.Fatal(err)
	}
	port, err := was.ValueForProtocol(ma.P_TCP)
	if err != nil {
		t.Fatal(err)
	}
	before.stop()
	// Somebody else has the old port now.
	other, err := net.Listen("tcp", "127.0.0.1:"+port)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	serve(t, moving)
	gone := false
	for range 20 {
		for _, e := range events(t, alice) {
			trouble, is := e.(client.AgentTrouble)
			switch {
			case !is:
			case trouble.Err != nil:
				gone = true
			case gone:
				return // it is reached again
			}
		}
		at.pass(11 * time.Minute)
	}
	t.Errorf("not reached again; was it missed: %v", gone)
}
