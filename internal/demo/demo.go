package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"communicator/directory/authority"
	"communicator/internal/agentproc"
)

// Options of a demonstration.
type Options struct {
	Messages  int    // each way between Alex and Blair
	Binary    string // that runs a node as `BINARY node --data DIR`; empty: this program
	KeepProof string // where the proof of the name is left; empty: nowhere
}

// patience is how long everything together may take.
const patience = 3 * time.Minute

// Run plays the demonstration and tells progress what it does.
func Run(ctx context.Context, o Options, progress io.Writer) (r Result, err error) {
	started := time.Now()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if o.KeepProof != "" { // said now and not after everything
		if _, err := os.Stat(filepath.Dir(o.KeepProof)); err != nil {
			return r, err
		}
	}
	root, err := os.MkdirTemp("", "communicator-demo-")
	if err != nil {
		return r, err
	}
	s := &stage{options: o, root: root, progress: progress}
	defer func() { err = errors.Join(err, s.close(), os.RemoveAll(root)) }()
	for _, act := range []func(context.Context) error{
		s.start, s.meet, s.register, s.contact, s.introduce, s.talk, s.settle, s.loss, s.fork, s.inspect,
	} {
		if err := act(ctx); err != nil {
			return s.result, err
		}
	}
	s.result.Seconds = time.Since(started).Seconds()
	return s.result, nil
}

// stage holds who takes part, and what they did.
type stage struct {
	options  Options
	root     string
	progress io.Writer

	sending   [3]*agentproc.Agent // Alex's, Blair's and Carol's
	receiving [3]*agentproc.Agent // shared by all
	directory *agentproc.Agent    // serves the club
	spare     [2]*agentproc.Agent // take part in the overlay and serve nobody else
	second    *agentproc.Agent    // serves the club too, with a log of its own

	club               *authority.Authority
	alex, blair, carol *person
	dana, erin         *onlooker
	name               ownedName // Carol's

	wrote  []written
	result Result
}

// written is a message that somebody has to get exactly once.
type written struct {
	to   *person
	text string
}

func (s *stage) people() []*person { return []*person{s.alex, s.blair, s.carol} }

// say tells what is going on, done what has been shown.
func (s *stage) say(format string, args ...any) { fmt.Fprintf(s.progress, "  "+format+"\n", args...) }

func (s *stage) done(format string, args ...any) {
	fmt.Fprintf(s.progress, "✓ "+format+"\n", args...)
}

// write sends one message; each calls the other by name.
func (s *stage) write(ctx context.Context, from, to *person, text string) error {
	if err := from.send(ctx, to.name, text); err != nil {
		return err
	}
	s.wrote = append(s.wrote, written{to, text})
	s.result.Sent++
	return nil
}

// eachWay has two people write to each other and waits until each has the other's text.
func (s *stage) eachWay(ctx context.Context, a, b *person) error {
	for _, way := range [][2]*person{{a, b}, {b, a}} {
		text := greeting(way[0].name, way[1].name)
		if err := s.write(ctx, way[0], way[1], text); err != nil {
			return err
		}
		if err := way[1].until(ctx, "a first message", func() bool { return way[1].received[text] > 0 }); err != nil {
			return err
		}
	}
	return nil
}

// settle waits until everything has arrived, then compares message by message.
func (s *stage) settle(ctx context.Context) error {
	s.say("waiting for the last of %d messages …", s.result.Sent)
	for _, w := range s.wrote {
		err := w.to.until(ctx, "messages", func() bool { return w.to.received[w.text] > 0 })
		if err != nil && ctx.Err() == nil {
			return err
		}
	}
	for _, w := range s.wrote {
		s.result.count(w.to.times(w.text))
	}
	for _, p := range s.people() {
		alarms, rotated := p.counted()
		s.result.Alarms += alarms
		s.result.Rotations += rotated
	}
	if s.result.Lost+s.result.Duplicated == 0 {
		s.done("%d messages arrived once each, %s killed half-way, addresses replaced %d times",
			s.result.Delivered, s.receiving[0].Name, s.result.Rotations)
	}
	return nil
}

// close ends everything that still runs.
func (s *stage) close() error {
	var errs []error
	for _, o := range []*onlooker{s.dana, s.erin} {
		if o != nil {
			errs = append(errs, o.leave())
		}
	}
	for _, p := range s.people() {
		if p != nil {
			errs = append(errs, p.leave())
		}
	}
	return errors.Join(append(errs, s.stopNodes())...)
}
