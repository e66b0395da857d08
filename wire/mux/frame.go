package mux

import (
	"fmt"

	"communicator/wire/pb"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// Frames are coded by hand, to the bytes that protobuf gives pb.Frame: a body then
// goes straight between the stream's buffer and its own message.
const (
	fieldID   protowire.Number = 1
	fieldType protowire.Number = 2
	fieldBody protowire.Number = 3
)

// maxPrefix is the longest length prefix: a uvarint of at most 35 bits.
const maxPrefix = 5

type frame struct {
	id   uint64
	kind pb.Frame_Type
	body []byte // within the buffer that holds the frame
}

// encodeFrame returns one frame with its length prefix. msg may be nil: no body.
func encodeFrame(id uint64, kind pb.Frame_Type, msg proto.Message, maxFrame int) (*buffer, error) {
	body := 0
	if msg != nil {
		body = proto.Size(msg)
	}
	size := protowire.SizeTag(fieldID) + protowire.SizeVarint(id)
	if kind != 0 {
		size += protowire.SizeTag(fieldType) + protowire.SizeVarint(uint64(kind))
	}
	if body > 0 {
		size += protowire.SizeTag(fieldBody) + protowire.SizeBytes(body)
	}
	if body > maxFrame || size > maxFrame {
		return nil, ErrTooLarge
	}
	buf := newBuffer(maxPrefix + size)
	b := protowire.AppendVarint(buf.b[:0], uint64(size))
	b = protowire.AppendVarint(protowire.AppendTag(b, fieldID, protowire.VarintType), id)
	if kind != 0 {
		b = protowire.AppendVarint(protowire.AppendTag(b, fieldType, protowire.VarintType), uint64(kind))
	}
	if body > 0 {
		b = protowire.AppendVarint(protowire.AppendTag(b, fieldBody, protowire.BytesType), uint64(body))
		var err error
		if b, err = (proto.MarshalOptions{UseCachedSize: true}).MarshalAppend(b, msg); err != nil {
			buf.free()
			return nil, fmt.Errorf("mux: %w", err)
		}
	}
	buf.b = b
	return buf, nil
}

// decodeFrame reads one frame without its length prefix. Unknown fields are passed
// over and repeated ones replace each other, as protobuf has it.
func decodeFrame(b []byte) (frame, error) {
	var f frame
	for len(b) > 0 {
		number, kind, n := protowire.ConsumeTag(b)
		// ConsumeTag takes numbers of 32 bits; protobuf's own end at 29.
		if n < 0 || number > protowire.MaxValidNumber {
			return f, violation("frame is not protobuf")
		}
		b = b[n:]
		switch {
		case number == fieldID && kind == protowire.VarintType:
			f.id, n = protowire.ConsumeVarint(b)
		case number == fieldType && kind == protowire.VarintType:
			var v uint64
			v, n = protowire.ConsumeVarint(b)
			if v > uint64(pb.Frame_CANCEL) {
				return f, violation("unknown frame type")
			}
			f.kind = pb.Frame_Type(v)
		case number == fieldBody && kind == protowire.BytesType:
			f.body, n = protowire.ConsumeBytes(b)
		default:
			n = protowire.ConsumeFieldValue(number, kind, b)
		}
		if n < 0 {
			return f, violation("frame is not protobuf")
		}
		b = b[n:]
	}
	if f.id == 0 {
		return f, violation("frame without an id")
	}
	return f, nil
}
