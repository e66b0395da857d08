package relay

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"google.golang.org/protobuf/proto"

	"communicator/wire"
	"communicator/wire/mux"
	"communicator/wire/pb"
)

// serviceName is how libp2p's resource manager accounts for submit streams.
const serviceName = "communicator.submit"

// HandleSubmit serves one stream of [wire.ProtocolSubmit]: docs/submit.md.
func (s *Service) HandleSubmit(stream network.Stream) {
	if err := stream.Scope().SetService(serviceName); err != nil {
		_ = stream.Reset()
		return
	}
	memory := s.limits.Mux.Memory()
	if err := stream.Scope().ReserveMemory(memory, network.ReservationPriorityAlways); err != nil {
		_ = stream.Reset()
		return
	}
	defer stream.Scope().ReleaseMemory(memory)
	_ = s.ServeSubmit(s.ctx, stream, stream.Conn().RemotePeer()) // mux has reset the stream
}

// ServeSubmit serves the submit protocol over any connection until it ends, and
// closes it. It returns what ended it, nil if the client did.
func (s *Service) ServeSubmit(ctx context.Context, rwc io.ReadWriteCloser, remote peer.ID) error {
	if !s.begin() {
		_ = rwc.Close()
		return ErrClosed
	}
	defer s.working.Done()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stop := context.AfterFunc(s.ctx, func() { cancel(context.Cause(s.ctx)) })
	defer stop()
	session := &session{s: s, remote: remote, limit: s.requests.stream()}
	return mux.Serve(ctx, rwc, session, s.limits.Mux)
}

// errAbuse ends a stream of nothing but requests that no honest client makes.
var errAbuse = errors.New("relay: too many refused requests on a stream")

// session is one client's stream. Its requests run concurrently.
type session struct {
	s       *Service
	remote  peer.ID
	limit   *streamLimit
	account atomic.Pointer[wire.AccountID] // nil until a hello was admitted
	refused atomic.Int32                   // costly answers until then
}

// Serve answers one request: one result, logged and counted once.
func (c *session) Serve(ctx context.Context, body []byte, w mux.ReplyWriter) error {
	start := c.s.now()
	result := Result{Op: OpUnknown}
	reply, err := c.answer(ctx, start, body, w, &result)
	if err != nil && ctx.Err() != nil {
		err = context.Canceled // nobody reads the answer, whatever went wrong
	}
	status, retryAfter := statusOf(err)
	abuse := false
	if costly(status) {
		c.limit.charge(start)
		abuse = c.account.Load() == nil && int(c.refused.Add(1)) >= c.s.limits.RefusedRequests
	}
	result.Status, result.Took = status, c.s.now().Sub(start)
	c.s.observe(result, err)
	if reply == nil {
		reply = &pb.SubmitResponse{}
	}
	reply.Status = uint32(status)
	reply.RetryAfterSeconds = seconds(retryAfter)
	if err := w.Reply(reply); err != nil || !abuse {
		return err
	}
	return errAbuse
}

// costly says whether a client that gets this answer is not one of ours, or broken.
func costly(status wire.Status) bool {
	switch status {
	case wire.StatusMalformed, wire.StatusTooLarge, wire.StatusForbidden, wire.StatusPermission,
		wire.StatusUnsupported, wire.StatusConflict:
		return true
	}
	return false
}

// seconds rounds up: a client told to wait zero seconds would not.
func seconds(d time.Duration) uint32 { return uint32((d + time.Second - 1) / time.Second) }

func (c *session) answer(ctx context.Context, now time.Time, body []byte, w mux.ReplyWriter, result *Result) (*pb.SubmitResponse, error) {
	if !c.limit.allow(now) {
		// Held, not answered at once: a client that repeats what it is refused would
		// otherwise cost as much as it can send. Its places in flight are the bound. Up to
		// twice as long: what was held together must not come again as one wave.
		timer := time.NewTimer(retryRate + rand.N(retryRate))
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
		return nil, refuse(wire.StatusTryAgain, retryRate)
	}
	var req pb.SubmitRequest
	if err := proto.Unmarshal(body, &req); err != nil {
		return nil, refuse(wire.StatusMalformed, 0)
	}
	switch op := req.Op.(type) {
	case *pb.SubmitRequest_Hello:
		result.Op = OpHello
		return c.hello(ctx, op.Hello)
	case *pb.SubmitRequest_Submit:
		result.Op = OpSubmit
		account, err := c.permitted()
		if err != nil {
			return nil, err
		}
		return c.s.submit(ctx, account, op.Submit, result)
	case *pb.SubmitRequest_Fetch:
		result.Op = OpFetch
		return nil, c.s.fetch(ctx, op.Fetch, w)
	case *pb.SubmitRequest_Ack:
		result.Op = OpAck
		return nil, c.s.ack(op.Ack)
	case *pb.SubmitRequest_Descriptor_:
		result.Op = OpDescriptor
		if _, err := c.permitted(); err != nil {
			return nil, err
		}
		reply, err := c.s.descriptors.fetch(ctx, op.Descriptor_)
		return &pb.SubmitResponse{Descriptor_: reply}, err
	}
	return nil, refuse(wire.StatusUnsupported, 0)
}

// hello opens an account for the stream. A later hello may open another.
func (c *session) hello(ctx context.Context, hello *pb.Hello) (*pb.SubmitResponse, error) {
	reply := &pb.SubmitResponse{Hello: &pb.HelloReply{WorkBits: c.s.cfg.Access.WorkBits()}}
	account, err := c.s.cfg.Access.Admit(ctx, c.remote, hello)
	if err != nil {
		return reply, err
	}
	c.account.Store(&account)
	return reply, nil
}

func (c *session) permitted() (wire.AccountID, error) {
	account := c.account.Load()
	if account == nil {
		return wire.AccountID{}, refuse(wire.StatusPermission, 0)
	}
	return *account, nil
}
