package client_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"communicator/client"
	"communicator/client/route"
	"communicator/client/store"
	"communicator/eventlog"
	"communicator/node"
	"communicator/node/config"
	"communicator/relay/receipt"
)

// clock is a clock that tests move, shared by nodes and clients.
type clock struct {
	mu sync.Mutex // guards at
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// agent is a real node, with its log in memory, on the loopback interface.
type agent struct {
	*node.Node
	stop func()
}

func startNode(t testing.TB, c *clock) *agent {
	t.Helper()
	settings := config.Default()
	settings.Listen, settings.AllowPrivate = []string{"/ip4/127.0.0.1/tcp/0"}, true
	settings.Admin.Listen = ""
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	cfg := node.Config{Settings: settings, Key: key, Memory: &eventlog.Memory{}}
	if c != nil {
		start := c.now()
		// The clock that never jumps moves with the other one.
		cfg.Now, cfg.Mono = c.now, func() time.Duration { return c.now().Sub(start) }
	}
	return serve(t, cfg)
}

func serve(t testing.TB, cfg node.Config) *agent {
	t.Helper()
	n, err := node.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := n.Run(ctx); err != nil && ctx.Err() == nil {
			t.Error(err)
		}
	}()
	a := &agent{Node: n, stop: sync.OnceFunc(func() {
		cancel()
		<-done
		n.Close()
	})}
	t.Cleanup(a.stop)
	return a
}

func (a *agent) uri(t testing.TB) string {
	t.Helper()
	uri, err := a.NewToken(t.Context(), 10)
	if err != nil {
		t.Fatal(err)
	}
	return uri
}

func options(c *clock) client.Options {
	o := client.Options{
		KDF: store.KDF{Time: 1, Memory: 8, Threads: 1}, AckDelay: -1,
		Route: route.Policy{
			SubmitPatience: 500 * time.Millisecond, OutcomePatience: 500 * time.Millisecond,
			RetryMin: 20 * time.Millisecond, RetryMax: 200 * time.Millisecond,
		},
	}
	if c != nil {
		o.Now = c.now
	}
	return o
}

func newPerson(t testing.TB, c *clock, agents ...*agent) *client.Client {
	t.Helper()
	p, err := client.Create(t.Context(), filepath.Join(t.TempDir(), "profile"), []byte("pass"), options(c))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	for _, a := range agents {
		if _, err := p.AddAgent(t.Context(), a.uri(t)); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

func receive(t testing.TB, p *client.Client) (texts []string) {
	t.Helper()
	events, err := p.Receive(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range events {
		if m, ok := e.(client.MessageReceived); ok {
			texts = append(texts, m.Message.Text)
		}
	}
	return texts
}

// introduce makes alex and blair contacts of each other.
func introduce(t testing.TB, alex, blair *client.Client) {
	t.Helper()
	invitation, err := alex.Invite(t.Context(), "Blair")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := blair.Accept(t.Context(), invitation.Link, "Alex"); err != nil {
		t.Fatal(err)
	}
	until(t, "established", func() bool {
		receive(t, alex)
		receive(t, blair)
		c, err := blair.Contact(t.Context(), "Alex")
		if err != nil {
			t.Fatal(err)
		}
		return c.State == client.ContactEstablished
	})
}

// until repeats passes of clients until something holds. Agents deliver meanwhile, and try
// again after a second what did not work: passes on a fast machine are no measure of that.
func until(t testing.TB, what string, pass func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !pass(); {
		if time.Now().After(deadline) {
			t.Fatalf("not %s", what)
		}
	}
}

// TestConversationOverRealNodes is the whole path: first contact, fifty messages each
// way with a day passing after every tenth so that addresses rotate, one receiving agent
// dead for good in the middle, the receiver away while messages are sent.
func TestConversationOverRealNodes(t *testing.T) {
	t.Parallel()
	// Real time moves timers; the calendar is the test's.
	c := &clock{at: time.Now()}
	alexSends, alexReceives := startNode(t, c), startNode(t, c)
	blairs := []*agent{startNode(t, c), startNode(t, c), startNode(t, c)}
	alex := newPerson(t, c, alexSends, alexReceives)
	blair := newPerson(t, c, blairs...)
	introduce(t, alex, blair)

	var toBlair, toAlex, atBlair, atAlex []string
	for i := range 50 {
		text := fmt.Sprint("to Blair ", i)
		send(t, alex, "Blair", text)
		toBlair = append(toBlair, text)
		if i%5 == 4 { // Blair is away for the four before
			atBlair = append(atBlair, receive(t, blair)...)
		}
		text = fmt.Sprint("to Alex ", i)
		send(t, blair, "Alex", text)
		toAlex = append(toAlex, text)
		atAlex = append(atAlex, receive(t, alex)...)
		if i == 24 {
			blairs[0].stop()
		}
		if i%10 == 9 {
			c.pass(25 * time.Hour)
		}
	}
	for deadline := time.Now().Add(30 * time.Second); len(atBlair) < len(toBlair) || len(atAlex) < len(toAlex); {
		if time.Now().After(deadline) {
			break
		}
		c.pass(time.Second)
		atAlex = append(atAlex, receive(t, alex)...)
		atBlair = append(atBlair, receive(t, blair)...)
	}
	checkTexts(t, "Blair", toBlair, atBlair)
	checkTexts(t, "Alex", toAlex, atAlex)
	status, err := alex.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if of := status.Contacts[0]; of.Mailboxes <= 2*of.Receiving {
		t.Errorf("five days and %d mailboxes at %d agents: addresses do not rotate", of.Mailboxes, of.Receiving)
	}
	// What automatic answers are still under way ends as well.
	for deadline := time.Now().Add(20 * time.Second); status.Queued+status.Submitted != 0 && time.Now().Before(deadline); {
		c.pass(time.Second)
		receive(t, alex)
		receive(t, blair)
		if status, err = alex.Status(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if status.Queued+status.Submitted+status.Quarantined != 0 {
		t.Errorf("status: %+v", status)
	}
}

func send(t testing.TB, from *client.Client, to, text string) client.Sent {
	t.Helper()
	s, err := from.Send(t.Context(), to, text, client.SendOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func checkTexts(t testing.TB, who string, want, got []string) {
	t.Helper()
	got, want = slices.Clone(got), slices.Clone(want)
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%s was sent %d messages and got %d: %q", who, len(want), len(got), got)
	}
}

// TestFollowOverRealNodes: what is sent arrives at somebody who follows, pushed.
func TestFollowOverRealNodes(t *testing.T) {
	t.Parallel()
	nodes := []*agent{startNode(t, nil), startNode(t, nil)}
	alex, blair := newPerson(t, nil, nodes...), newPerson(t, nil, nodes...)
	events := make(chan client.Event, 1000)
	ctx, stop := context.WithCancel(t.Context())
	var following sync.WaitGroup
	for _, p := range []*client.Client{alex, blair} {
		following.Go(func() {
			if err := p.Follow(ctx, func(e client.Event) { events <- e }); err != nil {
				t.Error(err)
			}
		})
	}
	defer following.Wait()
	defer stop()
	invitation, err := alex.Invite(ctx, "Blair")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := blair.Accept(ctx, invitation.Link, "Alex"); err != nil {
		t.Fatal(err)
	}
	waitFor(t, events, 2, func(e client.Event) bool { _, ok := e.(client.ContactAdded); return ok })
	for i := range 10 {
		s, err := alex.Send(ctx, "Blair", fmt.Sprint(i), client.SendOptions{Wait: client.UntilStored})
		if err != nil {
			t.Fatal(err)
		}
		if st, err := receipt.Verify(s.Receipt, nil); err != nil || st.Kind != receipt.Stored {
			t.Errorf("receipt: %+v %v", st, err)
		}
		waitFor(t, events, 1, func(e client.Event) bool {
			m, ok := e.(client.MessageReceived)
			return ok && m.Message.Text == fmt.Sprint(i)
		})
	}
}

// waitFor takes events until n of them are the wanted ones.
func waitFor(t testing.TB, events <-chan client.Event, n int, wanted func(client.Event) bool) {
	t.Helper()
	timeout := time.After(20 * time.Second)
	for n > 0 {
		select {
		case e := <-events:
			if wanted(e) {
				n--
			}
		case <-timeout:
			t.Fatal("the event did not come")
		}
	}
}

// TestOneSharedAgentIsNotEnough: an agent does not deliver to itself, where it would see
// both ends; the client says what is missing, and goes on once it is there.
func TestOneSharedAgentIsNotEnough(t *testing.T) {
	t.Parallel()
	shared := startNode(t, nil)
	alex, blair := newPerson(t, nil, shared), newPerson(t, nil, shared)
	invitation, err := alex.Invite(t.Context(), "Blair")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := blair.Accept(t.Context(), invitation.Link, "Alex"); !errors.Is(err, client.ErrNoRoute) {
		t.Fatalf("accepted through one shared agent: %v", err)
	}
	if _, err := blair.AddAgent(t.Context(), startNode(t, nil).uri(t)); err != nil {
		t.Fatal(err)
	}
	if s := send(t, blair, "Alex", "now it works"); s.State == client.Pending {
		t.Errorf("state %v", s.State)
	}
	var got []string
	for deadline := time.Now().Add(20 * time.Second); len(got) == 0 && time.Now().Before(deadline); {
		receive(t, blair)
		got = receive(t, alex)
	}
	if !slices.Equal(got, []string{"now it works"}) {
		t.Errorf("got %q", got)
	}
}
