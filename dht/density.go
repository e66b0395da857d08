package dht

import (
	"crypto/sha256"
	"encoding/binary"
	"math"
	"slices"

	"github.com/libp2p/go-libp2p/core/peer"
)

// Density compares how near the peers around a key lie with what chance would give. To
// keep a record from being found, someone makes ids until 20 of them lie nearer to its
// key than any honest peer: cheap, since an id is a key pair, but then they lie many
// times nearer than 20 of the whole network's peers would.
//
// In a network of n servers the number of those within a share x of the space around a
// key is close to a Poisson number of mean n·x. For the j-th nearest peer, at the
// distance x, the chance that j or more lie so near is its upper tail; the smallest
// over all j, times their number, is Chance. The estimate of n is doubled first. It
// comes from the node's searches in general; who looks up little but one attacked key
// has a poor one. An attacker who fills the whole network with ids goes unnoticed.
type Density struct {
	Peers   int     // that answered, of the nearest
	Network int     // estimated number of servers; 0: unknown, and then nothing is said
	Chance  float64 // at most 1; meaningless without Network
	Alarm   bool    // Chance is below one in a million
}

func densityOf(key string, peers []peer.ID, network int) Density {
	d := Density{Peers: len(peers), Network: network, Chance: 1}
	if network == 0 || len(peers) < densityFrom {
		return d
	}
	target := sha256.Sum256([]byte(key))
	shares := make([]float64, len(peers))
	for i, p := range peers {
		shares[i] = share(target, sha256.Sum256([]byte(p)))
	}
	slices.Sort(shares)
	for j := densityFrom; j <= len(shares); j++ {
		d.Chance = min(d.Chance, atLeast(j, densitySlack*float64(network)*shares[j-1]))
	}
	d.Chance = min(1, d.Chance*float64(len(shares)-densityFrom+1))
	d.Alarm = d.Chance < densityChance
	return d
}

// share is the part of the space that lies nearer to a than b does.
func share(a, b [32]byte) float64 {
	distance := binary.BigEndian.Uint64(a[:8]) ^ binary.BigEndian.Uint64(b[:8])
	return (float64(distance) + 1) / math.Exp2(64)
}

// atLeast is the chance that a Poisson number of this mean is j or more. The terms are
// summed from j up, which loses nothing where the sum is tiny.
func atLeast(j int, mean float64) float64 {
	logFactorial, _ := math.Lgamma(float64(j) + 1)
	term := math.Exp(float64(j)*math.Log(mean) - mean - logFactorial)
	sum := 0.0
	for i := j + 1; term > 0 && (float64(i) <= mean+1 || term > sum*1e-12); i++ {
		sum += term
		term *= mean / float64(i)
	}
	return min(1, sum)
}
