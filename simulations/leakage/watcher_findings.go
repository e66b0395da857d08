package leakage

import (
	"fmt"
	"math"

	"communicator/simulations/measure"
)

// look notes what is known of a victim's peer.
func (w *watcher) look(v *victim, messages int) {
	v.found = append(v.found, finding{messages, w.posterior(v)})
}

// posterior is what the watcher thinks about who a victim's peer is: every user besides the
// victim and their further contacts is as likely before anything is seen. That a user was
// hit k times speaks for them by as much as it is likelier if a share of the victim's
// frames is theirs than if they were only there by chance: Poisson distributions, with
// each of contactShares as likely.
func (w *watcher) posterior(v *victim) anonymity {
	forward, backward := w.judge(&v.forward, &w.in), w.judge(&v.backward, &w.out)
	largest := math.Inf(-1)
	for u := range w.scores {
		w.scores[u] = forward(int32(u)) + backward(int32(u))
	}
	w.scores[v.user] = math.Inf(-1)
	for u := range v.others {
		w.scores[u] = math.Inf(-1)
	}
	for _, score := range w.scores {
		largest = max(largest, score)
	}
	weights, truth := make([]float64, 0, len(w.scores)), 0
	for u, score := range w.scores {
		if int32(u) == v.peer {
			truth = len(weights)
		}
		if !math.IsInf(score, -1) {
			weights = append(weights, math.Exp(score-largest))
		}
	}
	return summarize(weights, truth)
}

// judge makes the function that says by how much evidence speaks for a user, as the
// logarithm of a ratio of likelihoods.
func (w *watcher) judge(e *evidence, f *flow) func(user int32) float64 {
	n := float64(e.frames)
	elsewhere := e.total / float64(max(len(e.exposure), 1))
	span := max((w.now - w.begun).Seconds(), 1e-3)
	none := ratio(0, n, 1)
	return func(user int32) float64 {
		hits := float64(e.hits[user])
		if hits == 0 {
			return none
		}
		return ratio(hits, n, w.chance(e, f, user, elsewhere)/span)
	}
}

// chance is how often a user would be hit by chance, times the length of the run so far in
// seconds. Half a frame is added to what was counted of each agent, so that nobody whose
// first frame this is becomes certain.
func (w *watcher) chance(e *evidence, f *flow, user int32, elsewhere float64) (expected float64) {
	for place, n := range f.counts[user] {
		agent := f.agentAt(user, place)
		switch {
		case agent >= 0:
			expected += (float64(n) + 0.5) * e.exposure[agent]
		case n > 0:
			expected += float64(n) * elsewhere
		}
	}
	if expected == 0 {
		expected = 0.5 * elsewhere
	}
	return expected
}

// ratio is the logarithm of how much likelier k hits are if a share of the victim's n frames
// is the candidate's than if by chance alone, where expected hits are.
func ratio(k, n, expected float64) float64 {
	var logs [len(contactShares)]float64
	largest := math.Inf(-1)
	for i, share := range contactShares {
		logs[i] = k*math.Log1p(n*share/expected) - n*share
		largest = max(largest, logs[i])
	}
	sum := 0.0
	for _, l := range logs {
		sum += math.Exp(l - largest)
	}
	return largest + math.Log(sum/float64(len(contactShares)))
}

// surplus is the rank of a victim's peer by statistical disclosure alone (Danezis 2003):
// hits above those expected by chance.
func (w *watcher) surplus(v *victim) float64 {
	span := max((w.now - w.begun).Seconds(), 1e-3)
	of := func(user int32) float64 {
		x := float64(v.forward.hits[user]) + float64(v.backward.hits[user])
		if v.forward.hits[user] > 0 {
			x -= w.chance(&v.forward, &w.in, user, 0) / span
		}
		if v.backward.hits[user] > 0 {
			x -= w.chance(&v.backward, &w.out, user, 0) / span
		}
		return x
	}
	peer, rank := of(v.peer), 1.0
	for u := range int32(len(w.scores)) {
		if u == v.user || u == v.peer || v.others[u] {
			continue
		}
		switch x := of(u); {
		case x > peer:
			rank++
		case x == peer:
			rank += 0.5
		}
	}
	return rank
}

// verdict is what the watcher says at the end of all victims who exchanged anything.
type verdict struct {
	end        crowd
	until      []float64 // messages, of those whose peer is identified
	disclosed  []float64 // ranks by statistical disclosure alone
	degree     float64   // summed
	wrong      int       // somebody else is named
	identified int
}

func (w *watcher) verdict() (r verdict) {
	for i := range w.victims {
		v := &w.victims[i]
		if v.messages == 0 || !w.lesson.learned {
			continue
		}
		last := finding{v.messages, w.posterior(v)}
		if n := len(v.found); n > 0 && v.found[n-1].messages == v.messages {
			v.found[n-1] = last // with what came since
		} else {
			v.found = append(v.found, last)
		}
		r.end = append(r.end, last.anonymity)
		r.disclosed = append(r.disclosed, w.surplus(v))
		r.degree += last.degree(len(w.scores) - 1 - len(v.others))
		switch {
		case last.truth > certain:
			r.identified++
			r.until = append(r.until, float64(v.since()))
		case last.max > certain:
			r.wrong++
		}
	}
	return r
}

func (w *watcher) finish(f *findings) {
	r := w.verdict()
	if len(r.end) == 0 {
		return
	}
	n := float64(len(r.end))
	f.scalars["leak_identified"] = float64(r.identified) / n
	f.scalars["leak_misidentified"] = float64(r.wrong) / n
	if len(r.until) > 0 {
		f.scalars["leak_messages_until_identified_p50"] = quantile(r.until, .5)
		f.scalars["leak_messages_until_identified_p90"] = quantile(r.until, .9)
	}
	f.scalars["leak_observer_entropy_bits"] = r.end.mean(entropyOf)
	f.scalars["leak_observer_effective_set_p50"] = r.end.quantile(.5, effectiveOf)
	f.scalars["leak_observer_degree_mean"] = r.degree / n
	f.scalars["leak_observer_max_probability_p99"] = r.end.quantile(.99, maxOf)
	f.scalars["leak_observer_true_probability_p50"] = r.end.quantile(.5, truthOf)
	f.scalars["leak_observer_rank_p50"] = r.end.quantile(.5, rankOf)
	f.scalars["leak_observer_rank_p90"] = r.end.quantile(.9, rankOf)
	f.scalars["leak_disclosure_rank_p50"] = quantile(r.disclosed, .5)
	f.scalars["leak_observer_window_s"] = w.window.Seconds()
	w.curves(f)
	w.identifiedFigure(f, r.until, len(r.end))
}

// since is the number of messages from which on the peer has been named.
func (v *victim) since() int {
	n := v.found[len(v.found)-1].messages
	for i := len(v.found) - 1; i >= 0 && v.found[i].truth > certain; i-- {
		n = v.found[i].messages
	}
	return n
}

// looked are the answers after a number of messages, or after all of those of victims who
// have fewer.
func (w *watcher) looked(messages int) (out crowd) {
	for i := range w.victims {
		found := w.victims[i].found
		for j := len(found) - 1; j >= 0; j-- {
			if found[j].messages <= messages {
				out = append(out, found[j].anonymity)
				break
			}
		}
	}
	return out
}

// longest is how many messages a victim's pair exchanged at most, but for the few that
// exchanged far more than others.
func (w *watcher) longest() int {
	var lengths []float64
	for i := range w.victims {
		if n := w.victims[i].messages; n > 0 {
			lengths = append(lengths, float64(n))
		}
	}
	return int(quantile(lengths, .95))
}

// curves draws rank and entropy after so many messages.
func (w *watcher) curves(f *findings) {
	rank := measure.Figure{ID: "leak-rank", Title: "Rank of the true peer for a global observer", Kind: measure.Lines, LogX: true, LogY: true,
		X: "messages of the pair", Y: "rank among all users",
		Lines:   []measure.Line{{Name: "p10"}, {Name: "p50"}, {Name: "p90"}},
		Caption: "How many others would somebody who sees all traffic suspect before the right one? Rank 1 is the first suspect; a victim's further contacts do not count. Target pairs that wrote less count with what they wrote."}
	entropy := measure.Figure{ID: "leak-observer-entropy", Title: "Doubt of a global observer", Kind: measure.Lines, LogX: true,
		X: "messages of the pair", Y: "bits, on average",
		Lines:   []measure.Line{{Name: "entropy"}, {Name: "of a user of whom nothing is known"}},
		Caption: "How fast does watching narrow down who somebody's peer is? Each bit halves the set of suspects. Target pairs that wrote less count with what they wrote."}
	add := func(l *measure.Line, x int, y float64) { l.X, l.Y = append(l.X, float64(x)), append(l.Y, y) }
	for _, n := range after {
		at := w.looked(n)
		if n > w.longest() || len(at) == 0 {
			continue
		}
		for i, q := range []float64{.1, .5, .9} {
			add(&rank.Lines[i], n, at.quantile(q, rankOf))
		}
		add(&entropy.Lines[0], n, at.mean(entropyOf))
		add(&entropy.Lines[1], n, math.Log2(float64(max(len(w.scores)-1, 1))))
	}
	if len(rank.Lines[0].X) > 0 {
		f.figures = append(f.figures, rank, entropy)
	}
}

func (w *watcher) identifiedFigure(f *findings, until []float64, all int) {
	if len(until) == 0 {
		return
	}
	f.figures = append(f.figures, measure.Figure{ID: "leak-identified", Title: "Messages until a global observer names the peer", Kind: measure.Steps, LogX: true,
		X: "messages of the pair", Y: "share of target pairs", Lines: []measure.Line{curve(fmt.Sprintf("window %v", w.window), until, all, w.longest())},
		Caption: "After how many messages does an observer of all traffic name the right peer, with a probability above one half, and stay with it? Pairs that it never names are missing to 1."})
}
