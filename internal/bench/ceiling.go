package bench

import (
	"context"
	"fmt"
	"io"
)

// CeilingResult compares the whole path with what it can do where both agents keep their
// logs in memory and sync nothing: all the same code, on the log's other engine.
type CeilingResult struct {
	Rounds   int     `json:"rounds"`
	Stored   float64 `json:"deliveries_per_s"`        // median over rounds
	InMemory float64 `json:"memory_deliveries_per_s"` // the same without a disk
	Kept     float64 `json:"kept"`                    // median of the rounds' ratios
	Lost     int     `json:"lost"`
	// CPUPerMessage is microseconds of processor time, by process; medians.
	CPUPerMessage         map[string]float64 `json:"cpu_us_per_message"`
	InMemoryCPUPerMessage map[string]float64 `json:"memory_cpu_us_per_message"`
}

// Ceiling measures deliveries with agents that store and with agents that do not, in
// turn, each time with new ones.
func Ceiling(ctx context.Context, o DeliverOptions, rounds int, progress io.Writer) (r CeilingResult, err error) {
	r.Rounds = rounds
	var stored, inMemory []DeliverResult
	var ratios []float64
	for round := range rounds {
		o.InMemory = false
		with, err := Deliver(ctx, o, io.Discard)
		if err != nil {
			return r, err
		}
		o.InMemory = true
		without, err := Deliver(ctx, o, io.Discard)
		if err != nil {
			return r, err
		}
		kept := with.DeliveriesPerS / without.DeliveriesPerS
		fmt.Fprintf(progress, "round %d: %.0f deliveries/s, in memory %.0f/s, %.2f kept\n",
			round+1, with.DeliveriesPerS, without.DeliveriesPerS, kept)
		stored, inMemory, ratios = append(stored, with), append(inMemory, without), append(ratios, kept)
		r.Lost += with.Lost + without.Lost
	}
	r.Kept = median(ratios)
	r.Stored, r.CPUPerMessage = medians(stored)
	r.InMemory, r.InMemoryCPUPerMessage = medians(inMemory)
	return r, nil
}

// medians are those of the rates and of each process's time.
func medians(rounds []DeliverResult) (rate float64, cpu map[string]float64) {
	over := func(figure func(DeliverResult) float64) float64 {
		all := make([]float64, len(rounds))
		for i, r := range rounds {
			all[i] = figure(r)
		}
		return median(all)
	}
	cpu = map[string]float64{}
	for _, who := range processes {
		cpu[who] = over(func(r DeliverResult) float64 { return r.CPUPerMessage[who] })
	}
	return over(func(r DeliverResult) float64 { return r.DeliveriesPerS }), cpu
}
