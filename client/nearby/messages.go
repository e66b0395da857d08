package nearby

import (
	"encoding/binary"
	"errors"
	"io"
	"unicode"
	"unicode/utf8"
)

// A frame is one message:
//
//	u16 length of what follows ‖ u8 kind ‖ body
//
//	kind 1 hello    u8 version = 1 ‖ u8 length ‖ name, at most 32 bytes, may be empty
//	kind 2 choose   –
//	kind 3 commit   c 32
//	kind 4 reveal   nonce 32 ‖ package
//	kind 5 open     r 32 ‖ package
//	kind 6 verdict  u8: 1 the words are the same, 0 they are not
type frame struct {
	kind kind
	body []byte
}

type kind uint8

const (
	kindHello   kind = 1
	kindChoose  kind = 2
	kindCommit  kind = 3
	kindReveal  kind = 4
	kindOpen    kind = 5
	kindVerdict kind = 6
)

// channel carries frames in order.
type channel interface {
	send(frame) error
	receive() (frame, error)
}

func writeFrame(w io.Writer, f frame) error {
	b := binary.BigEndian.AppendUint16(nil, uint16(1+len(f.body)))
	b = append(append(b, byte(f.kind)), f.body...)
	_, err := w.Write(b)
	return err
}

func readFrame(r io.Reader) (frame, error) {
	var head [3]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return frame{}, lost(err)
	}
	n := int(binary.BigEndian.Uint16(head[:]))
	if n < 1 || n > maxFrame {
		return frame{}, ErrProtocol
	}
	f := frame{kind(head[2]), make([]byte, n-1)}
	if _, err := io.ReadFull(r, f.body); err != nil {
		return frame{}, lost(err)
	}
	return f, nil
}

// lost makes the end of a stream an error of this package.
func lost(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return ErrGone
	}
	return errors.Join(ErrGone, err)
}

// expect receives a frame of one kind.
func expect(c channel, want kind) ([]byte, error) {
	f, err := c.receive()
	if err != nil {
		return nil, err
	}
	if f.kind != want {
		return nil, ErrProtocol
	}
	return f.body, nil
}

func helloFrame(name string) frame {
	return frame{kindHello, append([]byte{protocolVersion, byte(len(name))}, name...)}
}

func parseHello(b []byte) (name string, err error) {
	if len(b) < 1 {
		return "", ErrProtocol
	}
	if b[0] != protocolVersion {
		return "", ErrVersion
	}
	if len(b) < 2 || len(b) != 2+int(b[1]) {
		return "", ErrProtocol
	}
	name = string(b[2:])
	if !usableName(name) {
		return "", ErrProtocol
	}
	return name, nil
}

// usableName says whether a name may be announced: what another one's terminal shows.
func usableName(name string) bool {
	if len(name) > MaxName || !utf8.ValidString(name) {
		return false
	}
	for _, r := range name {
		if !unicode.IsPrint(r) {
			return false
		}
	}
	return true
}

// parseOpened takes a reveal or an open apart.
func parseOpened(b []byte) (random [nonceSize]byte, pkg []byte, err error) {
	if len(b) <= nonceSize {
		return random, nil, ErrProtocol
	}
	return [nonceSize]byte(b), b[nonceSize:], nil
}

func parseVerdict(b []byte) (bool, error) {
	if len(b) != 1 || b[0] > 1 {
		return false, ErrProtocol
	}
	return b[0] == 1, nil
}
