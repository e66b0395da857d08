package directory

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"google.golang.org/protobuf/proto"

	dirproof "communicator/directory/proof"
	"communicator/directory/vend"
	"communicator/wire"
	"communicator/wire/mux"
	"communicator/wire/pb"
)

// liar is a directory that answers what a test tells it to.
type liar struct {
	answer func(req *pb.DirectoryRequest) (items []*pb.DirectoryResponse, last *pb.DirectoryResponse)
	nonce  []byte
	breaks atomic.Int32 // how many streams die at their first request after the hello
	opened atomic.Int32
	serve  sync.WaitGroup
	signed *pb.DirectoryOp // the last
}

func (l *liar) Open(context.Context) (io.ReadWriteCloser, peer.ID, error) {
	l.opened.Add(1)
	ours, theirs := net.Pipe()
	l.serve.Go(func() {
		_ = mux.Serve(context.Background(), theirs, mux.HandlerFunc(func(_ context.Context, body []byte, w mux.ReplyWriter) error {
			var req pb.DirectoryRequest
			if err := proto.Unmarshal(body, &req); err != nil {
				return err
			}
			if req.GetHello() != nil {
				return w.Reply(&pb.DirectoryResponse{Status: 1, Hello: &pb.HelloReply{Nonce: l.nonce}})
			}
			if l.breaks.Add(-1) >= 0 {
				return errors.New("gone")
			}
			if s := req.GetSigned(); s != nil {
				l.signed = s
			}
			items, last := l.answer(&req)
			for _, item := range items {
				if err := w.Item(item); err != nil {
					return err
				}
			}
			return w.Reply(last)
		}), mux.Limits{})
	})
	return ours, "me", nil
}

func newLiar(t *testing.T, answer func(req *pb.DirectoryRequest) ([]*pb.DirectoryResponse, *pb.DirectoryResponse)) (*Client, *liar) {
	t.Helper()
	l := &liar{answer: answer, nonce: make([]byte, 32)}
	c := New(wire.AgentID{7}, l)
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		l.serve.Wait()
	})
	return c, l
}

// ok answers everything with one response.
func ok(resp *pb.DirectoryResponse) func(*pb.DirectoryRequest) ([]*pb.DirectoryResponse, *pb.DirectoryResponse) {
	return func(*pb.DirectoryRequest) ([]*pb.DirectoryResponse, *pb.DirectoryResponse) {
		r := proto.Clone(resp).(*pb.DirectoryResponse)
		if r.Status == 0 {
			r.Status = 1
		}
		return nil, r
	}
}

func items(list ...*pb.DirectoryResponse) func(*pb.DirectoryRequest) ([]*pb.DirectoryResponse, *pb.DirectoryResponse) {
	return func(*pb.DirectoryRequest) ([]*pb.DirectoryResponse, *pb.DirectoryResponse) {
		for _, i := range list {
			i.Status = 1
		}
		return list, &pb.DirectoryResponse{Status: 1}
	}
}

// What a directory answers is not believed.
func TestAnswersAreReadStrictly(t *testing.T) {
	ctx := t.Context()
	ns := dirproof.NSID{1}
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	owner := func(c *Client) Owner { return Owner{Client: c, NS: ns, Name: "alice", Key: key} }
	long := make([]*pb.DirectoryResponse, maxPage+1)
	for i := range long {
		long[i] = &pb.DirectoryResponse{Waiting: &pb.Waiting{Request: make([]byte, 16), Position: uint64(i + 1)}}
	}
	for name, c := range map[string]struct {
		answer func(*pb.DirectoryRequest) ([]*pb.DirectoryResponse, *pb.DirectoryResponse)
		ask    func(c *Client) error
	}{
		"no space":       {ok(&pb.DirectoryResponse{}), func(c *Client) error { _, err := c.Space(ctx, ns); return err }},
		"no such rule":   {ok(&pb.DirectoryResponse{Space: &pb.Space{Rule: 9}}), func(c *Client) error { _, err := c.Space(ctx, ns); return err }},
		"no package":     {ok(&pb.DirectoryResponse{}), func(c *Client) error { _, err := c.Contact(ctx, ContactRequest{}, time.Time{}); return err }},
		"a long package": {ok(&pb.DirectoryResponse{Package: make([]byte, vend.MaxPackage+1)}), func(c *Client) error { _, err := c.Contact(ctx, ContactRequest{}, time.Time{}); return err }},
		"no stock":       {ok(&pb.DirectoryResponse{}), func(c *Client) error { _, err := owner(c).Stock(ctx); return err }},
		"a tag that nobody asked about": {
			ok(&pb.DirectoryResponse{Tags: []*pb.Tagged{{Tag: make([]byte, 32)}}}),
			func(c *Client) error { _, err := c.Tags(ctx, ns, []dirproof.Hash{{5}}); return err },
		},
		"no manifests": {items(), func(c *Client) error { _, err := c.Chain(ctx, ns, nil); return err }},
		"not a statement": {
			items(&pb.DirectoryResponse{Logged: &pb.Logged{Statement: []byte("x")}}),
			func(c *Client) error { _, _, err := c.Statements(ctx, ns, "alice", 0); return err },
		},
		"no statement": {
			items(&pb.DirectoryResponse{}),
			func(c *Client) error { _, _, err := c.Statements(ctx, ns, "alice", 0); return err },
		},
		"a page without end": {items(long...), func(c *Client) error { _, _, err := owner(c).Requests(ctx, 0); return err }},
		"a page that goes back": {
			items(long[3], long[2]),
			func(c *Client) error { _, _, err := owner(c).Requests(ctx, 0); return err },
		},
		"not a staple": {ok(&pb.DirectoryResponse{Staple: []byte("x")}), func(c *Client) error {
			_, _, err := c.Attestation(ctx, dirproof.Chain{}, "alice", dirproof.NameSecret{}, time.Time{})
			return err
		}},
		"a proof of odd hashes": {ok(&pb.DirectoryResponse{Proof: &pb.Proof{Hashes: [][]byte{{1}}}}), func(c *Client) error {
			_, err := c.Inclusion(ctx, dirproof.Checkpoint{NS: ns, Size: 2}, 1, nil)
			return err
		}},
		"a proof too long": {ok(&pb.DirectoryResponse{Proof: &pb.Proof{Hashes: make([][]byte, maxHashes+1)}}), func(c *Client) error {
			_, err := c.Inclusion(ctx, dirproof.Checkpoint{NS: ns, Size: 2}, 1, nil)
			return err
		}},
	} {
		t.Run(name, func(t *testing.T) {
			client, _ := newLiar(t, c.answer)
			if err := c.ask(client); !errors.Is(err, ErrProtocol) {
				t.Errorf("%v", err)
			}
		})
	}
	client, l := newLiar(t, ok(&pb.DirectoryResponse{}))
	l.nonce = nil
	if _, err := client.Space(ctx, ns); !errors.Is(err, ErrProtocol) {
		t.Errorf("a hello without nonce: %v", err)
	}
}

func TestRefusals(t *testing.T) {
	ctx := t.Context()
	c, _ := newLiar(t, ok(&pb.DirectoryResponse{Status: uint32(wire.StatusPermission), RetryAfterSeconds: 600}))
	var not *NotGrantedError
	if _, err := c.Contact(ctx, ContactRequest{}, time.Time{}); !errors.As(err, &not) || not.RetryAfter != 10*time.Minute {
		t.Errorf("not granted: %v", err)
	}
	var status *wire.StatusError
	if _, err := c.Space(ctx, dirproof.NSID{}); !errors.As(err, &status) || status.Status != wire.StatusPermission {
		t.Errorf("refused: %v", err)
	}
	c, _ = newLiar(t, ok(&pb.DirectoryResponse{Status: 4000, RetryAfterSeconds: 1 << 31}))
	if _, err := c.Space(ctx, dirproof.NSID{}); !errors.As(err, &status) || status.Status != wire.StatusMalformed || status.RetryAfter > maxRetryAfter {
		t.Errorf("a status of the future: %v", err)
	}
	if _, err := c.Contact(ctx, ContactRequest{WorkBits: MaxWorkBits + 1}, time.Time{}); !errors.Is(err, ErrWork) {
		t.Errorf("too much work: %v", err)
	}
	if _, err := c.Contact(ctx, ContactRequest{Note: make([]byte, vend.MaxNote+1)}, time.Time{}); !errors.Is(err, ErrTooMany) {
		t.Errorf("a long note: %v", err)
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := c.Contact(ended, ContactRequest{WorkBits: MaxWorkBits}, time.Time{}); !errors.Is(err, context.Canceled) {
		t.Errorf("work nobody wants: %v", err)
	}
}

// A stream that broke is opened once more for the request; the operation is signed anew,
// for the new stream's nonce.
func TestRepeatsOnceOnANewStream(t *testing.T) {
	c, l := newLiar(t, ok(&pb.DirectoryResponse{Stock: &pb.Stock{OneTime: 3}}))
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	o := Owner{Client: c, NS: dirproof.NSID{1}, Name: "alice", Key: key}
	l.breaks.Store(1)
	if s, err := o.Stock(t.Context()); err != nil || s.OneTime != 3 {
		t.Fatalf("%+v, %v", s, err)
	}
	if n := l.opened.Load(); n != 2 {
		t.Errorf("%d streams were opened", n)
	}
	signed := vend.OperationBytes(wire.AgentID{7}, []byte("me"), [32]byte{}, uint8(l.signed.Op), l.signed.Body)
	if !bytes.Equal(l.signed.Key, key.Public().(ed25519.PublicKey)) || !ed25519.Verify(l.signed.Key, signed, l.signed.Signature) {
		t.Error("the operation is not signed as the protocol says")
	}
	l.breaks.Store(1 << 20)
	var gone *UnreachableError
	if _, err := o.Stock(t.Context()); !errors.As(err, &gone) {
		t.Errorf("a directory that always breaks: %v", err)
	}
}

func TestClosed(t *testing.T) {
	c := New(wire.AgentID{}, &liar{})
	for range 2 {
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := c.Space(t.Context(), dirproof.NSID{}); !errors.Is(err, ErrClosed) {
		t.Errorf("%v", err)
	}
	c = New(wire.AgentID{}, noDialer{})
	var gone *UnreachableError
	if _, err := c.Space(t.Context(), dirproof.NSID{}); !errors.As(err, &gone) || gone.Error() != "directory: unreachable" {
		t.Errorf("%v", err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}

type noDialer struct{}

func (noDialer) Open(context.Context) (io.ReadWriteCloser, peer.ID, error) {
	return nil, "", errors.New("dial 192.0.2.1: refused")
}
