package dht

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"communicator/dht/record"

	kadpb "github.com/libp2p/go-libp2p-kad-dht/pb"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
)

// TestNodesJoinByThemselves: nothing warm, the public rules, a first node that all know.
func TestNodesJoinByThemselves(t *testing.T) {
	inWorld(t, 30, 0, func(t *testing.T, w *world) {
		for i := range 24 {
			d, err := New(w.host(), Config{Server: true, WorkBits: workBits})
			if err != nil {
				t.Fatal(err)
			}
			w.nodes = append(w.nodes, d)
			w.peers = append(w.peers, peer.AddrInfo{ID: d.host.ID(), Addrs: d.host.Addrs()})
			if i > 0 {
				if err := d.Bootstrap(t.Context(), w.peers[:1]); err != nil {
					t.Fatal(err)
				}
			}
		}
		time.Sleep(DefaultRefresh + time.Minute)
		for i, d := range w.nodes {
			if s := d.Stats(); s.Peers < 18 {
				t.Errorf("node %d knows %d others of 23", i, s.Peers)
			}
		}
		n := w.name()
		value := n.sign(t, 1, "statement")
		if report := w.publish(w.nodes[3], value); report.Least() < Replication-1 {
			t.Errorf("stored at %d", report.Least())
		}
		client := w.add(w.host(), Config{})
		if err := client.Bootstrap(t.Context(), w.peers[7:9]); err != nil {
			t.Fatal(err)
		}
		if a, err := client.LookupAll(t.Context(), n.keys, nil); err != nil || !bytes.Equal(a.Record, value) {
			t.Errorf("%v", err)
		}
		// A server among the nearest finds what it holds itself.
		holder := w.nearest(n.keys[0])[0]
		if f, err := holder.Lookup(t.Context(), n.keys[0]); err != nil || !slices.Contains(f.Holders, holder.host.ID()) {
			t.Errorf("its own copy is not counted: %v", err)
		}
	})
}

// TestOneGroupDoesNotFillTheTable: ids are cheap, addresses in many networks are not.
func TestOneGroupDoesNotFillTheTable(t *testing.T) {
	inWorld(t, 31, 0, func(t *testing.T, w *world) {
		var members []peer.AddrInfo
		join := func(addr string) *DHT {
			h, err := w.net.Host(w.key(), ma.StringCast(addr))
			if err != nil {
				t.Fatal(err)
			}
			d, err := New(h, Config{Server: true, WorkBits: workBits, Refresh: -1})
			if err != nil {
				t.Fatal(err)
			}
			w.nodes = append(w.nodes, d)
			members = append(members, peer.AddrInfo{ID: h.ID(), Addrs: h.Addrs()})
			return d
		}
		for i := range 12 {
			join(fmt.Sprintf("/ip4/45.3.%d.1/tcp/4001", i+1))
		}
		for i := range 5 {
			join(fmt.Sprintf("/ip4/%d.9.1.1/tcp/4001", 60+i))
		}
		join("/ip4/10.0.0.7/tcp/4001") // a private address
		d := join("/ip4/99.1.1.1/tcp/4001")
		if err := d.Bootstrap(t.Context(), members[:17]); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		of := 0
		for _, p := range d.kad.RoutingTable().ListPeers() {
			if i := slices.IndexFunc(members, func(m peer.AddrInfo) bool { return m.ID == p }); i < 12 {
				of++
			}
		}
		if of == 0 || of > groupPerTable || d.Stats().Peers != of+5 {
			t.Errorf("%d of one group among %d", of, d.Stats().Peers)
		}
		if got := publicOnly(members[17].Addrs); len(got) != 0 {
			t.Errorf("a private address is passed on: %v", got)
		}
	})
}

// TestClientsStayOut: no table has them, and nobody is told their addresses.
func TestClientsStayOut(t *testing.T) {
	inWorld(t, 32, 24, func(t *testing.T, w *world) {
		server, client, asker := w.nodes[0], w.client(), w.client()
		n := w.name()
		w.publish(client, n.sign(t, 1, "statement"))
		synctest.Wait()
		for _, d := range w.nodes {
			if d.kad.RoutingTable().Find(client.host.ID()) != "" {
				t.Error("a client is in a routing table")
			}
		}
		if len(server.host.Peerstore().Addrs(client.host.ID())) == 0 {
			t.Fatal("the server does not know the client: nothing to test")
		}
		ask := func(p peer.ID) []*peer.AddrInfo {
			reply, err := asker.sender.SendRequest(t.Context(), server.host.ID(),
				kadpb.NewMessage(kadpb.Message_FIND_NODE, []byte(p), 0))
			if err != nil {
				t.Fatal(err)
			}
			return kadpb.PBPeersToPeerInfos(reply.GetCloserPeers())
		}
		for _, named := range ask(client.host.ID()) {
			if named.ID == client.host.ID() && len(named.Addrs) > 0 {
				t.Errorf("the client's address is given away: %v", named.Addrs)
			}
		}
		other := w.nodes[5].host.ID()
		if !slices.ContainsFunc(ask(other), func(i *peer.AddrInfo) bool { return i.ID == other && len(i.Addrs) > 0 }) {
			t.Error("a server's address is not")
		}
	})
}

// TestFallback: other sources are asked when the overlay's answer is not good enough.
func TestFallback(t *testing.T) {
	inWorld(t, 33, 30, func(t *testing.T, w *world) {
		reader, n := w.client(), w.name()
		old, value := n.sign(t, 1, "old"), n.sign(t, 2, "new")
		asked := 0
		offer := func(values ...[]byte) Fallback {
			return func(_ context.Context, keys []string) ([][]byte, error) {
				if asked++; !slices.Equal(keys, n.keys) {
					t.Error("asked for other keys")
				}
				return values, errors.New("one of them is away")
			}
		}
		a, err := reader.LookupAll(t.Context(), n.keys, offer([]byte("junk"), value[1:], w.name().sign(t, 3, "")))
		if !errors.Is(err, ErrNotFound) || !a.Fallback || a.FallbackErr == nil || asked != 1 {
			t.Errorf("junk: %v, asked %d times", err, asked)
		}
		a, err = reader.LookupAll(t.Context(), n.keys, offer(old, value))
		if err != nil || !a.FromFallback || !bytes.Equal(a.Record, value) {
			t.Fatalf("from the fallback: %v", err)
		}
		if err := reader.Settle(t.Context()); err != nil {
			t.Fatal(err)
		}
		asked = 0
		a, err = reader.LookupAll(t.Context(), n.keys, offer(old))
		if err != nil || a.Fallback || asked != 0 || len(a.Places[0].Holders) != Replication {
			t.Errorf("it was not stored for the next one: asked %d times, %v", asked, err)
		}
		// A conflict is a reason to ask.
		plant(t, w.nearest(n.keys[1])[4], n.keys[1], n.sign(t, 2, "another"))
		a, err = reader.LookupAll(t.Context(), n.keys, offer(n.sign(t, 3, "settled")))
		if err != nil || asked != 1 || a.Sequence != 3<<32 || a.Conflict != nil {
			t.Errorf("conflict: asked %d times, sequence %x, %v", asked, a.Sequence, err)
		}
	})
}

func TestConfigRefuses(t *testing.T) {
	for name, c := range map[string]Config{
		"name of the network":    {Network: "a/b"},
		"long name":              {Network: "abcdefghijklmnopqrstuvwxyz-0123456789"},
		"negative work":          {WorkBits: -1},
		"endless work":           {WorkBits: record.MaxWorkBits + 1},
		"negative quota":         {Attest: Quota{Records: -1}},
		"negative time":          {Search: -1},
		"negative request":       {Request: -time.Second},
		"negative bytes, agents": {Agents: Quota{Bytes: -1}},
	} {
		if err := c.fill(); !errors.Is(err, ErrConfig) {
			t.Errorf("%s: %v", name, err)
		}
	}
	c := Config{Network: "lab-2"}
	if err := c.fill(); err != nil || c.protocol() != "/communicator/lab-2/kad/1.0.0" || c.WorkBits != record.WorkBits {
		t.Errorf("%v, %s", err, c.protocol())
	}
}

// TestNetworksDoNotMeet: two names, one wire.
func TestNetworksDoNotMeet(t *testing.T) {
	inWorld(t, 34, 4, func(t *testing.T, w *world) {
		lab := w.add(w.host(), Config{Server: true, Network: "lab", Private: true})
		if err := lab.Bootstrap(t.Context(), w.peers[:4]); !errors.Is(err, ErrNoPeers) {
			t.Errorf("joins another network: %v", err)
		}
		second := w.add(w.host(), Config{Network: "lab", Private: true})
		if err := second.Bootstrap(t.Context(), w.peers); err != nil {
			t.Fatal(err)
		}
		if s := second.Stats(); s.Peers != 1 {
			t.Errorf("%d peers", s.Peers)
		}
		n := w.name()
		if report := w.publish(second, n.sign(t, 1, "")); report.Least() != 1 || lab.Stats().Attest.Records != 3 {
			t.Errorf("%d copies, %d records", report.Least(), lab.Stats().Attest.Records)
		}
	})
}
