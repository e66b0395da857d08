package access

import (
	"net/netip"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"golang.org/x/time/rate"
)

// rates holds the budgets of everybody seen lately.
type rates struct {
	mu      sync.Mutex // guards buckets
	buckets map[string]*bucket
}

type bucket struct {
	budget
	*rate.Limiter
}

// charge is one bucket that an attempt counts against.
type charge struct {
	key string
	budget
}

// Prefixes of bucket keys: a peer, failures of a network, openings of a network.
const (
	keyPeer = "p"
	keyFail = "f"
	keyOpen = "o"
)

func failures(remote peer.ID, addrs []netip.Addr) []charge {
	list := []charge{{keyPeer + string(remote), failuresOfPeer}}
	return append(list, networks(keyFail, addrs, failuresOfHost, failuresOfSite)...)
}

func openings(addrs []netip.Addr) []charge {
	return networks(keyOpen, addrs, opensOfHost, opensOfSite)
}

func networks(kind string, addrs []netip.Addr, host, site budget) []charge {
	var list []charge
	for _, a := range addrs {
		a = a.Unmap().WithZone("")
		if a.Is4() {
			list = append(list, charge{kind + a.String(), host})
			continue
		}
		for _, p := range []struct {
			bits int
			budget
		}{{hostBits6, host}, {siteBits6, site}} {
			prefix, err := a.Prefix(p.bits)
			if err == nil {
				list = append(list, charge{kind + prefix.String(), p.budget})
			}
		}
	}
	return list
}

// spent says whether one of the buckets is empty, and when it will not be.
func (r *rates) spent(now time.Time, charges []charge) (wait time.Duration, spent bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range charges {
		if b := r.buckets[c.key]; b != nil && b.TokensAt(now) < 1 {
			missing := 1 - b.TokensAt(now)
			wait = max(wait, time.Duration(missing*float64(b.every)))
			spent = true
		}
	}
	return wait, spent
}

// take charges every bucket. When there is no room for another, those that are full
// again go, and if none is, everybody's do: better than refusing all newcomers for
// the sake of whoever filled the table.
func (r *rates) take(now time.Time, charges []charge) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range charges {
		b := r.buckets[c.key]
		if b == nil {
			r.makeRoom(now)
			b = &bucket{c.budget, rate.NewLimiter(rate.Every(c.every), c.burst)}
			r.buckets[c.key] = b
		}
		b.AllowN(now, 1)
	}
}

// makeRoom is called with r.mu held.
func (r *rates) makeRoom(now time.Time) {
	if r.buckets == nil {
		r.buckets = make(map[string]*bucket)
	}
	if len(r.buckets) < maxBuckets {
		return
	}
	for key, b := range r.buckets {
		if b.TokensAt(now) >= float64(b.burst) {
			delete(r.buckets, key)
		}
	}
	if len(r.buckets) >= maxBuckets {
		clear(r.buckets)
	}
}
