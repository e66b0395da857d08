package mailbox

import (
	"slices"
	"testing"
	"testing/synctest"

	"github.com/prometheus/client_golang/prometheus"

	"communicator/wire/pb"
)

// TestMetricsTellNobody: label values come from fixed lists, however many peers,
// accounts and mailboxes there are, and a silent mailbox counts as a live one.
func TestMetricsTellNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reg := prometheus.NewRegistry()
		m, err := NewMetrics(reg)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := NewMetrics(reg); err == nil {
			t.Error("registered twice without an error")
		}
		a := newAgent(t, func(c *Config) { c.Metrics = m })
		for account := range byte(5) {
			o := a.owner(1 + account)
			to := o.create(0)
			if account%2 == 0 {
				o.must(pb.SignedOp_REVOKE, &pb.Revoke{Mode: pb.Revoke_SILENT})
			}
			a.code(a.dial(a.ServeDeliver, sendingAgent), a.attempt(to, "x"))
		}
		a.close()
		families, err := reg.Gather()
		if err != nil {
			t.Fatal(err)
		}
		values := map[string][]string{}
		stored := 0.0
		for _, f := range families {
			for _, metric := range f.Metric {
				for _, l := range metric.Label {
					values[l.GetName()] = append(values[l.GetName()], l.GetValue())
					if l.GetName() == "outcome" && l.GetValue() == "stored" {
						stored = metric.Counter.GetValue()
					}
				}
			}
		}
		if stored != 5 {
			t.Errorf("%v puts stored, want 5", stored)
		}
		allowed := map[string][]string{
			"op":       {"hello", "create", "revoke", "deliver"},
			"status":   {"ok"},
			"outcome":  {"stored"},
			"protocol": {"/communicator/mailbox/1", "/communicator/deliver/1"},
		}
		for name, got := range values {
			for _, v := range got {
				if !slices.Contains(allowed[name], v) {
					t.Errorf("label %s=%q", name, v)
				}
			}
		}
	})
}
