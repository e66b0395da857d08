package directory

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"io"

	"github.com/libp2p/go-libp2p/core/peer"
	"google.golang.org/protobuf/proto"

	"communicator/directory/vend"
	"communicator/wire"
	"communicator/wire/mux"
	"communicator/wire/pb"
)

// Dialer opens a stream of [wire.ProtocolDirectory] to a directory that it has
// authenticated, and returns the peer id under which the directory knows this side.
type Dialer interface {
	Open(ctx context.Context) (stream io.ReadWriteCloser, self peer.ID, err error)
}

// Client speaks with one directory. Its methods are safe for concurrent use. What a
// directory refuses is a [*wire.StatusError], what never got an answer an
// [*UnreachableError].
type Client struct {
	agent wire.AgentID
	dial  Dialer

	busy   chan struct{} // holds a value while nobody opens or closes; its taker owns what follows
	stream *stream
	closed bool
}

// New makes a client of the directory with this agent id. It dials at the first request.
func New(agent wire.AgentID, dial Dialer) *Client {
	c := &Client{agent: agent, dial: dial, busy: make(chan struct{}, 1)}
	c.busy <- struct{}{}
	return c
}

// Close ends the stream and joins what reads it. Requests under way fail.
func (c *Client) Close() error {
	<-c.busy
	defer func() { c.busy <- struct{}{} }()
	c.closed = true
	if c.stream != nil {
		_ = c.stream.Close() // says how the stream ended, which is nobody's business now
		c.stream = nil
	}
	return nil
}

// stream is one after its hello.
type stream struct {
	*mux.Client
	self  peer.ID
	nonce [32]byte
}

// open returns a stream that is alive.
func (c *Client) open(ctx context.Context) (*stream, error) {
	select {
	case <-c.busy:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	defer func() { c.busy <- struct{}{} }()
	if c.closed {
		return nil, ErrClosed
	}
	if c.stream != nil {
		if !broken(c.stream) {
			return c.stream, nil
		}
		c.stream.Close()
		c.stream = nil
	}
	raw, self, err := c.dial.Open(ctx)
	if err != nil {
		return nil, err
	}
	s := &stream{Client: mux.NewClient(raw, mux.Limits{MaxInFlight: inFlight}), self: self}
	if err := s.hello(ctx); err != nil {
		s.Close()
		return nil, err
	}
	c.stream = s
	return s, nil
}

func (s *stream) hello(ctx context.Context) error {
	resp := &pb.DirectoryResponse{}
	req := &pb.DirectoryRequest{Op: &pb.DirectoryRequest_Hello{Hello: &pb.Hello{}}}
	if err := s.Call(ctx, req, resp); err != nil {
		return err
	}
	if err := statusError(resp.Status, resp.RetryAfterSeconds); err != nil {
		return err
	}
	if len(resp.GetHello().GetNonce()) != len(s.nonce) {
		return fmt.Errorf("%w: hello", ErrProtocol)
	}
	s.nonce = [32]byte(resp.Hello.Nonce)
	return nil
}

func broken(s *stream) bool {
	select {
	case <-s.Done():
		return true
	default:
		return false
	}
}

// do runs a request on the stream, and once more on a new one if that broke.
func (c *Client) do(ctx context.Context, request func(ctx context.Context, s *stream) error) error {
	ctx, cancel := context.WithTimeout(ctx, CallTimeout)
	defer cancel()
	for again := true; ; again = false {
		s, err := c.open(ctx)
		if err != nil {
			return unreachable(ctx, err)
		}
		err = request(ctx, s)
		if err == nil || !again || !broken(s) || ctx.Err() != nil {
			return unreachable(ctx, err)
		}
	}
}

// call makes a request that has one answer.
func (c *Client) call(ctx context.Context, req *pb.DirectoryRequest) (*pb.DirectoryResponse, error) {
	resp := &pb.DirectoryResponse{}
	err := c.do(ctx, func(ctx context.Context, s *stream) error {
		proto.Reset(resp)
		if err := s.Call(ctx, req, resp); err != nil {
			return err
		}
		return statusError(resp.Status, resp.RetryAfterSeconds)
	})
	return resp, err
}

// page makes a request that answers with items. A repeated one begins anew.
func (c *Client) page(ctx context.Context, request func(s *stream) (*pb.DirectoryRequest, error), max int) (list []*pb.DirectoryResponse, more bool, err error) {
	err = c.do(ctx, func(ctx context.Context, s *stream) error {
		list = nil
		req, err := request(s)
		if err != nil {
			return err
		}
		items, err := s.Stream(ctx, req)
		if err != nil {
			return err
		}
		defer items.Close()
		for {
			resp := &pb.DirectoryResponse{}
			next, err := items.Next(ctx, resp)
			if err != nil {
				return err
			}
			if err := statusError(resp.Status, resp.RetryAfterSeconds); err != nil {
				return err
			}
			if !next {
				more = resp.More
				return nil
			}
			if list = append(list, resp); len(list) > max {
				return fmt.Errorf("%w: page", ErrProtocol)
			}
		}
	})
	return list, more, err
}

// plain is a request that is the same on every stream.
func plain(req *pb.DirectoryRequest) func(*stream) (*pb.DirectoryRequest, error) {
	return func(*stream) (*pb.DirectoryRequest, error) { return req, nil }
}

// sign makes the request for an operation on one stream.
func (c *Client) sign(s *stream, key ed25519.PrivateKey, op pb.DirectoryOp_Op, body proto.Message) (*pb.DirectoryRequest, error) {
	b, err := proto.Marshal(body)
	if err != nil {
		return nil, err
	}
	if len(b) > wire.MaxFrame-1024 {
		return nil, ErrTooMany
	}
	message := vend.OperationBytes(c.agent, []byte(s.self), s.nonce, uint8(op), b)
	return &pb.DirectoryRequest{Op: &pb.DirectoryRequest_Signed{Signed: &pb.DirectoryOp{
		Op: op, Body: b, Key: key.Public().(ed25519.PublicKey), Signature: ed25519.Sign(key, message),
	}}}, nil
}

// signed performs an operation that has one answer.
func (c *Client) signed(ctx context.Context, key ed25519.PrivateKey, op pb.DirectoryOp_Op, body proto.Message) (*pb.DirectoryResponse, error) {
	resp := &pb.DirectoryResponse{}
	err := c.do(ctx, func(ctx context.Context, s *stream) error {
		req, err := c.sign(s, key, op, body)
		if err != nil {
			return err
		}
		proto.Reset(resp)
		if err := s.Call(ctx, req, resp); err != nil {
			return err
		}
		return statusError(resp.Status, resp.RetryAfterSeconds)
	})
	return resp, err
}
