package directory

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/libp2p/go-libp2p/core/peer"
	"golang.org/x/time/rate"
	"google.golang.org/protobuf/proto"

	"communicator/directory/proof"
	"communicator/directory/vend"
	"communicator/wire"
	"communicator/wire/mux"
	"communicator/wire/pb"
)

var (
	// errAbuse ends a stream of nothing but bad requests.
	errAbuse = errors.New("directory: too many bad requests on a stream")
	// errGone stands for whatever a transport says when an answer cannot be sent.
	errGone = errors.New("directory: the asker has gone")
)

// session is one stream.
type session struct {
	*Directory
	remote peer.ID
	nonce  [32]byte // this stream's: no signature works on another
	limit  *rate.Limiter

	mu      sync.Mutex // guards the rest
	greeted bool
	bad     int
}

func (d *Directory) newSession(remote peer.ID) (*session, error) {
	c := &session{Directory: d, remote: remote, limit: d.cfg.Limits.Requests.Limiter()}
	if _, err := io.ReadFull(d.cfg.Rand, c.nonce[:]); err != nil {
		return nil, fmt.Errorf("directory: no randomness: %w", err)
	}
	return c, nil
}

// Serve implements [mux.Handler]: one result for each request, logged and counted once.
func (c *session) Serve(ctx context.Context, body []byte, w mux.ReplyWriter) error {
	op, resp, refused := "unknown", (*pb.DirectoryResponse)(nil), refuse(wire.StatusTryAgain, retryOverload)
	if c.limit.AllowN(c.cfg.Now(), 1) {
		op, resp, refused = c.dispatch(ctx, body, w)
	}
	if ctx.Err() != nil || errors.Is(refused, errGone) {
		c.record(context.WithoutCancel(ctx), op, wire.StatusUnspecified, nil)
		return errGone
	}
	status, retry := statusOf(refused)
	if resp == nil || refused != nil {
		resp = &pb.DirectoryResponse{}
	}
	resp.Status, resp.RetryAfterSeconds, resp.Draining = uint32(status), seconds(retry), c.draining.Load()
	return c.finish(ctx, op, refused, w.Reply(resp))
}

// dispatch parses a request and has it answered.
func (c *session) dispatch(ctx context.Context, body []byte, w mux.ReplyWriter) (string, *pb.DirectoryResponse, error) {
	var req pb.DirectoryRequest
	if proto.Unmarshal(body, &req) != nil {
		return "unknown", nil, refuse(wire.StatusMalformed, 0)
	}
	var resp *pb.DirectoryResponse
	var err error
	op := "unknown"
	switch r := req.Op.(type) {
	case *pb.DirectoryRequest_Hello:
		op, resp = "hello", c.hello()
	case *pb.DirectoryRequest_Space:
		op = "space"
		resp, err = c.getSpace(r.Space)
	case *pb.DirectoryRequest_Manifests:
		op = "manifests"
		resp, err = c.getManifests(r.Manifests, w)
	case *pb.DirectoryRequest_Attestation:
		op = "attestation"
		resp, err = c.getAttestation(r.Attestation)
	case *pb.DirectoryRequest_Checkpoint:
		op = "checkpoint"
		resp, err = c.getCheckpoint(r.Checkpoint)
	case *pb.DirectoryRequest_Consistency:
		op = "consistency"
		resp, err = c.getConsistency(r.Consistency)
	case *pb.DirectoryRequest_Inclusion:
		op = "inclusion"
		resp, err = c.getInclusion(r.Inclusion)
	case *pb.DirectoryRequest_Tags:
		op = "tags"
		resp, err = c.getTags(r.Tags)
	case *pb.DirectoryRequest_Statements:
		op = "statements"
		resp, err = c.getStatements(r.Statements, w)
	case *pb.DirectoryRequest_Revocations:
		op = "revocations"
		resp, err = c.getRevocations(r.Revocations, w)
	case *pb.DirectoryRequest_Relations:
		op = "relations"
		resp, err = c.getRelations(r.Relations, w)
	case *pb.DirectoryRequest_Contact:
		op = "contact"
		resp, err = c.contact(ctx, r.Contact)
	case *pb.DirectoryRequest_PutManifest:
		op = "put manifest"
		err = c.putManifest(ctx, r.PutManifest)
	case *pb.DirectoryRequest_Cosign:
		op = "cosign"
		err = c.putCosignatures(ctx, r.Cosign)
	case *pb.DirectoryRequest_Signed:
		return c.signed(ctx, r.Signed, w)
	default:
		err = refuse(wire.StatusUnsupported, 0)
	}
	return op, resp, err
}

// hello gives the stream's nonce, which every signed operation needs.
func (c *session) hello() *pb.DirectoryResponse {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.greeted = true
	return &pb.DirectoryResponse{Hello: &pb.HelloReply{Nonce: c.nonce[:], Draining: c.draining.Load()}}
}

// operation is a signed request whose signature was verified.
type operation struct {
	key  proof.Key
	body []byte
	w    mux.ReplyWriter
}

// operations by their number: a name for logs and metrics, and what they do.
var operations = map[pb.DirectoryOp_Op]struct {
	name string
	run  func(*session, context.Context, operation) (*pb.DirectoryResponse, error)
}{
	pb.DirectoryOp_REGISTER:  {"register", (*session).register},
	pb.DirectoryOp_STOCK:     {"stock", (*session).stock},
	pb.DirectoryOp_UPLOAD:    {"upload", (*session).upload},
	pb.DirectoryOp_SET_RULE:  {"set rule", (*session).setRule},
	pb.DirectoryOp_REQUESTS:  {"requests", (*session).requests},
	pb.DirectoryOp_DECIDE:    {"decide", (*session).decideRequests},
	pb.DirectoryOp_INVITE:    {"invite", (*session).invite},
	pb.DirectoryOp_UNINVITE:  {"uninvite", (*session).uninvite},
	pb.DirectoryOp_RECORDS:   {"records", (*session).records},
	pb.DirectoryOp_RELATE:    {"relate", (*session).relate},
	pb.DirectoryOp_SUBMIT:    {"submit", (*session).submit},
	pb.DirectoryOp_ISSUE:     {"issue", (*session).issue},
	pb.DirectoryOp_WITHDRAW:  {"withdraw", (*session).withdraw},
	pb.DirectoryOp_SET_SPACE: {"set space", (*session).setSpace},
}

// signed checks the signature over one operation, and performs it.
func (c *session) signed(ctx context.Context, op *pb.DirectoryOp, w mux.ReplyWriter) (string, *pb.DirectoryResponse, error) {
	known, ok := operations[op.Op]
	if !ok {
		return "unknown", nil, refuse(wire.StatusUnsupported, 0)
	}
	if len(op.Key) != ed25519.PublicKeySize || len(op.Signature) != ed25519.SignatureSize {
		return known.name, nil, refuse(wire.StatusMalformed, 0)
	}
	if len(op.Body) > maxOperation {
		return known.name, nil, refuse(wire.StatusTooLarge, 0)
	}
	c.mu.Lock()
	greeted := c.greeted
	c.mu.Unlock()
	bytes := vend.OperationBytes(c.cfg.Agent, []byte(c.remote), c.nonce, uint8(op.Op), op.Body)
	if !greeted || !ed25519.Verify(op.Key, bytes, op.Signature) {
		return known.name, nil, refuse(wire.StatusAuth, 0)
	}
	resp, err := known.run(c, ctx, operation{key: proof.Key(op.Key), body: op.Body, w: w})
	return known.name, resp, err
}

// parse reads an operation's own message.
func (o operation) parse(into proto.Message) error {
	if proto.Unmarshal(o.body, into) != nil {
		return refuse(wire.StatusMalformed, 0)
	}
	return nil
}

// finish records an answered request. The error it returns ends the stream: an asker who
// has gone, or too many requests that were not even well-formed.
func (c *session) finish(ctx context.Context, op string, refused, sent error) error {
	status, _ := statusOf(refused)
	c.record(ctx, op, status, refused)
	if sent != nil {
		return errGone
	}
	if status != wire.StatusMalformed && status != wire.StatusTooLarge && status != wire.StatusAuth {
		return nil
	}
	c.limit.ReserveN(c.cfg.Now(), c.cfg.Limits.RefusedCost-1)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.bad++
	if c.bad >= c.cfg.Limits.BadRequests {
		return errAbuse
	}
	return nil
}
