package real

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"sync/atomic"
	"time"

	kadpb "github.com/libp2p/go-libp2p-kad-dht/pb"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"google.golang.org/protobuf/proto"

	"communicator/dht"
	"communicator/eventlog"
	"communicator/mailbox/admit"
	"communicator/simulations/script"
	"communicator/wire"
)

// seam is a node's host, seen by the node: it counts what each protocol carries, and is
// where a hostile operator interferes with a node that knows nothing of it.
//
//	drop   what was taken for others is not forwarded, and what was stored for
//	       owners is not in their mailboxes (forgetful)
//	delay  every answer waits
//	stale  records of the overlay are taken and not kept
//	forge  a byte of every answer is another one
type seam struct {
	host.Host
	agent *agent
}

var errHostile = errors.New("real: the agent forwards nothing")

// SetStreamHandler registers a handler behind the seam.
func (s *seam) SetStreamHandler(id protocol.ID, handle network.StreamHandler) {
	count := s.agent.w.carried(id)
	s.Host.SetStreamHandler(id, func(raw network.Stream) {
		stream := network.Stream(&counted{Stream: raw, bytes: count})
		switch s.agent.hostility() {
		case script.Delay:
			stream = &late{Stream: stream, by: s.agent.w.s.Scenario.Adversary.Hostile.Delay.D()}
		case script.Forge:
			stream = &forged{Stream: stream}
		case script.Stale:
			if id == kadProtocol {
				stream = &deaf{Stream: stream, in: bufio.NewReader(stream)}
			}
		}
		handle(stream)
	})
}

// NewStream opens a stream, except what a hostile agent does not open.
func (s *seam) NewStream(ctx context.Context, p peer.ID, ids ...protocol.ID) (network.Stream, error) {
	if s.agent.hostility() == script.Drop && len(ids) > 0 && ids[0] == wire.ProtocolDeliver {
		return nil, errHostile
	}
	return s.Host.NewStream(ctx, p, ids...)
}

// kadProtocol is what servers of the overlay speak.
const kadProtocol = dht.Prefix + "/kad/1.0.0"

// counted counts what passes in both directions.
type counted struct {
	network.Stream
	bytes *atomic.Int64
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.Stream.Read(p)
	c.bytes.Add(int64(n))
	return n, err
}

func (c *counted) Write(p []byte) (int, error) {
	n, err := c.Stream.Write(p)
	c.bytes.Add(int64(n))
	return n, err
}

// late writes late.
type late struct {
	network.Stream
	by time.Duration
}

func (l *late) Write(p []byte) (int, error) {
	time.Sleep(l.by)
	return l.Stream.Write(p)
}

// forged writes something else: the last byte of each piece is another one.
type forged struct{ network.Stream }

func (f *forged) Write(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	spoiled := append([]byte(nil), p...)
	spoiled[len(spoiled)-1] ^= 1
	return f.Stream.Write(spoiled)
}

// deaf takes records of the overlay, says so, and does not keep them: what was stored
// before goes on being served.
type deaf struct {
	network.Stream
	in   *bufio.Reader
	rest []byte // of a request that the node gets to see
}

func (d *deaf) Read(p []byte) (int, error) {
	for len(d.rest) == 0 {
		size, err := binary.ReadUvarint(d.in)
		if err != nil {
			return 0, err
		}
		if size > maxRequest {
			return 0, errHostile
		}
		request := binary.AppendUvarint(nil, size)
		at := len(request)
		request = append(request, make([]byte, size)...)
		if _, err := io.ReadFull(d.in, request[at:]); err != nil {
			return 0, err
		}
		var m kadpb.Message
		if err := proto.Unmarshal(request[at:], &m); err != nil || m.GetRecord() == nil {
			d.rest = request
		} else if _, err := d.Write(request); err != nil { // the answer is what came
			return 0, err
		}
	}
	n := copy(p, d.rest)
	d.rest = d.rest[n:]
	return n, nil
}

// forgetful is a projection that leaves out what was delivered while the agent is
// hostile: a receipt was given, and the owner finds nothing.
type forgetful struct {
	eventlog.Projection
	agent *agent
}

// Apply leaves deliveries out.
func (f forgetful) Apply(w eventlog.Writer, r eventlog.Record, body []byte) error {
	if uint16(r.Kind) == admit.KindDelivered && f.agent.hostility() == script.Drop {
		return nil
	}
	return f.Projection.Apply(w, r, body)
}
