package mux

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"os"
	"testing"

	"communicator/wire"
	"communicator/wire/pb"

	"google.golang.org/protobuf/proto"
)

func TestFramesAreProtobuf(t *testing.T) {
	message := &pb.DeliverRequest{KeyId: []byte("12345678"), Payload: bytes.Repeat([]byte{7}, 300), NotAfter: 3600}
	body, err := proto.Marshal(message)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range []*pb.Frame{
		{Id: 1, Type: pb.Frame_REQUEST, Body: body},
		{Id: 127, Type: pb.Frame_RESPONSE, Body: body},
		{Id: 1 << 40, Type: pb.Frame_ITEM, Body: body},
		{Id: 300, Type: pb.Frame_CANCEL},
		{Id: 1},
	} {
		want, err := proto.Marshal(f)
		if err != nil {
			t.Fatal(err)
		}
		want = append(binary.AppendUvarint(nil, uint64(len(want))), want...)
		var m proto.Message
		if len(f.Body) > 0 {
			m = message
		}
		got, err := encodeFrame(f.Id, f.Type, m, wire.MaxFrame)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got.b, want) {
			t.Errorf("frame %d: %x, protobuf has %x", f.Id, got.b, want)
		}
		got.free()
	}
}

type frameVector struct {
	Name  string `json:"name"`
	Bytes string `json:"bytes"` // with its length prefix
	ID    uint64 `json:"id,omitempty"`
	Type  string `json:"type,omitempty"`
	Body  string `json:"body,omitempty"`
	Error string `json:"error,omitempty"` // why it is refused
}

func TestFrameVectors(t *testing.T) {
	raw, err := os.ReadFile("testdata/frames.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors []frameVector
	if err := json.Unmarshal(raw, &vectors); err != nil {
		t.Fatal(err)
	}
	for _, v := range vectors {
		t.Run(v.Name, func(t *testing.T) {
			input, err := hex.DecodeString(v.Bytes)
			if err != nil {
				t.Fatal(err)
			}
			f, err := readOne(input)
			if v.Error != "" {
				if err == nil {
					t.Fatalf("accepted; should be refused: %s", v.Error)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if f.id != v.ID || f.kind.String() != v.Type || hex.EncodeToString(f.body) != v.Body {
				t.Errorf("got %d %v %x", f.id, f.kind, f.body)
			}
		})
	}
}

func readOne(b []byte) (frame, error) {
	buf, err := newFrameReader(bytes.NewReader(b), Limits{}.withDefaults(), false).next()
	if err != nil {
		return frame{}, err
	}
	return decodeFrame(buf.b)
}

// FuzzDecodeFrame holds the decoder against protobuf's own.
func FuzzDecodeFrame(f *testing.F) {
	for _, seed := range []*pb.Frame{{Id: 1, Body: []byte("x")}, {Id: 9, Type: pb.Frame_CANCEL}, {}} {
		b, err := proto.Marshal(seed)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	// A field number of 32 bits, which protobuf does not have.
	f.Add([]byte{0x08, 0x01, 0xf8, 0xff, 0xff, 0xff, 0x3f, 0x00})
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := decodeFrame(b)
		if err != nil {
			return
		}
		var want pb.Frame
		if err := proto.Unmarshal(b, &want); err != nil {
			t.Fatalf("protobuf refuses what was accepted: %v", err)
		}
		if got.id != want.Id || got.kind != want.Type || !bytes.Equal(got.body, want.Body) {
			t.Errorf("got %d %v %x, protobuf has %d %v %x", got.id, got.kind, got.body, want.Id, want.Type, want.Body)
		}
	})
}

func TestBuffersOfEverySize(t *testing.T) {
	for _, n := range []int{0, 1, 1024, 1025, 9 << 10, 72 << 10, 200 << 10} {
		b := newBuffer(n)
		if len(b.b) != n {
			t.Errorf("asked %d, got %d", n, len(b.b))
		}
		b.free()
	}
}
