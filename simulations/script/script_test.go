package script

import (
	"fmt"
	"math"
	"reflect"
	"testing"
	"time"

	"communicator/simulations/scenario"
)

func build(t *testing.T, yaml string) *Script {
	t.Helper()
	sc, err := scenario.Parse("test.yaml", []byte(yaml))
	if err != nil {
		t.Fatal(err)
	}
	s, err := Build(sc)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func sends(s *Script) (out []Send) {
	for w := s.Sends(); ; {
		m, ok := w.Next()
		if !ok {
			return out
		}
		out = append(out, m)
	}
}

func TestSameSeedSameScript(t *testing.T) {
	const yaml = "seed: %d\nnodes: {agents: 50, users: 200}\nchurn: {model: weibull}\nworkload: {online: 0.5}"
	a, b, c := build(t, fmt.Sprintf(yaml, 3)), build(t, fmt.Sprintf(yaml, 3)), build(t, fmt.Sprintf(yaml, 4))
	if !reflect.DeepEqual(a, b) || !reflect.DeepEqual(sends(a), sends(b)) {
		t.Error("one seed, two scripts")
	}
	if reflect.DeepEqual(a.Changes, c.Changes) || reflect.DeepEqual(sends(a), sends(c)) {
		t.Error("two seeds, one script")
	}
}

func TestMattersDrawApart(t *testing.T) {
	quiet := build(t, "nodes: {agents: 50, users: 200}")
	busy := build(t, "nodes: {agents: 50, users: 200}\nchurn: {model: exponential, scale: 5m}\nadversary: {colluding: 0.2}")
	if !reflect.DeepEqual(quiet.Users, busy.Users) || !reflect.DeepEqual(sends(quiet), sends(busy)) {
		t.Error("churn and colluding agents changed who knows whom")
	}
}

func TestFewerColludingAreAmongMore(t *testing.T) {
	few, more := build(t, "adversary: {colluding: 0.1}"), build(t, "adversary: {colluding: 0.2}")
	n := 0
	for i := range few.Agents {
		if few.Agents[i].Colludes {
			n++
			if !more.Agents[i].Colludes {
				t.Fatalf("agent %d colludes at 0.1 and not at 0.2", i)
			}
		}
	}
	if n != 10 {
		t.Errorf("%d of 100 collude, not 10", n)
	}
}

func TestRanksSayWhoColludesAtAnyShare(t *testing.T) {
	for _, by := range []string{"agents", "operators"} {
		const yaml = "nodes: {agents: 100, operators: 20}\nadversary: {colluding: %v, by: %s}"
		all := build(t, fmt.Sprintf(yaml, 0, by))
		for _, share := range []float64{0, 0.05, 0.3, 1} {
			s := build(t, fmt.Sprintf(yaml, share, by))
			n := 0
			for i, a := range s.Agents {
				if a.Colludes {
					n++
				}
				if a.Colludes != (all.Agents[i].Rank < all.Colluding(share)) {
					t.Errorf("%s, %v: agent %d of rank %d colludes: %v", by, share, i, all.Agents[i].Rank, a.Colludes)
				}
				if a.Operator == s.Agents[0].Operator && by == "operators" && a.Rank != s.Agents[0].Rank {
					t.Errorf("agents of one operator have the ranks %d and %d", a.Rank, s.Agents[0].Rank)
				}
			}
			if n != int(share*100+0.5) {
				t.Errorf("%s, %v: %d of 100 collude", by, share, n)
			}
		}
	}
}

func TestRatesAreWhatWasAsked(t *testing.T) {
	s := build(t, "duration: 2h\nnodes: {agents: 50, users: 1000}\nworkload: {messages_per_user_hour: 10}\nevents: [{at: 30m, for: 6m, crowd: {factor: 20, to: 3}}]")
	var quiet, crowd float64
	to := map[int32]bool{}
	for i, m := range sends(s) {
		if int(m.Number) != i || m.From == m.To {
			t.Fatalf("message %d: %+v", i, m)
		}
		if m.At >= 30*time.Minute && m.At < 36*time.Minute {
			crowd++
			to[m.To] = true
		} else {
			quiet++
		}
	}
	if want := 10 * 1000 * 1.9; math.Abs(quiet-want) > 4*math.Sqrt(want) {
		t.Errorf("%v messages in quiet times, not about %v", quiet, want)
	}
	if want := 10 * 1000 * 0.1 * 20; math.Abs(crowd-want) > 4*math.Sqrt(want) {
		t.Errorf("%v messages in the crowd, not about %v", crowd, want)
	}
	if len(to) != 3 {
		t.Errorf("the crowd wrote to %d users, not 3", len(to))
	}
}

func TestEachPairHasItsMessages(t *testing.T) {
	s := build(t, "nodes: {agents: 50, users: 99}\nworkload: {messages_per_pair: 50, contacts_per_user: 1}")
	count := map[int32]int{}
	last := time.Duration(0)
	for _, m := range sends(s) {
		if m.At < last {
			t.Fatal("out of order")
		}
		last = m.At
		count[m.Relation]++
	}
	for i, n := range count {
		if n != 50 {
			t.Errorf("pair %d has %d messages", i, n)
		}
	}
	if len(count) != len(s.Relations) || len(count) != 50 {
		t.Errorf("%d of %d pairs talk", len(count), len(s.Relations))
	}
}

func TestChurnLeavesTheStableAlone(t *testing.T) {
	s := build(t, "duration: 12h\nnodes: {agents: 200, users: 400}\nchurn: {model: weibull, stable: 0.25, scale: 1h, down: 10m}")
	up := make([]bool, len(s.Agents))
	for i := range up {
		up[i] = true
	}
	last, stops := time.Duration(0), 0
	for _, c := range s.Changes {
		if c.At < last {
			t.Fatal("out of order")
		}
		last = c.At
		for _, a := range c.Agents {
			if s.Agents[a].Stable {
				t.Fatalf("stable agent %d: %+v", a, c)
			}
			if up[a] != (c.Act == Stop) {
				t.Fatalf("agent %d: act %d while up is %v", a, c.Act, up[a])
			}
			up[a] = !up[a]
			if c.Act == Stop {
				stops++
			}
		}
	}
	if stops < 500 {
		t.Errorf("only %d stops of 150 agents in 12 h", stops)
	}
}

func TestPartitionTakesBothAgentsAndUsers(t *testing.T) {
	s := build(t, "events: [{at: 5m, for: 10m, partition: [eu, sa]}]")
	if len(s.Changes) != 2 || s.Changes[0].Act != CutOff || s.Changes[1].Act != Heal || s.Changes[1].At != 15*time.Minute {
		t.Fatalf("%+v", s.Changes)
	}
	c := s.Changes[0]
	for i, a := range s.Agents {
		inside := s.Network.Regions[a.Region] == "eu" || s.Network.Regions[a.Region] == "sa"
		cut := false
		for _, x := range c.Agents {
			cut = cut || x == int32(i)
		}
		if inside != cut {
			t.Errorf("agent %d of %s: cut off %v", i, s.Network.Regions[a.Region], cut)
		}
	}
	if len(c.Users) == 0 || len(c.Users) == len(s.Users) {
		t.Errorf("%d users are cut off", len(c.Users))
	}
}
