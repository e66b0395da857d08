package lookup

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	ma "github.com/multiformats/go-multiaddr"

	"communicator/wire"
	"communicator/wire/agenturi"
	"communicator/wire/mux"
	"communicator/wire/pb"
)

// publishPatience bounds one publication: the node looks for the peers nearest to each
// key and waits for their answers.
const publishPatience = 2 * time.Minute

// Publish has a node put records of names into the overlay, and returns how many peers
// store them, at the place where the fewest do. The node's operator sees that this host
// brought these records; those who store them do not.
//
// Errors: [ErrUnreachable]; a [*wire.StatusError] for what the node refused, with
// StatusTryAgain for what was published a short time ago.
func (j *Joined) Publish(ctx context.Context, text string, records [][]byte) (stored int, err error) {
	uri, err := agenturi.Parse(text)
	if err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, publishPatience)
	defer cancel()
	if err := j.host.Connect(ctx, peer.AddrInfo{ID: uri.Peer, Addrs: []ma.Multiaddr{uri.Addr}}); err != nil {
		return 0, fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	s, err := j.host.NewStream(ctx, uri.Peer, protocol.ID(wire.ProtocolPublish))
	if err != nil {
		return 0, fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	c := mux.NewClient(s, mux.Limits{MaxInFlight: 1})
	var reply pb.PublishReply
	err = c.Call(ctx, &pb.PublishRequest{Records: records}, &reply)
	if err = errors.Join(err, c.Close()); err != nil {
		return 0, fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	if status := wire.Status(reply.Status).Known(); status != wire.StatusOK {
		return 0, &wire.StatusError{Status: status, RetryAfter: time.Duration(reply.RetryAfterSeconds) * time.Second}
	}
	return int(reply.Stored), nil
}
