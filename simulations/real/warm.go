package real

import (
	"bytes"
	"crypto/sha256"
	"math/bits"
	"math/rand/v2"
	"slices"

	"github.com/libp2p/go-libp2p/core/peer"

	"communicator/dht"
)

// place is an agent's in the overlay.
type place struct {
	at    [sha256.Size]byte
	agent int32
}

// tables chooses whom each agent would know after weeks: of each distance, by the length
// of the prefix that two places share, as many as a bucket of its table holds. In a large
// network it is half as many: a table costs a kilobyte for each of them.
type tables struct {
	all    []place // in the order of their places
	bucket int
}

func newTables(agents []*agent) *tables {
	t := &tables{bucket: dht.Replication}
	if len(agents) > fullTables {
		t.bucket /= 2
	}
	for _, a := range agents {
		t.all = append(t.all, place{sha256.Sum256([]byte(a.id)), a.number})
	}
	slices.SortFunc(t.all, func(a, b place) int { return bytes.Compare(a.at[:], b.at[:]) })
	return t
}

// known are the agents that one knows.
func (t *tables) known(agents []*agent, r *rand.Rand, one *agent) (out []peer.AddrInfo) {
	own := sha256.Sum256([]byte(one.id))
	from, to := 0, len(t.all) // those that share the first bits
	for shared := 0; to-from > 1 && shared < 8*len(own); shared++ {
		// Half of them go on with the next bit as the agent does.
		middle := from + countZero(t.all[from:to], shared)
		near, far := [2]int{from, middle}, [2]int{middle, to}
		if bit(own, shared) == 1 {
			near, far = far, near
		}
		for _, i := range some(r, far[0], far[1], t.bucket) {
			out = append(out, agents[t.all[i].agent].info())
		}
		from, to = near[0], near[1]
	}
	return out
}

// countZero is how many of the sorted places have a zero at a bit.
func countZero(in []place, at int) int {
	n, _ := slices.BinarySearchFunc(in, 1, func(p place, one int) int { return bit(p.at, at) - one })
	return n
}

func bit(b [sha256.Size]byte, at int) int {
	return int(bits.Reverse8(b[at/8]) >> (at % 8) & 1)
}

// some draws up to n numbers of [from, to).
func some(r *rand.Rand, from, to, n int) []int {
	if to-from <= n {
		out := make([]int, 0, to-from)
		for i := from; i < to; i++ {
			out = append(out, i)
		}
		return out
	}
	drawn := map[int]bool{}
	out := make([]int, 0, n)
	for len(out) < n {
		if i := from + r.IntN(to-from); !drawn[i] {
			drawn[i] = true
			out = append(out, i)
		}
	}
	return out
}
