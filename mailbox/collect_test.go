package mailbox

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/libp2p/go-libp2p/core/peer"

	"communicator/mailbox/address"
	"communicator/wire"
	"communicator/wire/mux"
	"communicator/wire/pb"
)

func TestDraining(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAgent(t)
		o := a.owner(1)
		o.create(0)
		items := o.items(pb.SignedOp_WATCH, &pb.Watch{})
		defer items.Close()
		if mark := nextItem(t, items); !mark.CaughtUp || mark.Draining {
			t.Fatalf("first item %v", mark)
		}
		a.SetDraining(true)
		if mark := nextItem(t, items); mark.CaughtUp || !mark.Draining || mark.Delivery != nil {
			t.Errorf("watcher got %v", mark)
		}
		if _, status := a.owner(1).do(pb.SignedOp_CREATE, &pb.Create{}); status != wire.StatusDraining {
			t.Errorf("create: %v", status)
		}
		if resp := o.hello(1); !resp.Draining || !resp.Hello.Draining {
			t.Error("the hello does not say so")
		}
		if resp := o.must(pb.SignedOp_ACK, &pb.Ack{}); !resp.Draining {
			t.Error("an answer does not say so")
		}
	})
}

func nextItem(t *testing.T, items *mux.Items) *pb.MailboxResponse {
	t.Helper()
	resp := &pb.MailboxResponse{}
	more, err := items.Next(t.Context(), resp)
	if err != nil || !more {
		t.Fatalf("next item: %v, more %v, status %v", err, more, wire.Status(resp.Status))
	}
	return resp
}

func TestCollectPages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAgent(t)
		o := a.owner(1)
		to := o.create(0)
		c := a.dial(a.ServeDeliver, sendingAgent)
		var want []string
		for i := range 150 {
			payload := fmt.Sprint("message ", i)
			a.code(c, a.attempt(to, payload))
			want = append(want, payload)
		}
		var sizes []int
		var got []string
		after, previous := uint64(0), uint64(0)
		for more := true; more; {
			page, last := o.page(&pb.Collect{After: after})
			sizes, more = append(sizes, len(page)), last.More
			for _, d := range page {
				if d.Position <= previous {
					t.Fatalf("position %d after %d", d.Position, previous)
				}
				got, after, previous = append(got, string(d.Payload)), d.Position, d.Position
			}
		}
		if !slices.Equal(got, want) || !slices.Equal(sizes, []int{64, 64, 22}) {
			t.Errorf("pages %v of %d deliveries", sizes, len(got))
		}
		if page, last := o.page(&pb.Collect{MaxItems: 7}); len(page) != 7 || !last.More {
			t.Errorf("%d of 7", len(page))
		}
		if page, last := o.page(&pb.Collect{After: ^uint64(0)}); len(page) != 0 || last.More {
			t.Error("something after the last position")
		}
	})
}

func TestLargeDeliveriesEndAPage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAgent(t)
		o := a.owner(1)
		to := o.create(0)
		c := a.dial(a.ServeDeliver, sendingAgent)
		large := strings.Repeat("x", wire.MaxPayload-2)
		for i := range 17 {
			a.code(c, a.attempt(to, fmt.Sprintf("%02d", i)+large))
		}
		page, last := o.page(&pb.Collect{})
		if want := MaxCollectBytes / wire.MaxPayload; len(page) != want || !last.More {
			t.Errorf("%d of %d, more %v", len(page), want, last.More)
		}
		if got := o.collect(); len(got) != 17 {
			t.Errorf("collected %d", len(got))
		}
	})
}

func TestWatchMissesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAgent(t)
		o := a.owner(1)
		to := o.create(0)
		const senders, each = 6, 20
		var all sync.WaitGroup
		put := func(sender int) {
			c := a.dial(a.ServeDeliver, sendingAgent)
			for i := range each {
				if code := a.code(c, a.attempt(to, fmt.Sprintf("%d/%d", sender, i))); code != address.Stored {
					t.Errorf("put: %v", code)
				}
			}
		}
		for s := range senders / 2 {
			all.Go(func() { put(s) })
		}
		results := make(chan map[string]bool)
		for range 3 { // watchers, joining while it rains
			watcher := a.ownerWith(o.key, 1)
			items := watcher.items(pb.SignedOp_WATCH, &pb.Watch{})
			go func() {
				defer items.Close()
				seen, last, marks := map[string]bool{}, uint64(0), 0
				for len(seen) < senders*each || marks == 0 {
					resp := &pb.MailboxResponse{}
					if more, err := items.Next(context.Background(), resp); err != nil || !more {
						t.Errorf("watch ended after %d: %v", len(seen), err)
						break
					}
					if resp.CaughtUp {
						marks++
						continue
					}
					if resp.Delivery.Position <= last {
						t.Errorf("position %d after %d", resp.Delivery.Position, last)
					}
					last = resp.Delivery.Position
					seen[string(resp.Delivery.Payload)] = true
				}
				if marks != 1 {
					t.Errorf("caught up %d times", marks)
				}
				results <- seen
			}()
		}
		for s := senders / 2; s < senders; s++ {
			all.Go(func() { put(s) })
		}
		all.Wait()
		for range 3 {
			if seen := <-results; len(seen) != senders*each {
				t.Errorf("a watcher saw %d of %d", len(seen), senders*each)
			}
		}
	})
}

func TestWatchResumesAndEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAgent(t, func(c *Config) { c.Limits.Watches.All = 1 })
		o := a.owner(1)
		to := o.create(0)
		c := a.dial(a.ServeDeliver, sendingAgent)
		a.code(c, a.attempt(to, "first"))
		a.code(c, a.attempt(to, "second"))
		page, _ := o.page(&pb.Collect{})
		items := o.items(pb.SignedOp_WATCH, &pb.Watch{After: page[0].Position})
		if d := nextItem(t, items).Delivery; string(d.GetPayload()) != "second" {
			t.Errorf("resumed with %v", d)
		}
		nextItem(t, items)
		if resp, status := o.do(pb.SignedOp_WATCH, &pb.Watch{}); status != wire.StatusTryAgain || resp.RetryAfterSeconds == 0 {
			t.Errorf("one watch too many: %v", status)
		}
		items.Close()
		synctest.Wait()
		if n := a.hub.held.all; n != 0 {
			t.Errorf("%d watches after the cancel", n)
		}
		items = o.items(pb.SignedOp_WATCH, &pb.Watch{})
		nextItem(t, items)
		a.close() // joins the watch
		<-o.c.Done()
		if n := a.hub.held.all; n != 0 {
			t.Errorf("%d watches after closing", n)
		}
	})
}

func TestWatchesOfNothingAreFew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := netip.MustParseAddr("192.0.2.1")
		a := newAgent(t, func(c *Config) {
			c.Limits.EmptyWatches = WatchLimits{All: 3, PerNetwork: 2, PerPeer: 1}
			c.Limits.Watches = WatchLimits{All: 3, PerNetwork: 2, PerPeer: 1}
			c.AddrsOf = func(peer.ID) []netip.Addr { return []netip.Addr{network} }
		})
		watch := func(o *owner, want wire.Status) *mux.Items {
			t.Helper()
			items := o.items(pb.SignedOp_WATCH, &pb.Watch{})
			resp := &pb.MailboxResponse{}
			more, err := items.Next(t.Context(), resp)
			if err != nil || wire.Status(resp.Status) != want || more != (want == wire.StatusOK) || resp.CaughtUp != more {
				t.Fatalf("watch: %v, want %v; more %v, %v", wire.Status(resp.Status), want, more, err)
			}
			return items
		}
		for name, fill := range map[string]func(account byte) *owner{
			"of nothing":   a.owner,
			"of something": func(account byte) *owner { o := a.owner(account); o.create(0); return o },
		} {
			network = netip.MustParseAddr("192.0.2.1")
			first := fill(1)
			items := watch(first, wire.StatusOK)
			watch(a.ownerWith(first.key, 1), wire.StatusTryAgain) // the same peer
			second := watch(fill(2), wire.StatusOK)
			watch(fill(3), wire.StatusTryAgain) // the same network
			network = netip.MustParseAddr("2001:db8:0:1::1")
			third := watch(fill(3), wire.StatusOK)
			network = netip.MustParseAddr("2001:db8:0:2::1")
			watch(fill(4), wire.StatusTryAgain) // altogether
			for _, i := range []*mux.Items{items, second, third} {
				i.Close()
			}
			synctest.Wait()
			for _, counted := range []*tally{&a.hub.held, &a.hub.others} {
				if counted.all+len(counted.peers)+len(counted.networks) != 0 {
					t.Errorf("%s: %+v is left", name, *counted)
				}
			}
		}
	})
}

// TestWatchBeforeTheMailboxExists is an owner who comes before the first address was
// made: nothing is missed.
func TestWatchBeforeTheMailboxExists(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAgent(t)
		o := a.owner(1)
		items := o.items(pb.SignedOp_WATCH, &pb.Watch{})
		defer items.Close()
		if mark := nextItem(t, items); !mark.CaughtUp {
			t.Fatalf("first item %v", mark)
		}
		to := o.create(0)
		a.code(a.dial(a.ServeDeliver, sendingAgent), a.attempt(to, "hello"))
		if d := nextItem(t, items).Delivery; string(d.GetPayload()) != "hello" {
			t.Errorf("got %v", d)
		}
	})
}
