package transport

import (
	"context"

	"communicator/wire"
	"communicator/wire/pb"

	"google.golang.org/protobuf/proto"
)

// answer is what every response says in the clear.
type answer interface {
	proto.Message
	GetStatus() uint32
	GetRetryAfterSeconds() uint32
	GetHello() *pb.HelloReply
}

// greet makes the helloFunc of a protocol from how it wraps a Hello.
func (p *Pool) greet(wrap func(*pb.Hello) proto.Message, fresh func() answer) helloFunc {
	return func(ctx context.Context, s *stream, t Target, account bool) error {
		hello := &pb.Hello{}
		if account && t.Credential != nil {
			hello.Credential = t.Credential[:]
			if t.Token != nil {
				hello.Token = t.Token[:]
			}
			hello.Work = p.proofs.get(t.proofKey(), p.hour())
		}
		reply := fresh()
		if err := request(ctx, s, wrap(hello), reply); err != nil {
			return err
		}
		err := statusError(reply.GetStatus(), reply.GetRetryAfterSeconds())
		need := reply.GetHello().GetWorkBits()
		if err == nil || need == 0 || wire.Status(reply.GetStatus()) != wire.StatusPermission || hello.Credential == nil {
			if err != nil {
				return err
			}
			return s.welcome(reply.GetHello())
		}
		if hello.Work, err = p.work(ctx, t, need); err != nil {
			return err
		}
		p.proofs.put(t.proofKey(), hello.Work)
		reply = fresh()
		if err := request(ctx, s, wrap(hello), reply); err != nil {
			return err
		}
		if err := statusError(reply.GetStatus(), reply.GetRetryAfterSeconds()); err != nil {
			return err
		}
		return s.welcome(reply.GetHello())
	}
}
