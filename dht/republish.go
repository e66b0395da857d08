package dht

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"communicator/dht/record"
	"communicator/wire"
)

// Publisher is what a [Republisher] publishes through: a [DHT], or whatever carries
// records to a node for a client that does not want to be seen publishing.
type Publisher interface {
	Publish(ctx context.Context, entries ...Entry) (Report, error)
}

// Publication is a record and when it is to be found.
type Publication struct {
	Entries             []Entry
	NotBefore, NotAfter time.Time // NotAfter zero: until it is replaced
}

// Attestation is the publication of an attestation record, for as long as it is valid.
func Attestation(value []byte) (Publication, error) {
	r, err := record.Parse(value)
	if err != nil {
		return Publication{}, err
	}
	entries, err := Entries(value)
	return Publication{Entries: entries, NotBefore: r.NotBefore, NotAfter: r.NotAfter}, err
}

// Descriptor is the publication of an agent's descriptor, until it is replaced.
func Descriptor(agent wire.AgentID, signed []byte) Publication {
	return Publication{Entries: []Entry{DescriptorEntry(agent, signed)}}
}

// RepublishConfig says how a [Republisher] works.
type RepublishConfig struct {
	Every time.Duration                           // 0: RepublishEvery; less than RecordAge
	Now   func() time.Time                        // nil: time.Now
	Rand  func(below time.Duration) time.Duration // nil: uniformly random
	// Settled says that what is set first has been published before, some time ago.
	Settled bool
}

// Republisher keeps a subject's records in the overlay, whose peers forget what nobody
// publishes again. The namespace hands over records for several epochs, so that it need
// not be there every week: a record whose time has not come waits.
type Republisher struct {
	to  Publisher
	cfg RepublishConfig

	mu    sync.Mutex // guards what follows; not held while publishing
	items []*item
	set   bool          // has been called
	woken chan struct{} // holds one token when Set was called
}

type item struct {
	Publication
	due    time.Time
	failed int // times in a row
	status PublicationStatus
}

// PublicationStatus is what became of one publication so far.
type PublicationStatus struct {
	NotAfter time.Time
	Last     time.Time // of the last attempt; zero: none yet
	Report   Report    // of the last attempt
	Err      error     // of the last attempt
	Next     time.Time
}

// NewRepublisher returns one without publications. Errors: [ErrConfig].
func NewRepublisher(to Publisher, cfg RepublishConfig) (*Republisher, error) {
	if cfg.Every == 0 {
		cfg.Every = RepublishEvery
	}
	if cfg.Every < 0 || cfg.Every >= RecordAge {
		return nil, ErrConfig
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Rand == nil {
		cfg.Rand = func(below time.Duration) time.Duration { return rand.N(below) }
	}
	return &Republisher{to: to, cfg: cfg, woken: make(chan struct{}, 1)}, nil
}

// Set replaces all publications. Those that it had before keep their times. Errors:
// [ErrTooMany] over [MaxPublications].
func (r *Republisher) Set(publications ...Publication) error {
	if len(publications) > MaxPublications {
		return ErrTooMany
	}
	r.mu.Lock()
	settled := r.cfg.Settled && !r.set
	var items []*item
	for _, p := range publications {
		if i := slices.IndexFunc(r.items, func(old *item) bool { return old.same(p) }); i >= 0 {
			items = append(items, r.items[i])
			continue
		}
		due := p.NotBefore
		if settled {
			due = later(due, r.cfg.Now().Add(r.cfg.Rand(r.cfg.Every)))
		}
		items = append(items, &item{Publication: p, due: due,
			status: PublicationStatus{NotAfter: p.NotAfter, Next: due}})
	}
	r.items, r.set = items, true
	r.mu.Unlock()
	select {
	case r.woken <- struct{}{}:
	default:
	}
	return nil
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

func (i *item) same(p Publication) bool {
	return slices.EqualFunc(i.Entries, p.Entries, func(a, b Entry) bool {
		return a.Key == b.Key && string(a.Value) == string(b.Value)
	})
}

// Status returns what became of each publication, in the order of [Republisher.Set].
// Those whose time is over are gone.
func (r *Republisher) Status() []PublicationStatus {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []PublicationStatus
	for _, i := range r.items {
		all = append(all, i.status)
	}
	return all
}

// Until returns the end of the last publication's time, after which the name is not
// found any more: fetch new records from the namespace before. Zero without any.
func (r *Republisher) Until() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	var until time.Time
	for _, i := range r.items {
		if i.NotAfter.After(until) {
			until = i.NotAfter
		}
	}
	return until
}

// Run publishes what is due, one after the other, until the context ends; it returns
// nil then. A failed attempt is repeated after a minute, doubling up to an hour.
func (r *Republisher) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		if i := r.due(); i != nil {
			r.attempt(ctx, i)
			continue
		}
		wait := time.NewTimer(r.idle())
		select {
		case <-wait.C:
		case <-r.woken:
		case <-ctx.Done():
		}
		wait.Stop()
	}
	return nil
}

// due drops what is over and returns what has waited longest, or nil.
func (r *Republisher) due() *item {
	now := r.cfg.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.items = slices.DeleteFunc(r.items, func(i *item) bool {
		return !i.NotAfter.IsZero() && !now.Before(i.NotAfter)
	})
	var first *item
	for _, i := range r.items {
		if !i.status.Last.IsZero() && i.due.Sub(now) > r.cfg.Every {
			i.due = now // the clock was set back
		}
		if !i.due.After(now) && (first == nil || i.due.Before(first.due)) {
			first = i
		}
	}
	return first
}

// idle is how long nothing is due.
func (r *Republisher) idle() time.Duration {
	now, wait := r.cfg.Now(), wakeAtLeast
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, i := range r.items {
		wait = min(wait, i.due.Sub(now))
	}
	return max(wait, 0)
}

func (r *Republisher) attempt(ctx context.Context, i *item) {
	report, err := r.to.Publish(ctx, i.Entries...)
	if ctx.Err() != nil {
		return
	}
	now := r.cfg.Now()
	wait := r.cfg.Every - r.cfg.Rand(max(r.cfg.Every/spread, 1))
	r.mu.Lock()
	defer r.mu.Unlock()
	if err == nil {
		i.failed = 0
	} else {
		wait = min(retryFirst<<min(i.failed, 10), retryMost, wait)
		i.failed++
	}
	i.due = now.Add(wait)
	i.status = PublicationStatus{NotAfter: i.NotAfter, Last: now, Report: report, Err: err, Next: i.due}
}
