package store

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestOutboxStates(t *testing.T) {
	// The arrows drawn at OutgoingState, written out once more.
	next := map[OutgoingState][]OutgoingState{
		OutgoingQueued:    {OutgoingSubmitted, OutgoingStored, OutgoingDelivered, OutgoingExpired, OutgoingResend, OutgoingFailed},
		OutgoingSubmitted: {OutgoingQueued, OutgoingStored, OutgoingDelivered, OutgoingExpired, OutgoingResend, OutgoingFailed},
		OutgoingStored:    {OutgoingDelivered, OutgoingResend},
		OutgoingDelivered: {OutgoingResend},
		OutgoingExpired:   {OutgoingDelivered, OutgoingResend},
		OutgoingResend:    {OutgoingExpired, OutgoingFailed},
		OutgoingFailed:    {OutgoingDelivered, OutgoingResend},
	}
	within(t, func(tx *Tx) {
		ok(t, addContact(tx, 1, "Blair"))
		for from := range next {
			for to := OutgoingQueued; to <= OutgoingFailed+1; to++ {
				o := Outgoing{ID: testID(byte(from)<<4 | byte(to)), Contact: testID(1), Ciphertext: []byte{1}, NotAfter: noon}
				ok(t, tx.Enqueue(o))
				ok(t, tx.change(`UPDATE outbox SET state = ?2 WHERE id = ?1`, o.ID[:], int(from)))
				err := tx.SetOutgoingState(o.ID, to)
				if from == to || slices.Contains(next[from], to) {
					ok(t, err)
				} else {
					wantErr(t, err, ErrTransition)
				}
			}
		}
		wantErr(t, tx.Enqueue(Outgoing{ID: testID(1), Contact: testID(1), NotAfter: noon}), ErrInvalid)
		wantErr(t, tx.SetOutgoingState(testID(200), OutgoingFailed), ErrNotFound)
	})
}

// The model: what outbox and attempts should hold, in plain maps.
type modelMessage struct {
	state      OutgoingState
	ciphertext string
	notAfter   time.Time
}

type modelAttempt struct {
	message ID
	state   AttemptState
	payload string
	next    time.Time
	tries   uint64
}

type outboxModel struct {
	s        *Store
	agent    AgentID
	now      time.Time
	messages map[ID]modelMessage
	attempts map[AttemptID]modelAttempt
	made     byte
}

// errUndo ends an Update that should leave nothing.
var errUndo = errors.New("undo")

// do runs one change, or, one time in four, runs it and takes it back. It says
// whether the model must follow.
func (m *outboxModel) do(t *rapid.T, fn func(*Tx) error) bool {
	undo := rapid.IntRange(0, 3).Draw(t, "undo") == 0
	err := m.s.Update(t.Context(), func(tx *Tx) error {
		if err := fn(tx); err != nil {
			return err
		}
		if undo {
			return errUndo
		}
		return nil
	})
	if undo && err == nil || !undo && errors.Is(err, errUndo) {
		t.Fatalf("undo %v: %v", undo, err)
	}
	if err != nil && !errors.Is(err, errUndo) && !errors.Is(err, ErrTransition) {
		t.Fatal(err)
	}
	return err == nil
}

func pick[K comparable, V any](t *rapid.T, m map[K]V, less func(a, b K) int) K {
	if len(m) == 0 {
		t.Skip("nothing to pick from")
	}
	return rapid.SampledFrom(slices.SortedFunc(maps.Keys(m), less)).Draw(t, "which")
}

func (m *outboxModel) message(t *rapid.T) ID {
	return pick(t, m.messages, func(a, b ID) int { return slices.Compare(a[:], b[:]) })
}

func (m *outboxModel) attempt(t *rapid.T) AttemptID {
	return pick(t, m.attempts, func(a, b AttemptID) int { return int(a - b) })
}

func (m *outboxModel) later(t *rapid.T) time.Time {
	return m.now.Add(time.Duration(rapid.IntRange(0, 50).Draw(t, "seconds")) * time.Second)
}

func (m *outboxModel) Enqueue(t *rapid.T) {
	m.made++
	o := Outgoing{ID: testID(m.made), Contact: testID(1), Ciphertext: []byte(fmt.Sprint("c", m.made)), NotAfter: m.later(t)}
	if m.do(t, func(tx *Tx) error { return tx.Enqueue(o) }) {
		m.messages[o.ID] = modelMessage{OutgoingQueued, string(o.Ciphertext), o.NotAfter}
	}
}

func (m *outboxModel) SetState(t *rapid.T) {
	id := m.message(t)
	to := OutgoingState(rapid.IntRange(0, int(OutgoingFailed)).Draw(t, "to"))
	if m.do(t, func(tx *Tx) error { return tx.SetOutgoingState(id, to) }) {
		e := m.messages[id]
		e.state = to
		m.messages[id] = e
	}
}

func (m *outboxModel) Reencrypt(t *rapid.T) {
	id, end := m.message(t), m.later(t)
	m.made++
	text := fmt.Sprint("again", m.made)
	if m.do(t, func(tx *Tx) error { return tx.Reencrypt(id, []byte(text), end) }) {
		if m.messages[id].state != OutgoingResend {
			t.Fatal("encrypted again without need")
		}
		m.messages[id] = modelMessage{OutgoingQueued, text, end}
		m.dropAttempts(id)
	}
}

func (m *outboxModel) dropAttempts(id ID) {
	maps.DeleteFunc(m.attempts, func(_ AttemptID, a modelAttempt) bool { return a.message == id })
}

func (m *outboxModel) Expire(t *rapid.T) {
	if m.do(t, func(tx *Tx) error { _, err := tx.ExpireOutbox(m.now); return err }) {
		for id, e := range m.messages {
			if !e.state.Final() && !e.notAfter.After(m.now) {
				e.state = OutgoingExpired
				m.messages[id] = e
			}
		}
	}
}

func (m *outboxModel) Delete(t *rapid.T) {
	id := m.message(t)
	if m.do(t, func(tx *Tx) error { return tx.DeleteOutgoing(id) }) {
		delete(m.messages, id)
		m.dropAttempts(id)
	}
}

func (m *outboxModel) Attempt(t *rapid.T) {
	m.made++
	a := Attempt{Message: m.message(t), Agent: m.agent, Handle: bytes32(m.made), Payload: []byte{m.made},
		Sealed: []byte("seal"), Secret: []byte("key"), NextTry: m.later(t)}
	var id AttemptID
	if m.do(t, func(tx *Tx) (err error) { id, err = tx.AddAttempt(a); return err }) {
		m.attempts[id] = modelAttempt{message: a.Message, payload: string(a.Payload), next: a.NextTry}
	}
}

func (m *outboxModel) StepAttempt(t *rapid.T) {
	id, next := m.attempt(t), m.later(t)
	a := m.attempts[id]
	var fn func(*Tx) error
	switch rapid.IntRange(0, 2).Draw(t, "step") {
	case 0:
		fn = func(tx *Tx) error { return tx.RetryAttempt(id, next) }
		a.next, a.tries = next, a.tries+1
	case 1:
		fn = func(tx *Tx) error { return tx.SubmittedAttempt(id, []byte("receipt"), next) }
		a.next, a.tries, a.state = next, 0, AttemptSubmitted
	case 2:
		fn = func(tx *Tx) error { return tx.FinishAttempt(id, []byte("outcome")) }
		a.state, a.payload = AttemptDone, ""
	}
	if m.do(t, fn) {
		if was := m.attempts[id].state; was == AttemptDone || was == a.state && was == AttemptSubmitted && a.tries == 0 {
			t.Fatalf("attempt stepped from %v to %v", was, a.state)
		}
		m.attempts[id] = a
	}
}

func (m *outboxModel) Pass(t *rapid.T) { m.now = m.later(t) }

// Check compares the store with the model, as another transaction sees it.
func (m *outboxModel) Check(t *rapid.T) {
	err := m.s.View(t.Context(), func(tx *Tx) error {
		all, err := tx.Outbox(testID(1), 1000)
		if err != nil || len(all) != len(m.messages) {
			return fmt.Errorf("%d messages, want %d: %w", len(all), len(m.messages), err)
		}
		attempts := 0
		for _, o := range all {
			if got := (modelMessage{o.State, string(o.Ciphertext), o.NotAfter}); got != m.messages[o.ID] {
				return fmt.Errorf("message %v, want %v", got, m.messages[o.ID])
			}
			as, err := tx.Attempts(o.ID)
			if err != nil {
				return err
			}
			attempts += len(as)
			for _, a := range as {
				got := modelAttempt{a.Message, a.State, string(a.Payload), a.NextTry, a.Tries}
				if got != m.attempts[a.ID] || a.State == AttemptDone && len(a.Sealed)+len(a.Secret) > 0 {
					return fmt.Errorf("attempt %+v, want %+v", a, m.attempts[a.ID])
				}
			}
		}
		if attempts != len(m.attempts) {
			return fmt.Errorf("%d attempts, want %d", attempts, len(m.attempts))
		}
		return m.checkDue(tx)
	})
	if err != nil {
		t.Fatal(err)
	}
}

func (m *outboxModel) checkDue(tx *Tx) error {
	due, first := 0, time.Time{}
	for _, a := range m.attempts {
		if a.state == AttemptDone {
			continue
		}
		if !a.next.After(m.now) {
			due++
		}
		if first.IsZero() || a.next.Before(first) {
			first = a.next
		}
	}
	got, err := tx.DueAttempts(m.now, 1000)
	if err != nil || len(got) != due {
		return fmt.Errorf("%d due, want %d: %w", len(got), due, err)
	}
	if !slices.IsSortedFunc(got, func(a, b Attempt) int { return a.NextTry.Compare(b.NextTry) }) {
		return errors.New("due attempts out of order")
	}
	at, err := tx.NextDue()
	if first.IsZero() && !errors.Is(err, ErrNotFound) || !first.IsZero() && (err != nil || !at.Equal(first)) {
		return fmt.Errorf("next due %v, want %v: %w", at, first, err)
	}
	return nil
}

func TestOutboxModel(t *testing.T) {
	s := newStore(t)
	agent := AgentID(0)
	update(t, s, func(tx *Tx) (err error) {
		if agent, err = tx.AddAgent(Agent{URI: "a"}); err == nil {
			err = addContact(tx, 1, "Blair")
		}
		return err
	})
	rapid.Check(t, func(t *rapid.T) {
		if err := s.Update(t.Context(), func(tx *Tx) error { _, err := tx.exec(`DELETE FROM outbox`); return err }); err != nil {
			t.Fatal(err)
		}
		m := &outboxModel{s: s, agent: agent, now: noon, messages: map[ID]modelMessage{}, attempts: map[AttemptID]modelAttempt{}}
		t.Repeat(map[string]func(*rapid.T){
			"enqueue": m.Enqueue, "set state": m.SetState, "reencrypt": m.Reencrypt, "expire": m.Expire,
			"delete": m.Delete, "attempt": m.Attempt, "step": m.StepAttempt, "step again": m.StepAttempt,
			"pass": m.Pass, "": m.Check,
		})
	})
}
