package leakage

import (
	"fmt"
	"math"

	"communicator/simulations/measure"
)

// after are the numbers of messages after which charts ask what is known.
var after = []int{1, 2, 3, 4, 5, 6, 8, 10, 13, 16, 20, 25, 32, 40, 50, 64, 80, 100, 128, 160, 200, 256, 320, 400, 500, 640, 800, 1000, 1280, 1600, 2000}

func (c *collusion) finish(f *findings) {
	if c.messages == 0 {
		return
	}
	c.prepare()
	c.scalars(f.scalars)
	c.linkFigure(f)
	c.untilFigure(f)
	c.shareFigure(f)
	c.messagesFigure(f)
	c.victimsFigure(f)
}

// round asks everything about every target that exchanged something, and sorts the answers.
type round struct {
	sender, recipient, all crowd
	linked, seen, guessed  int // target pairs
	pairs                  int
	wrong                  int     // of all: somebody else is named
	degree                 float64 // summed over all
	most                   float64 // bits, summed: of whom does not know honest agents' clients
}

// round asks about the targets that exchanged anything, after n of their messages, or all if
// there are fewer.
func (c *collusion) round(limit int32, n int, how link) (r round) {
	for i := range c.logs {
		if len(c.logs[i]) == 0 {
			continue
		}
		v := c.answer(i, limit, n, how)
		r.pairs++
		guessed := false
		for j, a := range v.answers {
			q := v.asked[j]
			rel := c.script.Relations[c.targets.relations[i]]
			p, except := &c.receivedPrior, rel.A
			if q.sender {
				p, except = &c.sentPrior, rel.B
				r.sender = append(r.sender, a)
			} else {
				r.recipient = append(r.recipient, a)
			}
			if !q.forward {
				except = rel.Other(except)
			}
			r.all = append(r.all, a)
			r.degree += a.degree(p.candidates(except))
			if !v.linked {
				r.most += p.blind(rel.Other(except), except).entropy
			}
			guessed = guessed || a.truth > certain
			if a.wrong && a.max > certain {
				r.wrong++
			}
		}
		r.linked += int(flag(v.linked))
		r.seen += int(flag(v.seen))
		r.guessed += int(flag(guessed))
	}
	return r
}

func (c *collusion) scalars(out map[string]float64) {
	out["leak_pairs"] = float64(c.pairs())
	out["leak_linked_pairs"], out["leak_linked_messages"] = c.linked(c.limit)
	var first measure.Histogram
	for _, n := range c.first {
		if n > 0 {
			first.Add(int64(n))
		}
	}
	if first.N() > 0 {
		out["leak_messages_until_linked_p50"] = first.Quantile(.5)
		out["leak_messages_until_linked_p90"] = first.Quantile(.9)
	}
	r := c.round(c.limit, maxDeliveries, byConnection)
	if r.pairs == 0 {
		return
	}
	out["leak_seen_pairs"] = float64(r.seen) / float64(r.pairs)
	out["leak_guessed_pairs"] = float64(r.guessed) / float64(r.pairs)
	out["leak_sender_entropy_bits"] = r.sender.mean(entropyOf)
	out["leak_recipient_entropy_bits"] = r.recipient.mean(entropyOf)
	out["leak_sender_entropy_mailbox_bits"] = c.round(c.limit, maxDeliveries, byMailbox).sender.mean(entropyOf)
	out["leak_entropy_most_bits"] = r.most / float64(len(r.all))
	out["leak_effective_set_p50"] = r.all.quantile(.5, effectiveOf)
	out["leak_effective_set_p01"] = r.all.quantile(.01, effectiveOf)
	out["leak_degree_mean"] = r.degree / float64(len(r.all))
	out["leak_max_probability_p99"] = r.all.quantile(.99, maxOf)
	out["leak_true_probability_p99"] = r.all.quantile(.99, truthOf)
	out["leak_rank_p50"] = r.all.quantile(.5, rankOf)
	out["leak_misguessed"] = float64(r.wrong) / float64(len(r.all))
}

// longest is how many messages a target pair exchanged at most, but for the few that
// exchanged far more than others.
func (c *collusion) longest() int {
	lengths := make([]float64, len(c.logs))
	for i, log := range c.logs {
		lengths[i] = float64(len(log))
	}
	return int(quantile(lengths, .95))
}

// shares are those for which one run answers.
func shares() (out []float64) {
	for i := 1; float64(i)*shareStep < shareMost+shareStep/2; i++ {
		out = append(out, math.Round(float64(i)*shareStep*1e6)/1e6)
	}
	return out
}

func (c *collusion) linkFigure(f *findings) {
	lines := []measure.Line{{Name: "pairs"}, {Name: "messages"}, {Name: "pairs, if all agents of both were used"}}
	add := func(i int, x, y float64) { lines[i].X, lines[i].Y = append(lines[i].X, x), append(lines[i].Y, y) }
	for _, share := range shares() {
		pairs, messages := c.linked(c.script.Colluding(share))
		add(0, share, pairs)
		add(1, share, messages)
		add(2, share, c.expected(share))
	}
	f.figures = append(f.figures, measure.Figure{ID: "leak-linked", Title: "Pairs and messages linked, by the share of agents that collude", Kind: measure.Lines,
		X: "share of colluding agents", Y: "share linked", Lines: lines, Marks: []measure.Mark{{X: c.script.Scenario.Adversary.Colluding, Text: "in this run"}},
		Caption: "How many relationships are laid open if some agents pool their logs? A message is linked if both its agents collude, a pair with its first such message. One run answers for all shares, since fewer colluding agents are among more."})
}

func (c *collusion) untilFigure(f *findings) {
	fig := measure.Figure{ID: "leak-until-linked", Title: "Messages until a pair is linked", Kind: measure.Steps, LogX: true,
		X: "messages of the pair", Y: "share of pairs linked",
		Caption: "How long does a relationship stay hidden? The share of target pairs that are linked after so many messages, for several shares of colluding agents; a pair that stops writing stays where it is."}
	for _, share := range []float64{0.02, 0.05, 0.1, 0.2} {
		var first []float64
		pairs, limit := 0, c.script.Colluding(share)
		for _, log := range c.logs {
			if len(log) > 0 {
				pairs++
			}
			for i, d := range log {
				if c.script.Agents[d.sender].Rank < limit && c.script.Agents[d.receiver].Rank < limit {
					first = append(first, float64(i+1))
					break
				}
			}
		}
		if len(first) > 0 {
			fig.Lines = append(fig.Lines, curve(fmt.Sprintf("%g %%", 100*share), first, pairs, c.longest()))
		}
	}
	if len(fig.Lines) > 0 {
		f.figures = append(f.figures, fig)
	}
}

func (c *collusion) shareFigure(f *findings) {
	lines := []measure.Line{{Name: "sender"}, {Name: "sender, one mailbox alone"}, {Name: "recipient"}}
	add := func(i int, x float64, of crowd) {
		if len(of) > 0 {
			lines[i].X, lines[i].Y = append(lines[i].X, x), append(lines[i].Y, of.mean(entropyOf))
		}
	}
	for _, share := range shares() {
		limit := c.script.Colluding(share)
		r := c.round(limit, maxDeliveries, byConnection)
		add(0, share, r.sender)
		add(1, share, c.round(limit, maxDeliveries, byMailbox).sender)
		add(2, share, r.recipient)
	}
	f.figures = append(f.figures, measure.Figure{ID: "leak-entropy-share", Title: "Entropy of the anonymity set, by the share of agents that collude", Kind: measure.Lines,
		X: "share of colluding agents", Y: "bits, on average", Lines: lines, Marks: []measure.Mark{{X: c.script.Scenario.Adversary.Colluding, Text: "in this run"}},
		Caption: "In how much doubt are colluding agents about who writes to a mailbox, and to whom somebody writes, after the whole run? Each bit halves the set. They are granted the client lists of honest agents, so these are lower bounds."})
}

func (c *collusion) messagesFigure(f *findings) {
	lines := []measure.Line{{Name: "sender"}, {Name: "sender, one mailbox alone"}, {Name: "recipient"}}
	for _, n := range after {
		if n > c.longest() {
			break
		}
		r, m := c.round(c.limit, n, byConnection), c.round(c.limit, n, byMailbox)
		for i, of := range []crowd{r.sender, m.sender, r.recipient} {
			if len(of) > 0 {
				lines[i].X, lines[i].Y = append(lines[i].X, float64(n)), append(lines[i].Y, of.mean(entropyOf))
			}
		}
	}
	if len(lines[0].X) == 0 {
		return
	}
	f.figures = append(f.figures, measure.Figure{ID: "leak-entropy-messages", Title: "Entropy of the anonymity set, after so many messages", Kind: measure.Lines, LogX: true,
		X: "messages of the pair", Y: "bits, on average", Lines: lines,
		Caption: "What does each further message give away to the colluding agents of this run? The curve of one mailbox alone shows what is left if mailboxes of a relationship could not be joined: the use of rotating them. Target pairs that wrote less count with what they wrote."})
}

func (c *collusion) victimsFigure(f *findings) {
	r := c.round(c.limit, maxDeliveries, byConnection)
	if len(r.all) == 0 {
		return
	}
	var sender, recipient []float64
	for _, a := range r.sender {
		sender = append(sender, a.truth)
	}
	for _, a := range r.recipient {
		recipient = append(recipient, a.truth)
	}
	f.figures = append(f.figures, measure.Figure{ID: "leak-victims", Title: "Probability of the true peer", Kind: measure.Lines, LogX: true,
		X: "probability that colluding agents give the true peer", Y: "share of target pairs",
		Lines:   []measure.Line{distribution("sender", sender), distribution("recipient", recipient)},
		Caption: "Averages hide victims: how many people are laid open, however well others are hidden? At x the share of target pairs whose peer is given at most this probability; what is missing to 1 just left of x = 1 is known for certain."})
}
