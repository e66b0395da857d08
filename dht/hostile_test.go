package dht

import (
	"bufio"
	"io"
	"slices"
	"sync"

	kadpb "github.com/libp2p/go-libp2p-kad-dht/pb"
	recordlib "github.com/libp2p/go-libp2p-record"
	"github.com/libp2p/go-libp2p/core/network"
	"google.golang.org/protobuf/encoding/protodelim"
)

// hostile answers the overlay's protocol in place of the library. It names the peers
// that it was told to name, and does with values what its conduct says.
type hostile struct {
	conduct func(request, reply *kadpb.Message) bool // false: no reply, the stream hangs
	closer  []*kadpb.Message_Peer

	mu       sync.Mutex // guards requests
	requests []*kadpb.Message
}

// turn makes a node hostile. It keeps its place in everybody's routing table.
func (w *world) turn(d *DHT, conduct func(request, reply *kadpb.Message) bool) *hostile {
	h := &hostile{conduct: conduct, closer: kadpb.RawPeerInfosToPBPeers(w.peers[:min(len(w.peers), Replication)])}
	d.host.SetStreamHandler(d.cfg.protocol(), h.serve)
	return h
}

// seen are the requests so far.
func (h *hostile) seen() []*kadpb.Message {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.requests)
}

func (h *hostile) serve(s network.Stream) {
	in := bufio.NewReader(s)
	for {
		request := new(kadpb.Message)
		if err := (protodelim.UnmarshalOptions{MaxSize: 1 << 20}).UnmarshalFrom(in, request); err != nil {
			_ = s.Reset()
			return
		}
		h.mu.Lock()
		h.requests = append(h.requests, request)
		h.mu.Unlock()
		reply := kadpb.NewMessage(request.GetType(), request.GetKey(), 0)
		reply.CloserPeers = h.closer
		if !h.conduct(request, reply) {
			_, _ = io.Copy(io.Discard, s) // until the asker gives up
			return
		}
		if _, err := protodelim.MarshalTo(s, reply); err != nil {
			_ = s.Reset()
			return
		}
	}
}

// serving answers every GET_VALUE with one value, and acknowledges what it throws away.
func serving(value []byte) func(request, reply *kadpb.Message) bool {
	return func(request, reply *kadpb.Message) bool {
		switch request.GetType() {
		case kadpb.Message_GET_VALUE:
			reply.Record = recordlib.MakePutRecord(string(request.GetKey()), value)
		case kadpb.Message_PUT_VALUE:
			reply.Record = request.GetRecord()
		}
		return true
	}
}

// mute answers searches and neither stores nor returns anything.
func mute(_, _ *kadpb.Message) bool { return true }

// hangs takes requests and never answers.
func hangs(_, _ *kadpb.Message) bool { return false }

// misnamed serves a value under another key than the one that it was asked for.
func misnamed(value []byte) func(request, reply *kadpb.Message) bool {
	return func(_, reply *kadpb.Message) bool {
		reply.Record = recordlib.MakePutRecord("/communicator-attest/another", value)
		return true
	}
}
