package relay

import (
	"context"
	"errors"
	"time"

	"communicator/eventlog"
	"communicator/wire"
	"communicator/wire/mux"
	"communicator/wire/pb"
)

// fetch gives the state of every handle asked for, one item each in the order
// asked. If none is known yet but some are queued it waits for the first.
func (s *Service) fetch(ctx context.Context, in *pb.FetchOutcomes, w mux.ReplyWriter) error {
	hashes, err := s.handles(in.Handles)
	if err != nil {
		return err
	}
	wait := min(time.Duration(in.WaitSeconds)*time.Second, s.limits.MaxWait)
	states, err := s.await(ctx, hashes, wait)
	if err != nil {
		return err
	}
	w.Hold()
	for i, st := range states {
		st.Handle = in.Handles[i]
		if err := w.Item(&pb.SubmitResponse{Status: uint32(wire.StatusOK), Outcome: st}); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) handles(in [][]byte) ([]wire.HandleHash, error) {
	if len(in) > s.limits.MaxHandles {
		return nil, refuse(wire.StatusTooLarge, 0)
	}
	hashes := make([]wire.HandleHash, len(in))
	for i, h := range in {
		if len(h) != len(wire.Handle{}) {
			return nil, refuse(wire.StatusMalformed, 0)
		}
		hashes[i] = wire.Handle(h).Hash()
	}
	return hashes, nil
}

// await reads the states, again whenever one of them was settled, until there is
// something to tell or the time is over. It watches before it reads, so that no
// outcome comes between the two unseen.
func (s *Service) await(ctx context.Context, hashes []wire.HandleHash, wait time.Duration) ([]*pb.OutcomeState, error) {
	if wait <= 0 {
		return s.lookUp(hashes)
	}
	watch := s.states.watch(hashes)
	defer watch.stop()
	var timer *time.Timer
	for {
		states, err := s.lookUp(hashes)
		if err != nil || !worthWaiting(states) {
			return states, err
		}
		if timer == nil {
			timer = time.NewTimer(wait)
			defer timer.Stop()
		}
		select {
		case <-watch.settled:
		case <-timer.C:
			return states, nil
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// worthWaiting says whether nothing is settled and something may be.
func worthWaiting(states []*pb.OutcomeState) bool {
	pending := false
	for _, st := range states {
		switch st.State {
		case pb.OutcomeState_FORWARDED, pb.OutcomeState_EXPIRED, pb.OutcomeState_REFUSED:
			return false
		case pb.OutcomeState_PENDING:
			pending = true
		}
	}
	return pending
}

// lookUp takes the states from memory, and those that are not there from the log.
func (s *Service) lookUp(hashes []wire.HandleHash) ([]*pb.OutcomeState, error) {
	states := make([]*pb.OutcomeState, len(hashes))
	missing := s.states.get(hashes, states)
	if len(missing) == 0 {
		return states, nil
	}
	older := make([]wire.HandleHash, len(missing))
	for i, at := range missing {
		older[i] = hashes[at]
	}
	read, err := s.readStates(older)
	if err != nil {
		return nil, err
	}
	for i, at := range missing {
		states[at] = read[i]
	}
	return states, nil
}

// readStates reads the rows in one view, then the outcomes' bodies.
func (s *Service) readStates(hashes []wire.HandleHash) ([]*pb.OutcomeState, error) {
	rows, err := s.rows(hashes)
	if err != nil {
		return nil, err
	}
	states := make([]*pb.OutcomeState, len(hashes))
	for i, r := range rows {
		if states[i], err = s.readState(r); err != nil {
			return nil, err
		}
	}
	return states, nil
}

func (s *Service) readState(r *row) (*pb.OutcomeState, error) {
	state := &pb.OutcomeState{} // UNKNOWN
	if r == nil {
		return state, nil
	}
	switch r.state {
	case stateQueued:
		state.State = pb.OutcomeState_PENDING
	case stateAbandoned:
		state.State = pb.OutcomeState_EXPIRED
	case stateRefused:
		state.State, state.Status = pb.OutcomeState_REFUSED, uint32(r.status)
	case stateForwarded:
		outcome, err := s.cfg.Log.Body(r.seq)
		if errors.Is(err, eventlog.ErrErased) || errors.Is(err, eventlog.ErrNoRecord) {
			return state, nil // acknowledged since the rows were read
		}
		if err != nil {
			return nil, err
		}
		state.State, state.Outcome = pb.OutcomeState_FORWARDED, outcome
	}
	return state, nil
}

func (s *Service) rows(hashes []wire.HandleHash) ([]*row, error) {
	rows := make([]*row, len(hashes))
	err := s.cfg.Log.View(func(t eventlog.Tables) error {
		table := t.Table(wire.TableRelay)
		for i, h := range hashes {
			r, err := readRow(table, h)
			if err != nil {
				return err
			}
			rows[i] = r
		}
		return nil
	})
	return rows, err
}

// ack forgets outcomes. What is queued or unknown is left alone: acknowledging
// twice is harmless.
func (s *Service) ack(in *pb.AckOutcomes) error {
	hashes, err := s.handles(in.Handles)
	if err != nil {
		return err
	}
	return s.drop(KindOutcomeAcknowledged, hashes, func(table eventlog.Reader, h wire.HandleHash) (uint64, error) {
		if seq := s.states.claim(h); seq != 0 {
			return seq, nil // it is there: nobody else has claimed it
		}
		r, err := readRow(table, h)
		if err != nil || r == nil || r.state == stateQueued {
			return 0, err
		}
		return r.seq, nil
	})
}

// drop appends one event for each outcome that find names: it returns the event that
// made it, or 0.
func (s *Service) drop(kind eventlog.Kind, hashes []wire.HandleHash, find func(eventlog.Reader, wire.HandleHash) (uint64, error)) error {
	appended, err := s.cfg.Log.Decide(s.ctx, func(_ time.Time, t eventlog.Tables) ([]eventlog.Event, error) {
		table := t.Table(wire.TableRelay)
		events := make([]eventlog.Event, 0, len(hashes))
		seen := make(map[wire.HandleHash]bool, len(hashes))
		for _, h := range hashes {
			if seen[h] {
				continue
			}
			seen[h] = true
			seq, err := find(table, h)
			if err != nil {
				return nil, err
			}
			if seq != 0 {
				s.states.forget(h) // it may have been settled since it was looked for
				events = append(events, dropped(kind, h, seq))
			}
		}
		return events, nil
	})
	if err != nil {
		s.fail(err)
		return err
	}
	s.quota.outcome(-len(appended))
	return nil
}
