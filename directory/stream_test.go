package directory

import (
	"context"
	"crypto/ed25519"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"communicator/directory/vend"
	"communicator/internal/budget"
	"communicator/wire"
	"communicator/wire/mux"
	"communicator/wire/pb"
)

func statusOfCall(t *testing.T, c *mux.Client, req *pb.DirectoryRequest) wire.Status {
	t.Helper()
	resp, _ := answer(t, c, req)
	return wire.Status(resp.Status)
}

// op signs an operation for the raw stream with this nonce.
func (p *person) op(op pb.DirectoryOp_Op, body proto.Message, nonce []byte) *pb.DirectoryRequest {
	b, err := proto.Marshal(body)
	if err != nil {
		p.w.t.Fatal(err)
	}
	message := vend.OperationBytes(p.w.cfg.Agent, []byte("raw"), [32]byte(nonce), uint8(op), b)
	return &pb.DirectoryRequest{Op: &pb.DirectoryRequest_Signed{Signed: &pb.DirectoryOp{
		Op: op, Body: b, Key: p.Key.Public().(ed25519.PublicKey), Signature: ed25519.Sign(p.Key, message),
	}}}
}

func TestSignaturesAreForOneStream(t *testing.T) {
	w := newWorld(t)
	p := w.registered("alice")
	hello := &pb.DirectoryRequest{Op: &pb.DirectoryRequest_Hello{Hello: &pb.Hello{}}}
	one, two := w.raw(), w.raw()
	first, _ := answer(t, one, hello)
	answer(t, two, hello)
	own := &pb.OwnName{Namespace: w.ns[:], Name: "alice"}
	req := p.op(pb.DirectoryOp_STOCK, own, first.Hello.Nonce)
	if got := statusOfCall(t, one, req); got != wire.StatusOK {
		t.Errorf("on its stream: %v", got)
	}
	if got := statusOfCall(t, two, req); got != wire.StatusAuth {
		t.Errorf("on another stream: %v", got)
	}
	if got := statusOfCall(t, w.raw(), p.op(pb.DirectoryOp_STOCK, own, make([]byte, 32))); got != wire.StatusAuth {
		t.Errorf("before a hello: %v", got)
	}
	for name, spoil := range map[string]func(o *pb.DirectoryOp){
		"another operation": func(o *pb.DirectoryOp) { o.Op = pb.DirectoryOp_REQUESTS },
		"another body":      func(o *pb.DirectoryOp) { o.Body = append(o.Body, 0) },
		"another key":       func(o *pb.DirectoryOp) { o.Key = make([]byte, 32) },
	} {
		bad := proto.Clone(req).(*pb.DirectoryRequest)
		spoil(bad.GetSigned())
		if got := statusOfCall(t, one, bad); got != wire.StatusAuth {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestMalformedRequests(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Limits.BadRequests = 1000 })
	c := w.raw()
	ns := w.ns[:]
	for name, test := range map[string]struct {
		req  *pb.DirectoryRequest
		want wire.Status
	}{
		"nothing":       {&pb.DirectoryRequest{}, wire.StatusUnsupported},
		"a short id":    {&pb.DirectoryRequest{Op: &pb.DirectoryRequest_Space{Space: &pb.GetSpace{Namespace: ns[1:]}}}, wire.StatusMalformed},
		"another space": {&pb.DirectoryRequest{Op: &pb.DirectoryRequest_Space{Space: &pb.GetSpace{Namespace: make([]byte, 32)}}}, wire.StatusNotFound},
		"not canonical": {&pb.DirectoryRequest{Op: &pb.DirectoryRequest_Attestation{Attestation: &pb.GetAttestation{Namespace: ns, Name: "Alice"}}}, wire.StatusMalformed},
		"no checkpoint": {&pb.DirectoryRequest{Op: &pb.DirectoryRequest_Checkpoint{Checkpoint: &pb.GetCheckpoint{Namespace: ns}}}, wire.StatusNotFound},
		"size ahead":    {&pb.DirectoryRequest{Op: &pb.DirectoryRequest_Inclusion{Inclusion: &pb.GetInclusion{Namespace: ns, Size: 9}}}, wire.StatusNotFound},
		"a short tag":   {&pb.DirectoryRequest{Op: &pb.DirectoryRequest_Tags{Tags: &pb.GetTags{Namespace: ns, Tags: [][]byte{{1}}}}}, wire.StatusMalformed},
		"many tags":     {&pb.DirectoryRequest{Op: &pb.DirectoryRequest_Tags{Tags: &pb.GetTags{Namespace: ns, Tags: make([][]byte, MaxTags+1)}}}, wire.StatusTooLarge},
		"a short request id": {&pb.DirectoryRequest{Op: &pb.DirectoryRequest_Contact{Contact: &pb.Contact{
			Namespace: ns, Name: "alice", Id: []byte("id"),
		}}}, wire.StatusMalformed},
		"a short token": {&pb.DirectoryRequest{Op: &pb.DirectoryRequest_Contact{Contact: &pb.Contact{
			Namespace: ns, Name: "alice", Id: make([]byte, 32), Token: []byte("token"),
		}}}, wire.StatusMalformed},
		"a long note": {&pb.DirectoryRequest{Op: &pb.DirectoryRequest_Contact{Contact: &pb.Contact{
			Namespace: ns, Name: "alice", Id: make([]byte, 32), Note: make([]byte, vend.MaxNote+1),
		}}}, wire.StatusTooLarge},
		"no operation":    {&pb.DirectoryRequest{Op: &pb.DirectoryRequest_Signed{Signed: &pb.DirectoryOp{Op: 99}}}, wire.StatusUnsupported},
		"a short key":     {&pb.DirectoryRequest{Op: &pb.DirectoryRequest_Signed{Signed: &pb.DirectoryOp{Op: pb.DirectoryOp_STOCK}}}, wire.StatusMalformed},
		"no cosignatures": {&pb.DirectoryRequest{Op: &pb.DirectoryRequest_Cosign{Cosign: &pb.Cosign{Namespace: ns}}}, wire.StatusTooLarge},
	} {
		if got := statusOfCall(t, c, test.req); got != test.want {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
	}
}

func TestBadRequestsEndAStream(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Limits.BadRequests = 3 })
	c := w.raw()
	bad := &pb.DirectoryRequest{Op: &pb.DirectoryRequest_Space{Space: &pb.GetSpace{}}}
	for range 2 {
		answer(t, c, bad)
	}
	_ = c.Call(context.Background(), bad, &pb.DirectoryResponse{}) // the reset may overtake its answer
	<-c.Done()
	if err := c.Call(context.Background(), bad, &pb.DirectoryResponse{}); err == nil {
		t.Error("the stream goes on")
	}
}

// A stream's rate is counted before a request is parsed.
func TestRateComesFirst(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Limits.Requests = budget.Rate{Burst: 2, PerHour: 3600} })
	c := w.raw()
	req := &pb.DirectoryRequest{Op: &pb.DirectoryRequest_Space{Space: &pb.GetSpace{Namespace: w.ns[:]}}}
	for i, want := range []wire.Status{wire.StatusOK, wire.StatusOK, wire.StatusTryAgain} {
		if got := statusOfCall(t, c, req); got != want {
			t.Errorf("request %d: %v, want %v", i, got, want)
		}
	}
	w.clock.move(time.Second)
	if got := statusOfCall(t, c, req); got != wire.StatusOK {
		t.Errorf("a second later: %v", got)
	}
}

func TestCloseEndsStreams(t *testing.T) {
	w := newWorld(t)
	c := w.raw()
	req := &pb.DirectoryRequest{Op: &pb.DirectoryRequest_Space{Space: &pb.GetSpace{Namespace: w.ns[:]}}}
	answer(t, c, req)
	if err := w.Directory.Close(); err != nil {
		t.Fatal(err)
	}
	<-c.Done()
}
