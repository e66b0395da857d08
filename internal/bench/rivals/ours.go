package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strconv"
)

// measureOurs has the program measure itself.
func measureOurs(ctx context.Context, o options, clients int) (float64, error) {
	cmd := exec.CommandContext(ctx, o.binary, "bench", "deliver", "--json", "--clients", strconv.Itoa(clients),
		"--size", strconv.Itoa(o.size), "--duration", o.duration.String())
	cmd.Env = append(os.Environ(), "TMPDIR="+o.dir)
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Run(); err != nil {
		return 0, fmt.Errorf("%w\n%s", err, said.Bytes())
	}
	var r struct {
		DeliveriesPerS float64 `json:"deliveries_per_s"`
		Lost           int     `json:"lost"`
	}
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		return 0, err
	}
	if r.Lost > 0 || r.DeliveriesPerS <= 0 {
		return 0, fmt.Errorf("%d messages were lost at %.0f/s", r.Lost, r.DeliveriesPerS)
	}
	return r.DeliveriesPerS, nil
}
