package particle

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestConversationProperty drives two sides through any order of sends, deliveries,
// losses, duplicates, corruptions, crashes and rotations, with their state on "disk" as
// bytes, and then lets everything that was not lost arrive: each message must be read
// exactly once, and nothing else.
func TestConversationProperty(t *testing.T) {
	a, b := hello(t, true)
	states := [2][]byte{a.Marshal(), b.Marshal()}
	rapid.Check(t, func(t *rapid.T) {
		w := &world{disk: states, now: start, read: map[string]int{}}
		t.Repeat(map[string]func(*rapid.T){
			"send":    w.send,
			"deliver": w.deliver,
			"corrupt": w.corrupt,
			"lose":    w.lose,
			"rotate":  w.rotate,
			"time":    func(*rapid.T) { w.now = w.now.Add(time.Hour) },
		})
		for len(w.flying) > 0 {
			w.arrive(t, 0, false)
		}
		w.check(t)
	})
}

// world is two saved states and the network between them.
type world struct {
	disk   [2][]byte // what a crash leaves
	now    time.Time
	flying []flight
	sent   []flight
	read   map[string]int
	sets   byte
}

type flight struct {
	to   int
	text string
	c    []byte
	step uint64
	lost bool
}

func (w *world) load(t *rapid.T, side int) Particle {
	p, err := Parse(w.disk[side])
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// send may crash before the transaction, after which nothing has been released.
func (w *world) send(t *rapid.T) {
	side := rapid.IntRange(0, 1).Draw(t, "side")
	crash := rapid.IntRange(0, 3).Draw(t, "crash") == 0
	p := w.load(t, side)
	f := flight{to: 1 - side, text: fmt.Sprint("message ", len(w.sent))}
	next, s, err := p.Send(nil, Draft{Text: f.text}, w.now)
	if err != nil {
		t.Fatal(err)
	}
	if crash {
		return
	}
	w.disk[side] = next.Marshal()
	f.c, f.step = s.Ciphertext, next.session.send.step
	w.flying = append(w.flying, f)
	w.sent = append(w.sent, f)
}

func (w *world) pick(t *rapid.T) int {
	if len(w.flying) == 0 {
		t.Skip("nothing under way")
	}
	return rapid.IntRange(0, len(w.flying)-1).Draw(t, "flight")
}

func (w *world) deliver(t *rapid.T) {
	i := w.pick(t)
	if rapid.IntRange(0, 3).Draw(t, "crash") == 0 { // before the transaction: it comes again
		f := w.flying[i]
		_, _, _ = w.load(t, f.to).Receive(f.c, w.now)
		return
	}
	w.arrive(t, i, rapid.Bool().Draw(t, "duplicate"))
}

// arrive delivers a flight; a duplicate stays under way.
func (w *world) arrive(t *rapid.T, i int, duplicate bool) {
	f := w.flying[i]
	if !duplicate {
		w.flying = slices.Delete(w.flying, i, i+1)
	}
	p := w.load(t, f.to)
	next, o, err := p.Receive(f.c, w.now)
	old := p.session.recv != nil && p.session.recv.step > f.step+2*MaxFormerChains
	switch {
	case errors.Is(err, ErrDuplicate) && w.read[f.text] == 1:
	case errors.Is(err, ErrUndecryptable) && old:
		if w.read[f.text] == 0 {
			w.read[f.text] = 1 // nobody can: its chain is gone
		}
	case err != nil:
		t.Fatalf("%s: %v", f.text, err)
	default:
		if o.Message.Text != f.text || o.Fork != nil || o.Alarm != nil || o.Invalid != nil {
			t.Fatalf("%s opened as %+v", f.text, o)
		}
		w.read[f.text]++
		w.disk[f.to] = next.Marshal()
	}
}

func (w *world) corrupt(t *rapid.T) {
	f := w.flying[w.pick(t)]
	bad := slices.Clone(f.c)
	bad[rapid.IntRange(0, len(bad)-1).Draw(t, "byte")] ^= byte(rapid.IntRange(1, 255).Draw(t, "flip"))
	p := w.load(t, f.to)
	next, _, err := p.Receive(bad, w.now)
	if err == nil || !next.Equal(p) {
		t.Fatalf("a corrupted ciphertext: %v", err)
	}
}

func (w *world) lose(t *rapid.T) {
	i := w.pick(t)
	for j := range w.sent {
		if w.sent[j].text == w.flying[i].text {
			w.sent[j].lost = true
		}
	}
	w.flying = slices.Delete(w.flying, i, i+1)
}

func (w *world) rotate(t *rapid.T) {
	side := rapid.IntRange(0, 1).Draw(t, "side")
	p := w.load(t, side)
	w.sets++
	next, err := p.Offer(addresses(w.sets), w.now)
	if p.Unreplied() {
		if !errors.Is(err, ErrUnreplied) {
			t.Fatal(err)
		}
		return
	}
	if err != nil && !errors.Is(err, ErrOpenSets) {
		t.Fatal(err)
	}
	next, _ = next.Close(w.now)
	w.disk[side] = next.Marshal()
}

func (w *world) check(t *rapid.T) {
	for _, f := range w.sent {
		if n := w.read[f.text]; n > 1 || n == 0 && !f.lost {
			t.Fatalf("%s (lost: %v) was read %d times", f.text, f.lost, n)
		}
	}
	for side := range 2 {
		p, peer := w.load(t, side), w.load(t, 1-side)
		if p.Alarmed() {
			t.Fatal("a false alarm")
		}
		if c := peer.exchange.current(); p.exchange.applied > 0 && p.exchange.applied > c.set.Number {
			t.Fatal("an address set from nowhere")
		}
	}
}
