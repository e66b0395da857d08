package mailbox

import (
	"runtime"
	"time"

	"communicator/mailbox/address"
	"communicator/mailbox/admit"
	"communicator/wire"
)

// incoming is a put that passed every check that needs no key.
type incoming struct {
	keyID    wire.KeyID
	sealed   []byte
	payload  []byte
	notAfter time.Time
}

// opening is a put on its way through a worker.
type opening struct {
	incoming
	queued time.Time
	done   chan struct{} // closed by the worker, after which the rest may be read

	hash   wire.PayloadHash
	opened bool // the seal: the sender can be answered
	valid  bool // the tag: the put comes from a holder of the address
	reply  address.OutcomeSealer
	put    admit.Put
	// remembered are the ids under which an earlier delivery of the put may be known:
	// one for each week in which a put that is not void yet can end.
	remembered []remembered
	keys       bool // every replay key was there
	stored     bool // set on the request's goroutine: the log has it, or may have it
}

type remembered struct {
	week wire.Epoch
	id   admit.ReplayID
}

// openings hands seals to the workers: public-key work never runs on a goroutine
// that reads a stream. Peers whose puts were good before go first, so that a flood of
// strangers makes only strangers wait; peers that sent too many bad seals come last.
// Those of them that never sent a good one get little even when nobody waits: what they
// take of the processor, everything else in the agent lacks. Others that are suspect may
// be sending agents with a hostile client, and are not slowed down. The queues of both
// are short.
type openings struct {
	known, fresh, suspect, hostile chan *opening
}

func newOpenings(queue, suspect int) *openings {
	return &openings{make(chan *opening, queue), make(chan *opening, queue), make(chan *opening, suspect), make(chan *opening, suspect)}
}

// offer queues a put, or says that there is no room.
func (q *openings) offer(o *opening, known, suspect bool) bool {
	queue := q.fresh
	switch {
	case suspect && !known:
		queue = q.hostile
	case suspect:
		queue = q.suspect
	case known:
		queue = q.known
	}
	select {
	case queue <- o:
		return true
	default:
		return false
	}
}

// next waits for a put; nil when done is closed.
func (q *openings) next(done <-chan struct{}) *opening {
	select {
	case o := <-q.known:
		return o
	default:
	}
	select {
	case o := <-q.known:
		return o
	case o := <-q.fresh:
		return o
	default:
	}
	select {
	case o := <-q.known:
		return o
	case o := <-q.fresh:
		return o
	case o := <-q.suspect:
		return o
	case <-done:
		return nil
	}
}

// pace lets one hostile put at a time in among the suspect ones, at an interval, until
// done is closed.
func (q *openings) pace(interval time.Duration, done <-chan struct{}) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		var o *opening
		select {
		case o = <-q.hostile:
		case <-done:
			return
		}
		select {
		case q.suspect <- o:
		case <-done:
			return
		}
		select {
		case <-tick.C:
		case <-done:
			return
		}
	}
}

func (s *Service) startWorkers() {
	s.workers.Go(func() { s.openings.pace(hostileEvery, s.ctx.Done()) })
	for range runtime.GOMAXPROCS(0) {
		s.workers.Go(func() {
			for o := s.openings.next(s.ctx.Done()); o != nil; o = s.openings.next(s.ctx.Done()) {
				s.cfg.Metrics.waiting.Dec()
				s.open(o)
				close(o.done)
			}
		})
	}
}

// open decrypts the seal and checks what follows from it without looking anything up.
func (s *Service) open(o *opening) {
	o.hash = wire.HashPayload(o.payload)
	key := s.cfg.Keyring.Seal(o.keyID)
	if key == nil {
		return
	}
	opened, err := address.Open(key, s.cfg.Agent, o.sealed, o.hash, o.notAfter)
	if err != nil {
		return
	}
	o.opened, o.reply = true, opened.Reply
	if address.CheckLife(opened.Epoch, opened.Caps, opened.Expires, o.notAfter) != nil {
		return
	}
	secret, ok := s.cfg.Keyring.AddressSecret(opened.Epoch, opened.Caps)
	if !ok || opened.Verify(secret, s.cfg.Agent, o.hash, o.notAfter) != nil {
		return
	}
	o.valid = true
	o.put = admit.Put{Mailbox: opened.Mailbox, NotAfter: admit.HourAt(o.notAfter), Size: len(o.payload)}
	o.keys = s.rememberedAs(o)
}

// rememberedAs computes the ids that the put is, or may be, remembered under. An
// earlier put of the same payload may have ended in another week.
func (s *Service) rememberedAs(o *opening) bool {
	own := o.put.NotAfter.Week()
	last := wire.EpochAt(o.queued.Add(wire.MaxPutLife + address.ClockSkew))
	for week := wire.EpochAt(o.queued); week <= last; week++ {
		id, ok := s.cfg.Keyring.ReplayID(week, o.put.Mailbox, o.hash)
		if !ok {
			return false
		}
		if week == own {
			o.put.Replay = id
		}
		o.remembered = append(o.remembered, remembered{week, id})
	}
	return true
}
