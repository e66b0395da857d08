package transport

import (
	"context"
	"encoding/binary"
	"math/bits"
	"sync"
	"time"

	"communicator/wire"
	"communicator/wire/pb"
)

// proofs remembers the proofs of work that were found: an agent takes the same one on
// every stream, in the hour that it names.
type proofs struct {
	mu    sync.Mutex // guards known
	known map[proofKey]*pb.ProofOfWork
}

// proofKey is what a proof is for.
type proofKey struct {
	agent   wire.AgentID
	account wire.AccountID
}

func (t Target) proofKey() proofKey { return proofKey{t.URI.Agent, t.Credential.Account()} }

// get returns a proof for this hour, nil if there is none.
func (p *proofs) get(key proofKey, hour uint64) *pb.ProofOfWork {
	p.mu.Lock()
	defer p.mu.Unlock()
	if w := p.known[key]; w.GetHour() == hour {
		return w
	}
	return nil
}

// put replaces a proof. Those of other hours are dropped when there are many.
func (p *proofs) put(key proofKey, w *pb.ProofOfWork) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.known == nil {
		p.known = map[proofKey]*pb.ProofOfWork{}
	}
	if len(p.known) >= maxProofs {
		for k, old := range p.known {
			if old.Hour != w.Hour || len(p.known) >= 2*maxProofs {
				delete(p.known, k)
			}
		}
	}
	p.known[key] = w
}

// hour is what a proof of work made now names.
func (p *Pool) hour() uint64 {
	return uint64(p.opts.Now().Unix() / int64(time.Hour/time.Second))
}

// work looks for a nonce so that H(label ‖ agent id ‖ account id ‖ u64 hour ‖ u64 nonce)
// begins with enough zero bits.
func (p *Pool) work(ctx context.Context, t Target, zeros uint32) (*pb.ProofOfWork, error) {
	if zeros > maxWorkBits {
		return nil, ErrWork
	}
	account, hour := t.Credential.Account(), p.hour()
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
