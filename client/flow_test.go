package client

import (
	"fmt"
	"slices"
	"testing"
)

func TestFirstContactAndTalk(t *testing.T) {
	n := newFakeNet(t)
	a, b := n.person(n.agent(), n.agent(), n.agent()), n.person(n.agent(), n.agent())
	meet(t, a, b)
	s := a.send("b", "hello")
	if s.State != Stored || len(s.Receipt) == 0 {
		t.Fatalf("sent: %+v", s)
	}
	if got := b.receive(); !slices.Equal(got, []string{"hello"}) {
		t.Fatalf("b got %q", got)
	}
	for i := range 20 {
		text := fmt.Sprint("message ", i)
		b.send("a", text)
		if got := a.receive(); !slices.Equal(got, []string{text}) {
			t.Fatalf("a got %q", got)
		}
	}
	if got := b.receive(); len(got) != 0 {
		t.Fatalf("b got its messages again: %q", got)
	}
	if c := a.contact("b"); c.Degraded {
		t.Error("three agents are degraded")
	}
	if c := b.contact("a"); !c.Degraded {
		t.Error("two agents are not degraded")
	}
}
