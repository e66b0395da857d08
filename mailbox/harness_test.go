package mailbox

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
	mathrand "math/rand/v2"
	"net"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"google.golang.org/protobuf/proto"

	"communicator/eventlog"
	"communicator/mailbox/address"
	"communicator/mailbox/keyring"
	"communicator/wire"
	"communicator/wire/mux"
	"communicator/wire/pb"
)

// agent is a service over a log in memory. Its tests run in a synctest bubble, so
// time.Now is virtual and a sleep of a fortnight takes no time.
type agent struct {
	*Service
	t      testing.TB
	log    eventlog.Log // as the service has it
	access *fakeAccess
	root   ed25519.PrivateKey
}

type fakeAccess struct {
	refuse *wire.StatusError
	work   uint32
}

func (f *fakeAccess) Admit(_ context.Context, _ peer.ID, h *pb.Hello) (wire.AccountID, error) {
	if f.refuse != nil {
		return wire.AccountID{}, f.refuse
	}
	return wire.Credential(h.Credential).Account(), nil
}

func (f *fakeAccess) WorkBits() uint32 { return f.work }

// newAgent starts one. Configure may change what it is made of. When the test ends,
// its log is checked, and rebuilt to the same rows.
func newAgent(t testing.TB, configure ...func(*Config)) *agent {
	t.Helper()
	a := buildAgent(t, configure...)
	a.startWorkers()
	if err := a.seen.load(t.Context(), a.log); err != nil {
		t.Fatal(err)
	}
	return a
}

// buildAgent makes one whose workers do not run yet.
func buildAgent(t testing.TB, configure ...func(*Config)) *agent {
	t.Helper()
	return buildAgentOn(t, eventlog.OpenMemory, configure...)
}

func buildAgentOn(t testing.TB, open func(eventlog.Options) (eventlog.Log, error), configure ...func(*Config)) *agent {
	t.Helper()
	_, root, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	log, err := open(eventlog.Options{
		Signer: root, Projections: Projections(), Growing: Growing, Knows: Knows,
		DiskEvery: -1, HeadEvery: -1, ScrubEvery: -1, MinFree: -1, MinFreePercent: -1, Ballast: -1,
	})
	if err != nil {
		t.Fatal(err)
	}
	ring, err := keyring.Memory(mathrand.NewChaCha8([32]byte{1}), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	a := &agent{t: t, access: &fakeAccess{}, root: root}
	c := Config{
		Agent: wire.AgentIDOf(root.Public().(ed25519.PublicKey)), Log: log, Keyring: ring, Access: a.access,
		Receipt:         func(p *eventlog.Proof) []byte { return p.Marshal() },
		DescriptorChain: func() [32]byte { return [32]byte{0xdc} },
		Limits:          DefaultLimits(),
	}
	for _, f := range configure {
		f(&c)
	}
	a.Service, a.log = newService(c), c.Log
	t.Cleanup(func() {
		a.close()
		checkLog(t, log)
		if err := log.Close(); err != nil {
			t.Error(err)
		}
	})
	return a
}

func (a *agent) close() {
	if err := a.Service.Close(); err != nil {
		a.t.Error(err)
	}
}

// checkLog is the oracle: the invariants hold, and replaying gives the same rows.
func checkLog(t testing.TB, log eventlog.Log) {
	t.Helper()
	if err := CheckDelivery(log); err != nil {
		t.Errorf("invariants: %v", err)
	}
	before := rows(t, log)
	if err := log.Rebuild(context.Background()); err != nil {
		t.Errorf("rebuild: %v", err)
	}
	if after := rows(t, log); !bytes.Equal(before, after) {
		t.Errorf("rows differ after a rebuild: %d and %d bytes", len(before), len(after))
	}
}

// rows is everything in our tables.
func rows(t testing.TB, log eventlog.Log) []byte {
	t.Helper()
	var b bytes.Buffer
	err := log.View(func(tables eventlog.Tables) error {
		for _, id := range []byte{wire.TableMailbox, wire.TableBlob} {
			err := tables.Table(id).Scan(nil, nil, func(key, value []byte) bool {
				fmt.Fprintf(&b, "%d %s = %s\n", id, key, value)
				return true
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// events counts what the log holds.
func (a *agent) events() (n int) {
	for _, err := range a.log.Records(1) {
		if err != nil {
			a.t.Fatal(err)
		}
		n++
	}
	return n
}

// dial connects over a pipe, as remote.
func (a *agent) dial(serve serveFunc, remote peer.ID) *mux.Client {
	near, far := net.Pipe()
	go serve(context.Background(), far, remote)
	c := mux.NewClient(near, mux.Limits{})
	a.t.Cleanup(func() { c.Close() })
	return c
}

// owner is a mailbox's owner on a stream of its own.
type owner struct {
	a      *agent
	c      *mux.Client
	key    ed25519.PrivateKey
	remote peer.ID
	nonce  [32]byte
}

func (a *agent) owner(account byte) *owner {
	a.t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	return a.ownerWith(key, account)
}

func (a *agent) ownerWith(key ed25519.PrivateKey, account byte) *owner {
	a.t.Helper()
	remote := peer.ID(fmt.Sprintf("owner-of-account-%d", account))
	o := &owner{a: a, c: a.dial(a.ServeMailbox, remote), key: key, remote: remote}
	resp := o.hello(account)
	if wire.Status(resp.Status) != wire.StatusOK {
		a.t.Fatalf("hello: %v", wire.Status(resp.Status))
	}
	return o
}

func credential(account byte) []byte { return bytes.Repeat([]byte{account}, 32) }

func (o *owner) hello(account byte) *pb.MailboxResponse {
	o.a.t.Helper()
	h := &pb.Hello{}
	if account != 0 {
		h.Credential = credential(account)
	}
	resp := o.call(&pb.MailboxRequest{Op: &pb.MailboxRequest_Hello{Hello: h}})
	o.nonce = [32]byte(resp.Hello.Nonce)
	return resp
}

func (o *owner) call(req *pb.MailboxRequest) *pb.MailboxResponse {
	o.a.t.Helper()
	resp := &pb.MailboxResponse{}
	if err := o.c.Call(context.Background(), req, resp); err != nil {
		o.a.t.Fatalf("call: %v", err)
	}
	return resp
}

func (o *owner) id() wire.MailboxID { return wire.MailboxIDOf(o.key.Public().(ed25519.PublicKey)) }

func (o *owner) signed(op pb.SignedOp_Op, m proto.Message) *pb.MailboxRequest {
	body, err := proto.Marshal(m)
	if err != nil {
		o.a.t.Fatal(err)
	}
	what := address.OperationBytes(o.a.cfg.Agent, []byte(o.remote), o.nonce, uint8(op), body)
	return &pb.MailboxRequest{Op: &pb.MailboxRequest_Signed{Signed: &pb.SignedOp{
		Op: op, Body: body, Owner: o.key.Public().(ed25519.PublicKey), Signature: ed25519.Sign(o.key, what),
	}}}
}

func (o *owner) do(op pb.SignedOp_Op, m proto.Message) (*pb.MailboxResponse, wire.Status) {
	o.a.t.Helper()
	resp := o.call(o.signed(op, m))
	return resp, wire.Status(resp.Status)
}

// must does what has to succeed.
func (o *owner) must(op pb.SignedOp_Op, m proto.Message) *pb.MailboxResponse {
	o.a.t.Helper()
	resp, status := o.do(op, m)
	if status != wire.StatusOK {
		o.a.t.Fatalf("%v: %v", op, status)
	}
	return resp
}

// create opens the mailbox and returns its address.
func (o *owner) create(caps wire.Caps) wire.Address {
	o.a.t.Helper()
	c := o.must(pb.SignedOp_CREATE, &pb.Create{Caps: uint32(caps)}).Created
	return wire.Address{
		Agent: o.a.cfg.Agent, Pin: wire.EpochPin(c.Pin), Mailbox: o.id(), Key: [32]byte(c.Key),
		Epoch: wire.Epoch(c.Epoch), Expires: time.Unix(int64(c.Expires), 0).UTC(), Caps: wire.Caps(c.Caps),
	}
}

// items makes a request that answers with several.
func (o *owner) items(op pb.SignedOp_Op, m proto.Message) *mux.Items {
	o.a.t.Helper()
	items, err := o.c.Stream(context.Background(), o.signed(op, m))
	if err != nil {
		o.a.t.Fatal(err)
	}
	return items
}

// page collects one page.
func (o *owner) page(req *pb.Collect) (page []*pb.Delivery, last *pb.MailboxResponse) {
	o.a.t.Helper()
	items := o.items(pb.SignedOp_COLLECT, req)
	defer items.Close()
	for {
		resp := &pb.MailboxResponse{}
		more, err := items.Next(context.Background(), resp)
		if err != nil {
			o.a.t.Fatal(err)
		}
		if !more {
			return page, resp
		}
		page = append(page, resp.Delivery)
	}
}

// collect returns the payloads of everything stored.
func (o *owner) collect() (payloads []string) {
	o.a.t.Helper()
	after := uint64(0)
	for {
		page, last := o.page(&pb.Collect{After: after})
		if wire.Status(last.Status) != wire.StatusOK {
			o.a.t.Fatalf("collect: %v", wire.Status(last.Status))
		}
		for _, d := range page {
			payloads, after = append(payloads, string(d.Payload)), d.Position
		}
		if !last.More {
			return payloads
		}
	}
}

// attempt is a put and what opens its outcome.
type attempt struct {
	req      *pb.DeliverRequest
	secret   address.OutcomeSecret
	hash     wire.PayloadHash
	notAfter time.Time
}

// attempt seals a payload to an address, for a life of a day.
func (a *agent) attempt(to wire.Address, payload string) attempt {
	a.t.Helper()
	return a.attemptUntil(to, payload, address.NotAfter(time.Now(), 24*time.Hour))
}

func (a *agent) attemptUntil(to wire.Address, payload string, notAfter time.Time) attempt {
	a.t.Helper()
	pub, err := address.ParseSealPublic(a.cfg.Keyring.SealingKeys(time.Now())[0].Public)
	if err != nil {
		a.t.Fatal(err)
	}
	p := attempt{hash: wire.HashPayload([]byte(payload)), notAfter: notAfter}
	var sealed []byte
	sealed, p.secret, err = address.Seal(pub, address.Put{Address: to, Counter: 1, NotAfter: notAfter, Payload: p.hash})
	if err != nil {
		a.t.Fatal(err)
	}
	id := pub.KeyID()
	p.req = &pb.DeliverRequest{KeyId: id[:], Sealed: sealed, Payload: []byte(payload), NotAfter: uint64(notAfter.Unix())}
	return p
}

// deliver puts it and returns the answer in the clear.
func (a *agent) deliver(c *mux.Client, p attempt) *pb.DeliverResponse {
	a.t.Helper()
	resp := &pb.DeliverResponse{}
	if err := c.Call(context.Background(), p.req, resp); err != nil {
		a.t.Fatalf("deliver: %v", err)
	}
	return resp
}

// outcome puts it and opens what the sender learns.
func (a *agent) outcome(c *mux.Client, p attempt) address.Outcome {
	a.t.Helper()
	resp := a.deliver(c, p)
	if wire.Status(resp.Status) != wire.StatusOK {
		a.t.Fatalf("deliver: %v", wire.Status(resp.Status))
	}
	out, err := p.secret.Open(resp.Outcome, p.hash, p.notAfter)
	if err != nil {
		a.t.Fatalf("outcome: %v", err)
	}
	return out
}

// code is the outcome's code alone.
func (a *agent) code(c *mux.Client, p attempt) address.OutcomeCode {
	a.t.Helper()
	return a.outcome(c, p).Code
}

// debugLogger writes everything.
func debugLogger(w io.Writer) *slog.Logger {
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelDebug}))
}
