package client

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"communicator/client/store"
	"communicator/internal/testenv"
	"communicator/particle"
)

// TestIntroductionSurvivesCrashes lets each of the three die at each point of what they
// do, again and again, and opens the profile again: nothing is lost or begun twice.
func TestIntroductionSurvivesCrashes(t *testing.T) {
	names := []string{"Sam", "Ira", "Reed"}
	often := []string{"decided Sam", "met Ira", "met Reed", "taken Ira"}
	for _, point := range []string{"decided", "met", "submitted", "outcome-saved", "taken", "acknowledged"} {
		for who := range names {
			if !testenv.Soak() && !slices.Contains(often, point+" "+names[who]) {
				continue
			}
			t.Run(point+" "+names[who], func(t *testing.T) {
				w := newCircle(t)
				all := []*person{w.sam, w.ira, w.reed}
				crashes := w.withCrashes(t, all[who], point)
				// One of the two begins; it is not known who.
				if crashes == 0 && point != "met" {
					t.Fatal("the point was never passed")
				}
				all[who].reopen()
				w.rounds(3)
				w.acquainted(t)
			})
		}
	}
}

// withCrashes plays an introduction while one of the three dies at a point, each time a
// little later.
func (w circle) withCrashes(t *testing.T, victim *person, point string) (crashes int) {
	t.Helper()
	crashed := victim.crashAt(point, 0)
	if _, err := w.sam.Introduce(t.Context(), "Ira", "Reed", IntroduceOptions{}); err != nil && !errors.Is(err, errCrash) {
		t.Fatal(err)
	}
	all := []*person{w.sam, w.ira, w.reed}
	for round := range 25 {
		for _, p := range all {
			p.tryReceive()
			p.tryApprove()
		}
		if crashed.Load() {
			victim.reopen()
			crashes++
			crashed = victim.crashAt(point, crashes%3)
		}
		w.sam.net.pass(w.sam.opts.Route.WithDefaults().RetryMax)
		if round > 8 && w.ira.only().State == RequestDone && w.reed.only().State == RequestDone {
			break
		}
	}
	return crashes
}

// tryApprove approves what waits; the victim may die meanwhile.
func (p *person) tryApprove() {
	p.t.Helper()
	open, err := p.Requests(context.Background(), false)
	check(p.t, err)
	if len(open) == 1 && open[0].Waiting {
		if _, err := p.Approve(context.Background(), open[0].ID, ""); err != nil && !errors.Is(err, errCrash) {
			p.t.Fatal(err)
		}
	}
}

// TestRepeatedStepsChangeNothing plays every message of an introduction again, in every
// state, as a re-established session does.
func TestRepeatedStepsChangeNothing(t *testing.T) {
	w := newCircle(t)
	w.introduce()
	var said []particle.Introduction // by Sam to Ira, and by Ira to Sam
	again := func() {
		t.Helper()
		for _, m := range said {
			from, to := w.sam, "Ira"
			if m.Step == particle.IntroductionAccept {
				from, to = w.ira, "Sam"
			}
			from.say(to, m)
		}
		before := []Request{w.sam.only(), w.ira.only()}
		w.rounds(2)
		if after := []Request{w.sam.only(), w.ira.only()}; fmt.Sprint(before) != fmt.Sprint(after) {
			t.Errorf("changed\nfrom %+v\nto %+v", before, after)
		}
	}
	remember := func(p *person, step particle.IntroductionStep, with string) {
		t.Helper()
		check(t, p.st.View(t.Context(), func(tx *store.Tx) error {
			rows, err := tx.Introductions()
			for _, i := range rows {
				if i.Due != uint8(step) || p.name(tx, i.Contact) != with {
					continue
				}
				m, err := p.step(tx, i)
				if err != nil || m == nil {
					return fmt.Errorf("step %d: %v", step, err)
				}
				said = append(said, *m)
				return nil
			}
			return errors.Join(err, fmt.Errorf("step %d is not owed to %s", step, with))
		}))
	}
	remember(w.sam, particle.IntroductionAsk, "Ira")
	w.rounds(1)
	again()
	w.ira.approve()
	remember(w.ira, particle.IntroductionAccept, "Sam")
	w.rounds(1)
	again()
	w.reed.approve()
	w.sam.receive()
	remember(w.sam, particle.IntroductionPass, "Ira")
	w.rounds(5)
	again()
	w.acquainted(t)
}

func (p *person) name(tx *store.Tx, id store.ID) string {
	p.t.Helper()
	row, err := tx.Contact(id)
	check(p.t, err)
	return row.Name
}

// say sends a step outside of the order.
func (p *person) say(to string, m particle.Introduction) {
	p.t.Helper()
	check(p.t, p.st.Update(context.Background(), func(tx *store.Tx) error {
		r, err := loadByName(tx, to)
		if err != nil {
			return err
		}
		_, err = p.enqueueDraft(tx, &r, particle.Draft{Introduction: &m}, SendOptions{Life: DefaultLife})
		return err
	}))
}
