package relay

import (
	"context"

	"github.com/libp2p/go-libp2p/core/peer"

	"communicator/wire"
	"communicator/wire/pb"
)

// Access decides who may submit. The node shares one among its roles.
type Access interface {
	// Admit returns the account that a client's hello opens, or a
	// *wire.StatusError; any other error is reported as internal.
	Admit(ctx context.Context, remote peer.ID, hello *pb.Hello) (wire.AccountID, error)
	// WorkBits is what an open agent asks for, else zero.
	WorkBits() uint32
}
