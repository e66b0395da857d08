package mailbox

import (
	"context"
	"errors"
	"time"

	"google.golang.org/protobuf/proto"

	"communicator/eventlog"
	"communicator/mailbox/admit"
	"communicator/wire"
	"communicator/wire/mux"
	"communicator/wire/pb"
)

// blobStream serves the blob protocol, docs/blob.md, on one stream.
type blobStream session

// Serve implements [mux.Handler].
func (b *blobStream) Serve(ctx context.Context, body []byte, w mux.ReplyWriter) error {
	c := (*session)(b)
	op, resp, refused := c.dispatchBlob(ctx, body)
	if c.ended(ctx, op, refused) {
		return errGone
	}
	status, retry := statusOf(refused)
	if resp == nil {
		resp = &pb.BlobResponse{}
	}
	resp.Status, resp.RetryAfterSeconds = uint32(status), seconds(retry)
	return c.finish(ctx, op, refused, w.Reply(resp))
}

func (c *session) dispatchBlob(ctx context.Context, body []byte) (string, *pb.BlobResponse, error) {
	var req pb.BlobRequest
	if proto.Unmarshal(body, &req) != nil {
		return "unknown", nil, refuse(wire.StatusMalformed, 0)
	}
	switch op := req.Op.(type) {
	case *pb.BlobRequest_Hello:
		reply, err := c.hello(ctx, op.Hello)
		return "blob hello", &pb.BlobResponse{Hello: reply}, err
	case *pb.BlobRequest_Put:
		return "blob put", nil, c.putBlob(ctx, op.Put)
	case *pb.BlobRequest_Get:
		content, err := c.getBlob(op.Get)
		return "blob get", &pb.BlobResponse{Content: content}, err
	case *pb.BlobRequest_Delete:
		return "blob delete", nil, c.deleteBlob(ctx, op.Delete)
	}
	return "unknown", nil, refuse(wire.StatusUnsupported, 0)
}

func (c *session) putBlob(ctx context.Context, req *pb.PutBlob) error {
	account, err := c.permission()
	if err != nil {
		return err
	}
	now := c.cfg.Now()
	put, err := parseBlob(req, now)
	if err != nil {
		return err
	}
	if err := c.storing(); err != nil {
		return err
	}
	if !c.blobPuts.Spend(account, now) {
		return refuse(wire.StatusTryAgain, retryQuota)
	}
	give, err := c.reserve(len(req.Content))
	if err != nil {
		return err
	}
	stored := false
	err = c.decideBlobs(ctx, func(r eventlog.Reader) ([]eventlog.Event, error) {
		existing, err := loadBlob(r, put.ID)
		if err != nil {
			return nil, err
		}
		blobs, err := countBlobs(r)
		if err != nil {
			return nil, err
		}
		f, status := admit.StoreBlob(existing, put, blobs, c.cfg.Limits.Blobs)
		switch {
		case status == wire.StatusTryAgain:
			return nil, refuse(status, retryQuota)
		case status != wire.StatusOK:
			return nil, refuse(status, 0)
		case f == nil:
			return nil, nil
		}
		stored = true
		return []eventlog.Event{event(*f, req.Content)}, nil
	})
	// Where nobody waited for the end of it, it may yet be stored.
	give(ctx.Err() != nil || stored)
	return err
}

func parseBlob(req *pb.PutBlob, now time.Time) (admit.BlobPut, error) {
	var put admit.BlobPut
	if len(req.Content) > wire.MaxBlob {
		return put, refuse(wire.StatusTooLarge, 0)
	}
	if len(req.Id) != len(put.ID) || len(req.DeleteHash) != len(put.DeleteHash) ||
		len(req.Content) == 0 || req.Expires > maxUnix {
		return put, refuse(wire.StatusMalformed, 0)
	}
	expires := time.Unix(int64(req.Expires), 0).UTC()
	if !expires.After(now) {
		return put, refuse(wire.StatusExpired, 0)
	}
	if expires.After(now.Add(wire.MaxBlobLife)) {
		return put, refuse(wire.StatusMalformed, 0)
	}
	put.ID, put.DeleteHash = admit.BlobID(req.Id), [32]byte(req.DeleteHash)
	put.Expires, put.Content = admit.HourAfter(expires), admit.BlobContentHash(put.ID, req.Content)
	return put, nil
}

// getBlob needs no permission: whoever knows the id was given it.
func (c *session) getBlob(id []byte) ([]byte, error) {
	if len(id) != len(admit.BlobID{}) {
		return nil, refuse(wire.StatusMalformed, 0)
	}
	var blob *admit.Blob
	err := c.cfg.Log.View(func(tables eventlog.Tables) (err error) {
		blob, err = loadBlob(tables.Table(wire.TableBlob), admit.BlobID(id))
		return err
	})
	if err != nil {
		return nil, err
	}
	if blob == nil || blob.Expires <= admit.HourAt(c.cfg.Now()) {
		return nil, refuse(wire.StatusNotFound, 0)
	}
	content, err := c.cfg.Log.Body(blob.Position)
	if errors.Is(err, eventlog.ErrErased) {
		return nil, refuse(wire.StatusNotFound, 0)
	}
	return content, err
}

func (c *session) deleteBlob(ctx context.Context, req *pb.DeleteBlob) error {
	if len(req.Id) != len(admit.BlobID{}) || len(req.DeleteKey) != 32 {
		return refuse(wire.StatusMalformed, 0)
	}
	id := admit.BlobID(req.Id)
	err := c.decideBlobs(ctx, func(r eventlog.Reader) ([]eventlog.Event, error) {
		existing, err := loadBlob(r, id)
		if err != nil {
			return nil, err
		}
		f, status := admit.DeleteBlob(existing, id, [32]byte(req.DeleteKey))
		if status != wire.StatusOK {
			return nil, refuse(status, 0)
		}
		return []eventlog.Event{event(*f, nil)}, nil
	})
	if err == nil {
		c.cfg.Metrics.erased.WithLabelValues("blob").Inc()
	}
	return err
}

func (s *Service) decideBlobs(ctx context.Context, d func(r eventlog.Reader) ([]eventlog.Event, error)) error {
	_, err := s.cfg.Log.Decide(ctx, func(_ time.Time, tables eventlog.Tables) ([]eventlog.Event, error) {
		return d(tables.Table(wire.TableBlob))
	})
	return err
}
