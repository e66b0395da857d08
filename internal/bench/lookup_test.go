package bench

import (
	"io"
	"testing"
)

// TestLookupOfASmallNetwork: every figure is there, and those that cannot be by chance
// are what they must be.
func TestLookupOfASmallNetwork(t *testing.T) {
	r, err := lookups(t, LookupOptions{Nodes: 12, Gone: 0.25, Lookups: 4, Seed: 7}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if r.Success != 1 || r.NewestOf == 0 || r.Newest != 1 {
		t.Errorf("with 3 of 12 nodes gone %.2f were found, and %.2f of %d in their newest version", r.Success, r.Newest, r.NewestOf)
	}
	if r.WarmP50 < 1 || r.ColdP50 < r.WarmP50+1 || r.WarmP99 < r.WarmP50 || r.ColdP99 < r.ColdP50 {
		t.Errorf("round trips: warm %.1f and %.1f, cold %.1f and %.1f", r.WarmP50, r.WarmP99, r.ColdP50, r.ColdP99)
	}
	if r.StapleBytes < 1000 || r.StapleBytes > 2900 || r.StapleVerify <= 0 || r.NameSecret <= 0 {
		t.Errorf("staple: %d bytes, %f ms, %f ms", r.StapleBytes, r.StapleVerify, r.NameSecret)
	}
}
