package mailbox

import (
	"context"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"communicator/eventlog"
	"communicator/mailbox/admit"
	"communicator/wire"
	"communicator/wire/mux"
	"communicator/wire/pb"
)

// BenchmarkOpen is the floor: opening one seal and verifying its tag.
func BenchmarkOpen(b *testing.B) {
	a := buildAgent(b)
	a.startWorkers()
	p := a.attempt(a.owner(1).create(0), "payload")
	for b.Loop() {
		o := &opening{queued: time.Now(), incoming: incoming{
			keyID: wire.KeyID(p.req.KeyId), sealed: p.req.Sealed, payload: p.req.Payload, notAfter: p.notAfter,
		}}
		a.open(o)
		if !o.valid {
			b.Fatal("not valid")
		}
	}
}

// benchAgent has room for any number of deliveries.
func benchAgent(b *testing.B, kind string) *agent {
	open := eventlog.OpenMemory
	if kind == "disk" {
		dir := b.TempDir()
		open = func(o eventlog.Options) (eventlog.Log, error) { return eventlog.Open(dir, o) }
	}
	a := buildAgentOn(b, open, func(c *Config) {
		c.Limits.Quotas.Deliveries, c.Limits.Quotas.Bytes = 1<<31, 1<<62
	})
	a.startWorkers()
	return a
}

// tcpClient connects over loopback.
func (a *agent) tcpClient(b *testing.B, serve serveFunc) *mux.Client {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	near, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	far, err := l.Accept()
	if err != nil {
		b.Fatal(err)
	}
	go serve(context.Background(), far, sendingAgent)
	c := mux.NewClient(near, mux.Limits{})
	b.Cleanup(func() { c.Close() })
	return c
}

// BenchmarkDeliver is puts of 1 KiB from 64 at once over one stream, with a log in
// memory or one that syncs. Sealing is not counted.
func BenchmarkDeliver(b *testing.B) {
	for _, kind := range []string{"memory", "disk"} {
		b.Run(kind, func(b *testing.B) {
			a := benchAgent(b, kind)
			to := a.owner(1).create(0)
			puts := make([]attempt, b.N)
			for i := range puts {
				puts[i] = a.attempt(to, fmt.Sprintf("%-1024d", i))
			}
			c := a.tcpClient(b, a.ServeDeliver)
			next := make(chan attempt, b.N)
			for _, p := range puts {
				next <- p
			}
			close(next)
			b.ResetTimer()
			var all sync.WaitGroup
			for range 64 {
				all.Go(func() {
					for p := range next {
						resp := &pb.DeliverResponse{}
						if err := c.Call(context.Background(), p.req, resp); err != nil || resp.Status != uint32(wire.StatusOK) {
							b.Error(err, wire.Status(resp.Status))
						}
					}
				})
			}
			all.Wait()
		})
	}
}

// BenchmarkCollect collects and acknowledges full mailboxes, eight at a time.
func BenchmarkCollect(b *testing.B) {
	for _, kind := range []string{"memory", "disk"} {
		b.Run(kind, func(b *testing.B) {
			a := benchAgent(b, kind)
			per := int(DefaultLimits().Quotas.Deliveries)
			var owners []*owner
			for left := b.N; left > 0; left -= per {
				o := a.owner(byte(1 + len(owners)%200))
				a.fill(b, o.create(0), min(left, per))
				owners = append(owners, o)
			}
			b.ResetTimer()
			queue := make(chan *owner, len(owners))
			for _, o := range owners {
				queue <- o
			}
			close(queue)
			var collected atomic.Int64
			var all sync.WaitGroup
			for range 8 {
				all.Go(func() {
					for o := range queue {
						collected.Add(int64(o.drain()))
					}
				})
			}
			all.Wait()
			if collected.Load() != int64(b.N) {
				b.Fatalf("%d of %d", collected.Load(), b.N)
			}
		})
	}
}

// drain collects page by page, acknowledging four at a time.
func (o *owner) drain() (total int) {
	ack, after := &pb.Ack{}, uint64(0)
	for more := true; more; {
		page, last := o.page(&pb.Collect{After: after})
		for _, d := range page {
			ack.Positions, after = append(ack.Positions, d.Position), d.Position
		}
		more = last.More
		if !more || len(ack.Positions)+MaxCollectItems > MaxAckPositions {
			o.must(pb.SignedOp_ACK, ack)
			total, ack = total+len(ack.Positions), &pb.Ack{}
		}
	}
	return total
}

// fill stores deliveries without sealing them.
func (a *agent) fill(b *testing.B, to wire.Address, n int) {
	for i := 0; i < n; {
		var events []eventlog.Event
		for ; i < n && len(events) < 256; i++ {
			replay := admit.ReplayID(append(to.Mailbox[:14:14], byte(i), byte(i>>8)))
			f := admit.Delivered{Mailbox: to.Mailbox, Replay: replay, NotAfter: 1}
			events = append(events, event(f, fmt.Appendf(nil, "%-1024d", i)))
		}
		if _, err := a.log.Append(context.Background(), events...); err != nil {
			b.Fatal(err)
		}
	}
}
