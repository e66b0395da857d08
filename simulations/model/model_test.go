package model

import (
	"bytes"
	"testing"
	"time"

	"communicator/simulations/trace"
)

const quiet = "tier: model\nseed: 1\nduration: 30m\nnodes: {agents: 20, users: 50}\nworkload: {messages_per_user_hour: 20}\n"

func TestEverythingArrives(t *testing.T) {
	rec, o := play(t, build(t, quiet))
	if rec.kinds[trace.Sent] < 400 || rec.kinds[trace.Received] != rec.kinds[trace.Sent] || rec.kinds[trace.Accepted] != rec.kinds[trace.Sent] {
		t.Fatalf("%v", rec.kinds)
	}
	t.Logf("p50 %v p99 %v max %v; %v", rec.quantile(0.5), rec.quantile(0.99), rec.quantile(1), o.Extra)
	t.Logf("%v %v", rec.kinds, rec.bytes)
	if p := rec.quantile(0.99); p > 30*time.Second {
		t.Errorf("p99 is %v", p)
	}
	if o.Extra["model_under_way"] != 0 {
		t.Errorf("%v messages are left over", o.Extra["model_under_way"])
	}
}

func TestSeeds(t *testing.T) {
	a, _ := play(t, build(t, quiet))
	b, _ := play(t, build(t, quiet))
	c, _ := play(t, build(t, quiet, "seed=2"))
	if !bytes.Equal(a.hash.Sum(nil), b.hash.Sum(nil)) {
		t.Error("one seed, two runs")
	}
	if bytes.Equal(a.hash.Sum(nil), c.hash.Sum(nil)) {
		t.Error("two seeds, one run")
	}
}
