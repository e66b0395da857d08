package demo

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"communicator/client"
)

func TestSaw(t *testing.T) {
	p := &person{name: "Alex", received: map[string]int{}, contacts: map[string]bool{}, changed: make(chan struct{})}
	for _, e := range []client.Event{
		client.MessageReceived{Message: client.Message{Text: "twice"}},
		client.MessageReceived{Message: client.Message{Text: "twice"}},
		client.ContactAdded{Contact: client.Contact{Name: "Carol"}},
		client.RequestChanged{Request: client.Request{ID: "i1", Waiting: true}},
		client.RequestChanged{Request: client.Request{ID: "i2"}},
		client.AddressesRotated{Ours: true},
		client.AddressesRotated{},
		client.Alarm{Kind: client.AlarmFork},
	} {
		p.saw(e)
	}
	if p.times("twice") != 2 || p.times("never") != 0 || !p.contacts["Carol"] || p.asked.ID != "i1" {
		t.Errorf("%d times, contacts %v, asked %q", p.times("twice"), p.contacts, p.asked.ID)
	}
	if alarms, rotated := p.counted(); alarms != 1 || rotated != 1 {
		t.Errorf("%d alarms, rotated %d times", alarms, rotated)
	}
}

func TestUntil(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &person{name: "Alex", received: map[string]int{}, changed: make(chan struct{}), done: make(chan error, 1)}
		came := make(chan error)
		go func() { came <- p.until(t.Context(), "a text", func() bool { return p.received["hello"] > 0 }) }()
		synctest.Wait()
		p.saw(client.MessageReceived{Message: client.Message{Text: "hello"}})
		if err := <-came; err != nil {
			t.Error(err)
		}
		broken := errors.New("the profile is gone")
		p.done <- broken
		if err := p.until(t.Context(), "a text", func() bool { return false }); !errors.Is(err, broken) {
			t.Errorf("following has ended: %v", err)
		}
	})
}

func TestRetry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start, tries := time.Now(), 0
		if err := retry(t.Context(), func() (bool, error) { tries++; return tries == 3, nil }); err != nil || tries != 3 {
			t.Errorf("%d tries, %v", tries, err)
		}
		if d := time.Since(start); d != 2*tryAgain {
			t.Errorf("three tries took %v", d)
		}
		if err := retry(t.Context(), func() (bool, error) { return false, nil }); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("never done: %v", err)
		}
		wrong := errors.New("wrong")
		if err := retry(t.Context(), func() (bool, error) { return false, wrong }); !errors.Is(err, wrong) {
			t.Errorf("an error: %v", err)
		}
	})
}
