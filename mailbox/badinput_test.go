package mailbox

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"net"
	"os"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/proto"

	"communicator/mailbox/address"
	"communicator/wire"
	"communicator/wire/mux"
	"communicator/wire/pb"
)

// raw is a request body that no client of ours would make.
func raw(b []byte) *pb.Frame {
	m := &pb.Frame{}
	m.ProtoReflect().SetUnknown(b)
	return m
}

// deep is groups within groups, in a field that no message has.
func deep() []byte { return bytes.Repeat([]byte{15<<3 | 3}, 60<<10) }

// TestBadInputLosesNothing offers what breaks a rule on streams of each protocol. The
// answer is typed, and rows, events, stored mail and other streams are as before.
func TestBadInputLosesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAgent(t)
		o := a.owner(1)
		to := o.create(0)
		put := a.dial(a.ServeDeliver, sendingAgent)
		a.code(put, a.attempt(to, "kept"))
		watcher := o.items(pb.SignedOp_WATCH, &pb.Watch{})
		defer watcher.Close()
		nextItem(t, watcher)
		nextItem(t, watcher) // caught up

		bad := a.ownerWith(o.key, 1)
		blob := a.dial(a.ServeBlob, "somebody")
		trailing := a.attempt(to, "trailing")
		trailing.req.Sealed = append(trailing.req.Sealed, 0)
		long := bad.signed(pb.SignedOp_ACK, raw(make([]byte, maxOperation+1)))
		many := bad.signed(pb.SignedOp_ACK, &pb.Ack{Positions: make([]uint64, MaxAckPositions+1)})
		before, events := rows(t, a.log), a.events()
		for name, c := range map[string]struct {
			on   *mux.Client
			ask  proto.Message
			want wire.Status
		}{
			"put: too deep":            {put, raw(deep()), wire.StatusMalformed},
			"put: not protobuf":        {put, raw([]byte{0xff}), wire.StatusMalformed},
			"put: trailing byte":       {put, trailing.req, wire.StatusMalformed},
			"owner: too deep":          {bad.c, raw(deep()), wire.StatusMalformed},
			"owner: too long":          {bad.c, long, wire.StatusTooLarge},
			"owner: too many elements": {bad.c, many, wire.StatusTooLarge},
			"owner: unknown operation": {bad.c, bad.signed(99, &pb.Ack{}), wire.StatusUnsupported},
			"owner: nothing":           {bad.c, &pb.MailboxRequest{}, wire.StatusUnsupported},
			"blob: too deep":           {blob, raw(deep()), wire.StatusMalformed},
			"blob: nothing":            {blob, &pb.BlobRequest{}, wire.StatusUnsupported},
		} {
			resp := &pb.MailboxResponse{} // status is field 1 of each
			if err := c.on.Call(t.Context(), c.ask, resp); err != nil {
				t.Errorf("%s: %v", name, err)
			} else if got := wire.Status(resp.Status); got != c.want {
				t.Errorf("%s: %v, want %v", name, got, c.want)
			}
			if !bytes.Equal(rows(t, a.log), before) || a.events() != events {
				t.Fatalf("%s: the state changed", name)
			}
		}
		a.code(put, a.attempt(to, "afterwards"))
		if d := nextItem(t, watcher).Delivery; string(d.GetPayload()) != "afterwards" {
			t.Errorf("a stream of somebody else got %v", d)
		}
		if got := o.collect(); !slices.Equal(got, []string{"kept", "afterwards"}) {
			t.Errorf("collected %q", got)
		}
	})
}

// TestHalfAPutStoresNothing stops in the middle of a put. The stream is cut, and the
// same put on another is stored, once.
func TestHalfAPutStoresNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAgent(t)
		o := a.owner(1)
		p := a.attempt(o.create(0), "in two halves")
		body, err := proto.Marshal(p.req)
		if err != nil {
			t.Fatal(err)
		}
		message, err := proto.Marshal(&pb.Frame{Id: 1, Body: body})
		if err != nil {
			t.Fatal(err)
		}
		frame := append(binary.AppendUvarint(nil, uint64(len(message))), message...)
		for _, end := range []func(net.Conn){
			func(net.Conn) {}, // silence
			func(c net.Conn) { _ = c.Close() },
		} {
			near, far := net.Pipe()
			ended := make(chan error, 1)
			begun := time.Now()
			go func() { ended <- a.ServeDeliver(context.Background(), far, sendingAgent) }()
			if _, err := near.Write(frame[:len(frame)/2]); err != nil {
				t.Fatal(err)
			}
			end(near)
			err := <-ended
			if err == nil || time.Since(begun) > 30*time.Second {
				t.Errorf("ended after %v: %v", time.Since(begun), err)
			}
			if time.Since(begun) > 0 && !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("silence ended with %v", err)
			}
		}
		if got := o.collect(); len(got) != 0 {
			t.Errorf("stored %q", got)
		}
		for range 2 {
			if code := a.code(a.dial(a.ServeDeliver, sendingAgent), p); code != address.Stored {
				t.Errorf("again, whole: %v", code)
			}
		}
		if got := o.collect(); len(got) != 1 {
			t.Errorf("stored %q", got)
		}
	})
}
