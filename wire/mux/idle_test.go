package mux

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/iotest"
	"testing/synctest"

	"communicator/wire/pb"
)

// asked notes how much a reader is asked for when a frame may begin.
type asked struct {
	io.Reader
	most int
}

func (a *asked) Read(p []byte) (int, error) {
	a.most = max(a.most, len(p))
	return a.Reader.Read(p)
}

// Frames of every size come through, in pieces of every size, and a reader that waits for
// one holds little.
func TestIdleReaderIsSmall(t *testing.T) {
	var sizes []int
	for n := range 9 {
		for _, around := range []int{-1, 0, 1} {
			sizes = append(sizes, 64<<n+around)
		}
	}
	var stream bytes.Buffer
	for _, n := range append(sizes, sizes...) {
		buf, err := encodeFrame(uint64(n), pb.Frame_REQUEST, &pb.DeliverRequest{Payload: bytes.Repeat([]byte{byte(n)}, n)}, 64<<10)
		if err != nil {
			t.Fatal(err)
		}
		stream.Write(buf.b)
		buf.free()
	}
	for name, pieces := range map[string]func(io.Reader) io.Reader{
		"whole":  func(r io.Reader) io.Reader { return r },
		"halves": iotest.HalfReader,
		"bytes":  iotest.OneByteReader,
		"ends":   iotest.DataErrReader,
	} {
		in := &asked{Reader: pieces(bytes.NewReader(stream.Bytes()))}
		fr := newFrameReader(in, Limits{}.withDefaults(), false)
		for _, n := range append(sizes, sizes...) {
			buf, err := fr.next()
			if err != nil {
				t.Fatalf("%s, %d bytes: %v", name, n, err)
			}
			f, err := decodeFrame(buf.b)
			if err != nil || f.id != uint64(n) || f.body[len(f.body)-1] != byte(n) {
				t.Fatalf("%s, %d bytes: %v", name, n, err)
			}
			buf.free()
		}
		in.most = 0
		if _, err := fr.next(); !errors.Is(err, io.EOF) || in.most > waitBuffer || fr.large != nil {
			t.Errorf("%s: at the end %v, waiting with %d bytes", name, err, in.most)
		}
	}
}

// A writer holds nothing once everything is written, and joins what writes.
func TestIdleWriterIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := io.Pipe()
		w := newWriter(far, Limits{}.withDefaults(), func(err error) { t.Error(err) })
		for range 3 {
			for i := range 5 {
				if err := w.send(t.Context(), newBuffer(100), i < 4); err != nil {
					t.Fatal(err)
				}
			}
			synctest.Wait()
			if w.idle() {
				t.Error("idle before anything was taken")
			}
			if _, err := io.ReadFull(near, make([]byte, 500)); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			if !w.idle() || w.pending != nil || w.running {
				t.Error("not idle after everything was taken")
			}
		}
		if err := w.send(t.Context(), newBuffer(100), true); err != nil {
			t.Fatal(err)
		}
		go w.finish()
		if n, err := io.ReadFull(near, make([]byte, 100)); err != nil {
			t.Errorf("%d bytes of the last frame: %v", n, err)
		}
	})
}
