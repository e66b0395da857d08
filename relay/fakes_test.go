package relay

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multiaddr"
	"google.golang.org/protobuf/proto"

	"communicator/wire"
	"communicator/wire/agenturi"
	"communicator/wire/mux"
	"communicator/wire/pb"
)

// fakeAgent is a receiving agent: it takes every put and remembers it.
type fakeAgent struct {
	w    *world
	uri  agenturi.URI
	peer peer.ID // who answers; normally uri.Peer

	mu       sync.Mutex
	down     bool
	answer   func(*pb.DeliverRequest) *pb.DeliverResponse // nil: takes it
	lose     func() (request, reply bool)
	describe func(*pb.DescriptorRequest) *pb.DescriptorReply
	hang     chan struct{} // not nil: no answer until it is closed
	puts     map[string]int
}

func (w *world) agent(n int) *fakeAgent {
	w.t.Helper()
	key := keyOf(fmt.Sprint("receiving agent ", n))
	id, err := agenturi.PeerOf(key.Public().(ed25519.PublicKey))
	if err != nil {
		w.t.Fatal(err)
	}
	addr := multiaddr.StringCast(fmt.Sprintf("/ip4/8.8.8.%d/tcp/4001", n))
	uri, err := agenturi.Of(addr, id)
	if err != nil {
		w.t.Fatal(err)
	}
	a := &fakeAgent{w: w, uri: uri, peer: id, puts: map[string]int{}}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.agents[addr.String()] = a
	return a
}

var errDown = errors.New("no route")

func (w *world) open(ctx context.Context, to agenturi.URI, protocol string) (io.ReadWriteCloser, peer.ID, error) {
	w.mu.Lock()
	a := w.agents[to.Addr.String()]
	w.opened[to.Addr.String()]++
	w.mu.Unlock()
	if a == nil {
		<-ctx.Done() // a black hole
		return nil, "", context.Cause(ctx)
	}
	a.mu.Lock()
	down, id := a.down, a.peer
	a.mu.Unlock()
	if down {
		return nil, "", errDown
	}
	ours, theirs := net.Pipe()
	handler := mux.HandlerFunc(a.deliver)
	if protocol == wire.ProtocolDescriptor {
		handler = a.descriptor
	}
	w.serving.Go(func() { _ = mux.Serve(context.Background(), theirs, handler, mux.Limits{}) })
	return ours, id, nil
}

var errLost = errors.New("lost")

func (a *fakeAgent) deliver(ctx context.Context, body []byte, w mux.ReplyWriter) error {
	var req pb.DeliverRequest
	if err := proto.Unmarshal(body, &req); err != nil {
		return err
	}
	a.mu.Lock()
	hang, down := a.hang, a.down
	var noRequest, noReply bool
	if a.lose != nil {
		noRequest, noReply = a.lose()
	}
	a.mu.Unlock()
	if hang != nil {
		select {
		case <-hang:
		case <-ctx.Done():
			return nil
		}
	}
	if down || noRequest {
		return errLost
	}
	resp := &pb.DeliverResponse{Status: uint32(wire.StatusOK), Outcome: outcomeOf(req.Payload)}
	a.mu.Lock()
	if a.answer != nil {
		resp = a.answer(&req)
	}
	if resp.Status == uint32(wire.StatusOK) {
		a.puts[string(req.Sealed[:16])+string(req.Payload)]++
	}
	a.mu.Unlock()
	if noReply {
		return errLost
	}
	return w.Reply(resp)
}

func (a *fakeAgent) descriptor(_ context.Context, body []byte, w mux.ReplyWriter) error {
	var req pb.DescriptorRequest
	if err := proto.Unmarshal(body, &req); err != nil {
		return err
	}
	a.mu.Lock()
	describe := a.describe
	a.mu.Unlock()
	return w.Reply(describe(&req))
}

func (a *fakeAgent) set(change func(*fakeAgent)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	change(a)
}

// taken returns how many different puts arrived, and how often altogether.
func (a *fakeAgent) taken() (different, total int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, n := range a.puts {
		total += n
	}
	return len(a.puts), total
}

// outcomeOf stands for a sealed outcome: the fake's own, for one payload.
func outcomeOf(payload []byte) []byte {
	sum := sha256.Sum256(payload)
	return bytes.Repeat(sum[:], wire.OutcomeSize/32+1)[:wire.OutcomeSize]
}

// client is one stream to the sending agent.
type client struct {
	w       *world
	c       *mux.Client
	account wire.AccountID
}

// dial opens a stream and, unless name is empty, an account.
func (w *world) dial(name string) *client {
	w.t.Helper()
	ours, theirs := net.Pipe()
	w.serving.Go(func() { _ = w.s.ServeSubmit(context.Background(), theirs, "client") })
	c := &client{w: w, c: mux.NewClient(ours, mux.Limits{})}
	if name != "" {
		credential := wire.Credential(sha256.Sum256([]byte(name)))
		c.account = credential.Account()
		resp := c.call(&pb.SubmitRequest{Op: &pb.SubmitRequest_Hello{Hello: &pb.Hello{Credential: credential[:]}}})
		if wire.Status(resp.Status) != wire.StatusOK {
			w.t.Fatalf("hello: %v", wire.Status(resp.Status))
		}
	}
	return c
}

func (c *client) close() { _ = c.c.Close() }

func (c *client) call(req *pb.SubmitRequest) *pb.SubmitResponse {
	c.w.t.Helper()
	var resp pb.SubmitResponse
	if err := c.c.Call(context.Background(), req, &resp); err != nil {
		c.w.t.Fatal(err)
	}
	return &resp
}

func (c *client) submit(in *pb.Submission) *pb.SubmitResponse {
	c.w.t.Helper()
	return c.call(&pb.SubmitRequest{Op: &pb.SubmitRequest_Submit{Submit: in}})
}

func (c *client) submitOK(in *pb.Submission) *pb.SubmitResponse {
	c.w.t.Helper()
	resp := c.submit(in)
	if wire.Status(resp.Status) != wire.StatusOK {
		c.w.t.Fatalf("submit: %v", wire.Status(resp.Status))
	}
	return resp
}

func (c *client) ack(handles ...[]byte) wire.Status {
	c.w.t.Helper()
	return wire.Status(c.call(&pb.SubmitRequest{Op: &pb.SubmitRequest_Ack{Ack: &pb.AckOutcomes{Handles: handles}}}).Status)
}

// fetch returns the states of the handles.
func (c *client) fetch(wait time.Duration, handles ...[]byte) []*pb.OutcomeState {
	c.w.t.Helper()
	states, status := c.tryFetch(wait, handles...)
	if status != wire.StatusOK {
		c.w.t.Fatalf("fetch: %v", status)
	}
	return states
}

func (c *client) tryFetch(wait time.Duration, handles ...[]byte) ([]*pb.OutcomeState, wire.Status) {
	c.w.t.Helper()
	ctx := context.Background()
	items, err := c.c.Stream(ctx, &pb.SubmitRequest{Op: &pb.SubmitRequest_Fetch{
		Fetch: &pb.FetchOutcomes{Handles: handles, WaitSeconds: uint32(wait / time.Second)},
	}})
	if err != nil {
		c.w.t.Fatal(err)
	}
	defer items.Close()
	var states []*pb.OutcomeState
	for {
		var resp pb.SubmitResponse
		more, err := items.Next(ctx, &resp)
		if err != nil {
			c.w.t.Fatal(err)
		}
		if !more {
			return states, wire.Status(resp.Status)
		}
		states = append(states, resp.Outcome)
	}
}

func (c *client) wantState(handle []byte, want pb.OutcomeState_State) {
	c.w.t.Helper()
	got := c.fetch(0, handle)
	if len(got) != 1 || got[0].State != want || !slices.Equal(got[0].Handle, handle) {
		c.w.t.Fatalf("state %v, want %v", got, want)
	}
}
