package transport

import (
	"context"
	"fmt"
	"time"

	"communicator/wire"
	"communicator/wire/pb"

	"github.com/libp2p/go-libp2p/core/peer"
	"google.golang.org/protobuf/proto"
)

// blobCall performs one request. Only putting needs the account.
func (l *Lease) blobCall(ctx context.Context, account bool, req *pb.BlobRequest) (*pb.BlobResponse, error) {
	var hello helloFunc
	if account {
		hello = l.pool.greet(func(h *pb.Hello) proto.Message {
			return &pb.BlobRequest{Op: &pb.BlobRequest_Hello{Hello: h}}
		}, func() answer { return &pb.BlobResponse{} })
	}
	resp := &pb.BlobResponse{}
	key := streamKey{proto: wire.ProtocolBlob, account: account}
	err := l.call(ctx, key, hello, func(ctx context.Context, s *stream, _ peer.ID) error {
		proto.Reset(resp)
		if err := request(ctx, s, req, resp); err != nil {
			return err
		}
		return statusError(resp.GetStatus(), resp.GetRetryAfterSeconds())
	})
	return resp, err
}

// PutBlob stores at most wire.MaxBlob bytes under an id until expires.
func (l *Lease) PutBlob(ctx context.Context, id [32]byte, content []byte, expires time.Time, deleteHash [32]byte) error {
	_, err := l.blobCall(ctx, true, &pb.BlobRequest{Op: &pb.BlobRequest_Put{Put: &pb.PutBlob{
		Id: id[:], Content: content, Expires: uint64(expires.Unix()), DeleteHash: deleteHash[:],
	}}})
	return err
}

// GetBlob fetches a blob: StatusNotFound when it is gone.
func (l *Lease) GetBlob(ctx context.Context, id [32]byte) ([]byte, error) {
	resp, err := l.blobCall(ctx, false, &pb.BlobRequest{Op: &pb.BlobRequest_Get{Get: id[:]}})
	if err != nil {
		return nil, err
	}
	if len(resp.GetContent()) == 0 || len(resp.GetContent()) > wire.MaxBlob {
		return nil, fmt.Errorf("%w: blob", ErrProtocol)
	}
	return resp.GetContent(), nil
}

// DeleteBlob erases a blob before its time.
func (l *Lease) DeleteBlob(ctx context.Context, id, deleteKey [32]byte) error {
	_, err := l.blobCall(ctx, false, &pb.BlobRequest{Op: &pb.BlobRequest_Delete{Delete: &pb.DeleteBlob{
		Id: id[:], DeleteKey: deleteKey[:],
	}}})
	return err
}
