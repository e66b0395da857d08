package directory

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	client "communicator/client/directory"
	"communicator/directory/proof"
	"communicator/directory/vend"
	"communicator/eventlog"
	"communicator/eventlog/logtest"
	"communicator/internal/budget"
	"communicator/wire"
	"communicator/wire/mux"
	"communicator/wire/pb"
)

// raw speaks the protocol without the client's help.
func (w *world) raw() *mux.Client {
	w.t.Helper()
	p := pipes{w.Directory, "raw", new(sync.WaitGroup)}
	stream, _, _ := p.Open(context.Background())
	c := mux.NewClient(stream, mux.Limits{})
	w.t.Cleanup(func() { c.Close(); p.serving.Wait() })
	return c
}

// answer makes one raw request and returns the answer's bytes.
func answer(t testing.TB, c *mux.Client, req *pb.DirectoryRequest) (*pb.DirectoryResponse, []byte) {
	t.Helper()
	resp := &pb.DirectoryResponse{}
	if err := c.Call(context.Background(), req, resp); err != nil {
		t.Fatal(err)
	}
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(resp)
	if err != nil {
		t.Fatal(err)
	}
	return resp, b
}

// Every refusal is the same bytes, and waits for a commit, whatever the reason.
func TestRefusalsAreTheSameBytes(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Limits.Contacts = budget.Rate{Burst: 1000} })
	people := map[string]*person{}
	for _, name := range []string{"closed", "invited", "members", "approved", "open", "empty", "silent"} {
		people[name] = w.registered(name)
	}
	for name, rule := range map[string]vend.Rule{
		"closed": vend.Closed, "invited": vend.Invited, "members": vend.Members, "approved": vend.Approved, "open": vend.Open,
		"empty": vend.Open,
	} {
		perHour := uint32(1)
		if rule == vend.Closed {
			perHour = 0
		}
		people[name].rule(rule, perHour)
		if name != "empty" {
			people[name].upload(people[name].pack(name, true, 48*time.Hour), people[name].pack(name+"'s last", false, 48*time.Hour))
		}
	}
	if w.contact(w.dial("asker"), people["open"].request()) == nil {
		t.Fatal("the open name is closed") // and so its hour's number is used up
	}
	c := w.raw()
	var first []byte
	for _, name := range []string{"nobody", "closed", "invited", "members", "approved", "open", "empty", "silent"} {
		for _, token := range [][]byte{nil, make([]byte, 32)} {
			id := make([]byte, 32)
			if _, err := rand.Read(id); err != nil {
				t.Fatal(err)
			}
			req := &pb.Contact{Namespace: w.ns[:], Name: name, Id: id, Token: token, Note: []byte("note")}
			resp, b := answer(t, c, &pb.DirectoryRequest{Op: &pb.DirectoryRequest_Contact{Contact: req}})
			if wire.Status(resp.Status) != wire.StatusPermission || resp.RetryAfterSeconds == 0 {
				t.Fatalf("%s: %v", name, wire.Status(resp.Status))
			}
			if first == nil {
				first = b
			}
			if !bytes.Equal(b, first) {
				t.Errorf("%s: %x, not %x", name, b, first)
			}
		}
	}
}

func TestContactRules(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	p := w.registered("alice")
	var packages [][]byte
	for i := range 40 {
		packages = append(packages, p.pack(fmt.Sprint("package ", i), true, 48*time.Hour))
	}
	p.upload(packages...)
	if s, err := p.Stock(ctx); err != nil || s.OneTime != 40 || s.Room != int(vend.DefaultLimits().Stock)-40 {
		t.Fatalf("stock %+v, %v", s, err)
	}
	c := w.dial("asker")
	asks := func(what string, want bool, change func(*client.ContactRequest)) []byte {
		t.Helper()
		r := p.request()
		change(&r)
		pkg := w.contact(c, r)
		if (pkg != nil) != want {
			t.Errorf("%s: granted %v", what, pkg != nil)
		}
		return pkg
	}
	invitation, err := client.NewToken(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	with := func(token vend.Token) func(*client.ContactRequest) {
		return func(r *client.ContactRequest) { r.Token = &token }
	}
	nothing := func(*client.ContactRequest) {}

	p.rule(vend.Invited, 100)
	asks("invited, before the token is made", false, with(invitation))
	if err := p.Invite(ctx, p.id(), w.clock.now().Add(time.Hour*24), invitation); err != nil {
		t.Fatal(err)
	}
	asks("invited, without", false, nothing)
	asks("invited", true, with(invitation))
	asks("invited, twice", false, with(invitation))
	second, _ := client.NewToken(rand.Reader)
	if err := p.Invite(ctx, p.id(), w.clock.now().Add(time.Hour*24), second); err != nil {
		t.Fatal(err)
	}
	if err := p.Uninvite(ctx, p.id(), second); err != nil {
		t.Fatal(err)
	}
	asks("invited, then not", false, with(second))

	p.rule(vend.Members, 100)
	member := w.token(vend.Member)
	asks("member", true, with(member))
	asks("member again", true, with(member))
	if err := w.authority().Withdraw(ctx, vend.Member, member); err != nil {
		t.Fatal(err)
	}
	asks("no longer a member", false, with(member))

	if err := w.authority().SetSpace(ctx, vend.Space{Policy: vend.Policy{Rule: vend.Open, PerHour: 100}, WorkBits: 10}); err != nil {
		t.Fatal(err)
	}
	p.rule(vend.Default, 0)
	space, err := c.Space(ctx, w.ns)
	if err != nil || space.WorkBits != 10 || space.Rule != vend.Open {
		t.Fatalf("space %+v, %v", space, err)
	}
	asks("open, without work", false, nothing)
	asks("open", true, func(r *client.ContactRequest) { r.WorkBits = space.WorkBits })
}

func TestApproval(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	p := w.registered("alice")
	p.rule(vend.Approved, 10)
	c := w.dial("asker")
	var asked []client.ContactRequest
	for i := range 3 {
		r := p.request()
		r.Note = fmt.Appendf(nil, "note %d", i)
		if w.contact(c, r) != nil {
			t.Fatal("granted before the owner approved")
		}
		asked = append(asked, r)
	}
	list, more, err := p.Requests(ctx, 0)
	if err != nil || more || len(list) != 3 || string(list[1].Note) != "note 1" || list[1].Request != asked[1].ID.Digest() {
		t.Fatalf("requests %v, %v", list, err)
	}
	if err := p.Decide(ctx, true, list[0].Request); err == nil {
		t.Error("approved without anything to give")
	}
	p.upload(p.pack("for a guest", true, 48*time.Hour))
	if err := p.Decide(ctx, true, list[0].Request); err != nil {
		t.Fatal(err)
	}
	if err := p.Decide(ctx, false, list[1].Request); err != nil {
		t.Fatal(err)
	}
	for i, want := range []bool{true, false, false} {
		if got := w.contact(c, asked[i]) != nil; got != want {
			t.Errorf("request %d: granted %v", i, got)
		}
	}
	if s, err := p.Stock(ctx); err != nil || s.Waiting != 1 {
		t.Errorf("stock %+v, %v", s, err)
	}
	// In time the one that nobody decided is forgotten, with its note.
	w.clock.move(vend.DefaultLimits().AskLife + 2*time.Hour)
	if err := w.Sweep(ctx); err != nil {
		t.Fatal(err)
	}
	if s, err := p.Stock(ctx); err != nil || s.Waiting != 0 || s.OneTime != 0 {
		t.Errorf("stock %+v, %v", s, err)
	}
	if _, err := w.log.Body(list[2].Position); err == nil {
		t.Error("the note of a request that is over is kept")
	}
}

func TestBudgetsRefuseAlike(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Limits.Contacts = budget.Rate{Burst: 2} })
	p := w.registered("alice")
	p.rule(vend.Open, 100)
	p.upload(p.pack("shared", false, 48*time.Hour))
	c := w.dial("greedy")
	for i, want := range []bool{true, true, false} {
		if got := w.contact(c, p.request()) != nil; got != want {
			t.Errorf("request %d: granted %v", i, got)
		}
	}
	if w.contact(w.dial("another"), p.request()) == nil {
		t.Error("one peer's budget is another's")
	}
}

// What the operator has must not tell who asked whom.
func TestNothingOfTheAskerIsKept(t *testing.T) {
	logged := new(lockedBuffer)
	w := newWorld(t, func(c *Config) {
		c.Logger = slog.New(slog.NewTextHandler(logged, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	p := w.registered("alice")
	p.rule(vend.Members, 100)
	p.upload(p.pack("package", true, 48*time.Hour))
	token := w.token(vend.Member)
	r := p.request()
	r.Token = &token
	if w.contact(w.dial("canary-of-the-asker"), r) == nil {
		t.Fatal("not granted")
	}
	p.rule(vend.Approved, 10)
	w.contact(w.dial("canary-of-the-asker"), p.request())
	if err := w.Directory.Close(); err != nil { // it has then written its log
		t.Fatal(err)
	}
	kept := logtest.Rows(t, w.log, wire.TableDirectory, wire.TableVend)
	for rec, err := range w.log.Records(0) {
		if err != nil {
			t.Fatal(err)
		}
		kept = fmt.Appendf(kept, "%x %x\n", rec.Stream, rec.Header)
	}
	w.close() // a request's line is written after its answer
	digest := vend.TokenDigest(vend.Member, vend.SpaceScope(w.ns), token)
	for what, canary := range map[string][]byte{
		"peer": []byte("canary-of-the-asker"), "request id": r.ID[:], "token": token[:],
	} {
		if bytes.Contains(kept, fmt.Appendf(nil, "%x", canary)) {
			t.Errorf("the log keeps the %s", what)
		}
		if strings.Contains(logged.String(), string(canary)) || strings.Contains(logged.String(), fmt.Sprintf("%x", canary)) {
			t.Errorf("the operator's log tells the %s", what)
		}
	}
	// The member token was issued, which the log says; that it was used, nothing says.
	if n := bytes.Count(kept, fmt.Appendf(nil, "%x", digest[:])); n != 3 {
		t.Errorf("a member token stands in %d places, not in its issue and two rows", n)
	}
	if strings.Contains(logged.String(), "alice") || logged.String() == "" {
		t.Errorf("the operator's log tells a name, or nothing at all: %s", logged)
	}
}

// lockedBuffer is a log that handlers write while the test reads.
type lockedBuffer struct {
	mu sync.Mutex // guards b
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func TestUploadRefuses(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	p := w.registered("alice")
	other := w.person("alice", "mallory")
	wantStatus(t, "another's key", other.Upload(ctx, p.pack("x", true, 48*time.Hour)), wire.StatusAuth)
	wantStatus(t, "another's package", p.Upload(ctx, other.pack("x", true, 48*time.Hour)), wire.StatusMalformed)
	wantStatus(t, "expired", p.Upload(ctx, p.pack("x", true, time.Hour)), wire.StatusExpired)
	wantStatus(t, "cut", p.Upload(ctx, p.pack("x", true, 48*time.Hour)[:2000]), wire.StatusMalformed)
	wantStatus(t, "longer", p.Upload(ctx, append(p.pack("x", true, 48*time.Hour), 0)), wire.StatusMalformed)
	wantStatus(t, "no name", client.Owner{Client: p.Client, NS: w.ns, Name: "nobody", Key: p.Key}.Upload(ctx,
		p.pack("x", true, 48*time.Hour)), wire.StatusAuth)
	wantStatus(t, "another namespace", client.Owner{Client: p.Client, NS: proof.NSID{1}, Name: "alice", Key: p.Key}.Upload(ctx,
		p.pack("x", true, 48*time.Hour)), wire.StatusNotFound)
	wantStatus(t, "a rule without a number", p.SetRule(ctx, vend.Policy{Rule: vend.Open}), wire.StatusMalformed)
	wantStatus(t, "no such rule", p.SetRule(ctx, vend.Policy{Rule: 9, PerHour: 1}), wire.StatusMalformed)
	if s, err := p.Stock(ctx); err != nil || s.OneTime != 0 {
		t.Errorf("stock %+v, %v", s, err)
	}
}

// A disk that runs full does not tell which names have their owners approve.
func TestFullDiskRefusesAlike(t *testing.T) {
	var free atomic.Uint64
	free.Store(1 << 40)
	w := newWorldOn(t, func(o eventlog.Options) (eventlog.Log, error) {
		o.MinFree, o.DiskEvery = 1<<30, time.Millisecond
		o.Statfs = func(string) (uint64, uint64, error) { return free.Load(), 1 << 41, nil }
		return eventlog.Open(t.TempDir(), o)
	})
	p := w.registered("alice")
	p.rule(vend.Approved, 10)
	free.Store(0)
	for w.log.State().Health != eventlog.DiskLow {
		runtime.Gosched()
	}
	if w.contact(w.dial("asker"), p.request()) != nil {
		t.Error("granted")
	}
	wantStatus(t, "an upload", p.Upload(t.Context(), p.pack("x", true, 48*time.Hour)), wire.StatusStorageFull)
}

func TestClockNotTrusted(t *testing.T) {
	trusted := true
	w := newWorld(t, func(c *Config) { c.ClockTrusted = func() bool { return trusted } })
	p := w.registered("alice")
	p.rule(vend.Open, 10)
	p.upload(p.pack("shared", false, 48*time.Hour))
	trusted = false
	c := w.dial("asker")
	_, err := c.Contact(t.Context(), p.request(), w.clock.now())
	var refused *client.NotGrantedError
	if errors.As(err, &refused) {
		t.Error("told that it is not granted, while nothing is decided")
	}
	wantStatus(t, "contact", err, wire.StatusTryAgain)
	wantStatus(t, "upload", p.Upload(t.Context(), p.pack("y", true, 48*time.Hour)), wire.StatusTryAgain)
}
