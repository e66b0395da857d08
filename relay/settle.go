package relay

import (
	"context"

	"communicator/eventlog"
	"communicator/wire"
	"communicator/wire/pb"
)

// settlement is an answer that settles a submission, or the end of its time.
type settlement struct {
	entry   *entry
	event   eventlog.Event
	state   pb.OutcomeState_State
	outcome []byte      // FORWARDED
	status  wire.Status // REFUSED
}

// settlementOf makes a settlement of an answer that is one.
func settlementOf(e *entry, resp *pb.DeliverResponse) (settlement, bool) {
	s := settled{submitted: uint64(e.id), notAfter: e.notAfter}
	out := settlement{entry: e, status: wire.Status(resp.Status)}
	switch {
	case out.status == wire.StatusOK && len(resp.Outcome) == wire.OutcomeSize:
		out.state, out.outcome, out.status = pb.OutcomeState_FORWARDED, resp.Outcome, 0
		out.event = forwarded(e.handle, s, resp.Outcome)
	case forGood(out.status):
		out.state = pb.OutcomeState_REFUSED
		out.event = refusedEvent(e.handle, refused{s, out.status})
	default:
		return settlement{}, false
	}
	return out, true
}

// settling is a settlement on its way into the log.
type settling struct {
	settlement
	err error
}

// settle makes an answer durable, then tells whoever waits for it. It is stored even
// while the service closes, which would otherwise have to ask for it again.
//
// Nothing looks in the log whether the submission is still queued: for each row there is
// one entry, which is in flight, or waits, or was abandoned, and an answer that was
// stored takes it out of the queue.
func (s *Service) settle(a settlement) error {
	it := &settling{settlement: a}
	s.settlements.do(it)
	return it.err
}

// settleAll settles what came in together.
func (s *Service) settleAll(all []*settling) {
	events := make([]eventlog.Event, len(all))
	for i, it := range all {
		events[i] = it.event
	}
	appended, err := s.cfg.Log.Append(context.WithoutCancel(s.ctx), events...)
	if err != nil {
		s.fail(err)
	}
	for i, it := range all {
		if it.err = err; err == nil {
			s.settled(it.settlement, appended[i].Seq)
		}
	}
}

// settled follows the commit of Forwarded, Refused or Abandoned: the outcome is counted
// before the place is given back, so that the total never dips.
func (s *Service) settled(a settlement, seq uint64) {
	s.quota.outcome(1)
	s.quota.release(a.entry.account, int(a.entry.size))
	s.states.settled(a, seq)
}
