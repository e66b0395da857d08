// Command hash plays the scenario that it reads from standard input, and prints a hash over
// everything that the run told. Tests compile it for several processors.
package main

import (
	"bufio"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"os"

	"communicator/simulations/model"
	"communicator/simulations/scenario"
	"communicator/simulations/script"
	"communicator/simulations/trace"
)

// writer records everything as text.
type writer struct{ *bufio.Writer }

func (w writer) Event(e trace.Event)            { fmt.Fprintln(w, e) }
func (w writer) Lookup(l trace.Lookup)          { fmt.Fprintln(w, l) }
func (w writer) Load(l trace.Load)              { fmt.Fprintln(w, l) }
func (w writer) Frame(f trace.Frame)            { fmt.Fprintln(w, f) }
func (w writer) Frames() bool                   { return true }
func (w writer) Bytes(protocol string, n int64) { fmt.Fprintln(w, protocol, n) }

func main() {
	sum, err := play(os.Stdin)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Printf("%x\n", sum)
}

func play(in io.Reader) ([]byte, error) {
	text, err := io.ReadAll(in)
	if err != nil {
		return nil, err
	}
	sc, err := scenario.Parse("standard input", text)
	if err != nil {
		return nil, err
	}
	s, err := script.Build(sc)
	if err != nil {
		return nil, err
	}
	h := sha256.New()
	w := writer{bufio.NewWriter(h)}
	if _, err := model.Run(context.Background(), s, w, trace.Limits{}); err != nil {
		return nil, err
	}
	err = w.Flush()
	return h.Sum(nil), err
}
