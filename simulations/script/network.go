package script

import (
	"encoding/csv"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"time"

	"communicator/simulations/scenario"
)

// Network says how far apart regions are.
type Network struct {
	Regions []string
	oneWay  [][]time.Duration
	weights []float64 // where agents and users are; sums to 1
	jitter  float64
	loss    float64
}

// roundTrips are typical between data centres of the regions, in ms, rounded, as public
// measurements between cloud regions have them.
var roundTrips = [][]float64{
	{20, 85, 145, 180, 200, 270},
	{85, 20, 65, 200, 125, 200},
	{145, 65, 20, 130, 180, 145},
	{180, 200, 130, 50, 310, 130},
	{200, 125, 180, 310, 20, 310},
	{270, 200, 145, 130, 310, 25},
}

// regionWeights are where machines are, by region.
var regionWeights = []float64{0.36, 0.24, 0.12, 0.18, 0.06, 0.04}

func network(s *scenario.Scenario) (Network, error) {
	n := Network{jitter: s.Latency.Jitter, loss: s.Latency.Loss}
	switch s.Latency.Model {
	case "fixed":
		n.Regions, n.weights = []string{"everywhere"}, []float64{1}
		n.oneWay = [][]time.Duration{{s.Latency.Fixed.D()}}
	case "matrix":
		return n, n.read(s.Latency.Matrix)
	default:
		n.Regions, n.weights = scenario.Regions, regionWeights
		n.oneWay = halves(roundTrips)
	}
	return n, nil
}

func halves(rtt [][]float64) [][]time.Duration {
	out := make([][]time.Duration, len(rtt))
	for i, row := range rtt {
		out[i] = make([]time.Duration, len(row))
		for j, ms := range row {
			out[i][j] = time.Duration(ms * float64(time.Millisecond) / 2)
		}
	}
	return out
}

// read reads a matrix: a first row and a first column of names, and round trips in ms.
func (n *Network) read(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if len(rows) < 2 || len(rows) > 256 || len(rows[0]) != len(rows) {
		return fmt.Errorf("%s: expected a square of round trips in ms with a first row and a first column of names", path)
	}
	n.Regions = rows[0][1:]
	rtt := make([][]float64, len(n.Regions))
	for i, row := range rows[1:] {
		if row[0] != n.Regions[i] {
			return fmt.Errorf("%s: row %d is named %q, its column %q", path, i+2, row[0], n.Regions[i])
		}
		for j, cell := range row[1:] {
			ms, err := strconv.ParseFloat(strings.TrimSpace(cell), 64)
			if err != nil || ms < 0 || ms > 60_000 {
				return fmt.Errorf("%s: row %d, column %d: %q is not a round trip in ms", path, i+2, j+2, cell)
			}
			rtt[i] = append(rtt[i], ms)
		}
		n.weights = append(n.weights, 1/float64(len(n.Regions)))
	}
	n.oneWay = halves(rtt)
	return nil
}

// draw draws a region.
func (n *Network) draw(r *rand.Rand) uint8 {
	x := r.Float64()
	for i, w := range n.weights {
		if x -= w; x < 0 {
			return uint8(i)
		}
	}
	return uint8(len(n.weights) - 1)
}

// OneWay is how long bytes travel between two regions, before jitter.
func (n *Network) OneWay(from, to uint8) time.Duration { return n.oneWay[from][to] }

// Jitter draws what is added to a latency of d: exponentially distributed with the
// scenario's share of d as its mean.
func (n *Network) Jitter(r *rand.Rand, d time.Duration) time.Duration {
	if n.jitter == 0 {
		return 0
	}
	return time.Duration(float64(r.ExpFloat64() * n.jitter * float64(d))).Truncate(time.Microsecond)
}

// Loss is the share of packets that are lost where no event says otherwise.
func (n *Network) Loss() float64 { return n.loss }
