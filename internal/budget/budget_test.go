package budget

import (
	"net/netip"
	"testing"
	"time"
)

var start = time.Unix(1e9, 0)

func TestTableForgetsOnlyWhatIsFull(t *testing.T) {
	b := New[int](Rate{Burst: 2, PerHour: 3600}, 10)
	for key := range 10 {
		b.Spend(key, start)
	}
	b.Spend(3, start)
	later := start.Add(time.Second) // all but 3 are full again
	b.Spend(100, later)
	if len(b.each) != 2 || b.each[3] == nil {
		t.Errorf("%d buckets, that of 3: %v", len(b.each), b.each[3])
	}
	for key := range 1000 {
		b.Spend(key, later)
		if len(b.each) > 10 {
			t.Fatalf("%d buckets", len(b.each))
		}
	}
	for i, want := range []bool{true, true, false} {
		if got := b.Spend(5000, later); got != want {
			t.Errorf("spending number %d: %v", i+1, got)
		}
	}
	if !b.Spent(5000, later) {
		t.Error("an empty bucket does not say so")
	}
}

func TestWaitIsUntilOneIsThere(t *testing.T) {
	b := New[string](Rate{Burst: 2, PerHour: 60}, 10)
	if b.Wait("new", start) != 0 {
		t.Error("who was never seen waits")
	}
	b.Spend("a", start)
	b.Spend("a", start)
	if got := b.Wait("a", start); got != time.Minute {
		t.Errorf("an empty bucket waits %v", got)
	}
	if got := b.Wait("a", start.Add(45*time.Second)); got != 15*time.Second {
		t.Errorf("later it waits %v", got)
	}
	b.Overdraw("a", start)
	if got := b.Wait("a", start); got != 3*time.Minute {
		t.Errorf("overdrawn by a burst it waits %v", got)
	}
	never := New[string](Rate{Burst: 1}, 10)
	never.Spend("a", start)
	if got := never.Wait("a", start); got < 24*time.Hour {
		t.Errorf("a bucket that nothing fills waits %v", got)
	}
}

func TestNetworksOfOneCustomer(t *testing.T) {
	addrs := func(s string) []netip.Addr { return []netip.Addr{netip.MustParseAddr(s)} }
	for _, c := range []struct {
		name, spends, other string
		shared              bool
	}{
		{"an IPv4 address", "192.0.2.1", "192.0.2.1", true},
		{"its neighbour", "192.0.2.1", "192.0.2.2", false},
		{"the same in IPv6 notation", "192.0.2.1", "::ffff:192.0.2.1", true},
		{"a /56", "2001:db8:1:100::1", "2001:db8:1:1ff::2", true},
		{"another /56", "2001:db8:1:100::1", "2001:db8:1:200::1", false},
	} {
		n := NewNetworks(Rate{Burst: 1, PerHour: 1}, Rate{Burst: 2, PerHour: 1}, 10)
		n.Spend(addrs(c.spends), start)
		if shared := n.Wait(addrs(c.other), start) > 0; shared != c.shared {
			t.Errorf("%s: shared %v", c.name, shared)
		}
	}
	n := NewNetworks(Rate{Burst: 1, PerHour: 1}, Rate{Burst: 2, PerHour: 1}, 10)
	n.Spend(addrs("2001:db8:1:100::1"), start)
	n.Spend(addrs("2001:db8:1:200::1"), start)
	if n.Wait(addrs("2001:db8:1:300::1"), start) == 0 {
		t.Error("a /48 has no budget of its own")
	}
	if n.Wait([]netip.Addr{{}}, start) != 0 {
		t.Error("no address has a budget")
	}
}
