package transport

import (
	"context"
	"encoding/binary"
	"math/bits"
	"time"

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

// work looks for a nonce so that H(label ‖ agent id ‖ account id ‖ u64 hour ‖ u64 nonce)
// begins with enough zero bits.
func (p *Pool) work(ctx context.Context, t Target, zeros uint32) (*pb.ProofOfWork, error) {
	if zeros > maxWorkBits {
		return nil, ErrWork
	}
	account := t.Credential.Account()
	hour := uint64(p.opts.Now().Unix() / int64(time.Hour/time.Second))
	h := binary.BigEndian.AppendUint64(nil, hour)
	var n [8]byte
	for nonce := uint64(0); ; nonce++ {
		if nonce&0xffff == 0 && ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		binary.BigEndian.PutUint64(n[:], nonce)
		sum := wire.Hash(wire.LabelPoW, t.URI.Agent[:], account[:], h, n[:])
		if leadingZeros(sum) >= int(zeros) {
			return &pb.ProofOfWork{Hour: hour, Nonce: nonce}, nil
		}
	}
}

func leadingZeros(sum [32]byte) int {
	n := 0
	for _, b := range sum {
		if b != 0 {
			return n + bits.LeadingZeros8(b)
		}
		n += 8
	}
	return n
}
