package memnet

import (
	"sync"
	"time"
)

// link is a connection's wire: two ends and, for each of them, the frames on their
// way to it.
//
// A direction's timer is armed exactly while the direction has frames in flight
// and the link is not cut.
type link struct {
	net  *Network
	num  uint64
	ends [2]*conn

	mu      sync.Mutex // guards what follows; no frame is delivered under it
	dirs    [2]direction
	cut     bool
	breaker *time.Timer // pending reset of a link that is cut
	dead    bool
}

// direction carries frames to the end of its index.
type direction struct {
	queue   []flight
	head    int       // the first frame of queue not yet delivered
	last    time.Time // when the last frame of queue arrives
	timer   *time.Timer
	running bool // a timer's function is delivering
}

// flight is a frame on its way.
type flight struct {
	at      time.Time
	deliver func()
}

func newLink(n *Network, num uint64) *link { return &link{net: n, num: num} }

// send puts a frame of size bytes of payload on the wire to end to.
func (l *link) send(to int, size int, deliver func()) {
	from, dest := l.ends[1-to].localID, l.ends[to].localID
	l.net.observe(Sent, l.num, from, dest, size+frameOverhead)
	delay := l.net.delay(from, dest, size+frameOverhead)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.dead {
		return
	}
	d := &l.dirs[to]
	at := time.Now().Add(delay)
	if at.Before(d.last) {
		at = d.last
	}
	d.last = at
	d.queue = append(d.queue, flight{at, deliver})
	if d.head == len(d.queue)-1 {
		l.arm(to)
	}
}

// arm sets the direction's timer for its first frame. l.mu is held.
func (l *link) arm(to int) {
	d := &l.dirs[to]
	if l.cut || l.dead || d.running || d.head == len(d.queue) {
		return
	}
	wait := time.Until(d.queue[d.head].at)
	if d.timer == nil {
		d.timer = time.AfterFunc(wait, func() { l.run(to) })
	} else {
		d.timer.Reset(wait)
	}
}

// run delivers what is due to end to. One run at a time keeps the order.
func (l *link) run(to int) {
	l.mu.Lock()
	d := &l.dirs[to]
	if d.running {
		l.mu.Unlock()
		return
	}
	d.running = true
	for !l.dead && !l.cut && d.head < len(d.queue) && !d.queue[d.head].at.After(time.Now()) {
		f := d.queue[d.head]
		d.queue[d.head] = flight{}
		d.head++
		if d.head == len(d.queue) {
			d.queue, d.head = d.queue[:0], 0
		}
		l.mu.Unlock()
		f.deliver()
		l.mu.Lock()
	}
	d.running = false
	l.arm(to)
	l.mu.Unlock()
}

// setCut cuts the link or joins it again. What was on its way when it was cut is
// sent again once it is joined.
func (l *link) setCut(cut bool) {
	var delays [2]time.Duration
	if !cut {
		for to := range delays {
			delays[to] = l.net.delay(l.ends[1-to].localID, l.ends[to].localID, frameOverhead)
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.dead || l.cut == cut {
		return
	}
	l.cut = cut
	if cut {
		l.breaker = time.AfterFunc(BreakAfter, l.abort)
		for i := range l.dirs {
			l.dirs[i].stop()
		}
		return
	}
	l.breaker.Stop()
	now := time.Now()
	for to := range l.dirs {
		d := &l.dirs[to]
		for i := d.head; i < len(d.queue); i++ {
			if again := now.Add(delays[to]); d.queue[i].at.Before(again) {
				d.queue[i].at = again
			}
			d.last = d.queue[i].at
		}
		l.arm(to)
	}
}

// abort resets both ends at once.
func (l *link) abort() {
	l.kill()
	for _, end := range l.ends {
		end.reset(false, 0)
	}
}

// hangUp is called by each end as it closes; when both have, the wire goes.
func (l *link) hangUp() {
	for _, end := range l.ends {
		if !end.IsClosed() {
			return
		}
	}
	l.kill()
}

func (l *link) kill() {
	l.mu.Lock()
	l.dead = true
	for i := range l.dirs {
		l.dirs[i].stop()
		l.dirs[i].queue, l.dirs[i].head = nil, 0
	}
	if l.breaker != nil {
		l.breaker.Stop()
	}
	l.mu.Unlock()
	l.net.removeLink(l)
}

func (d *direction) stop() {
	if d.timer != nil {
		d.timer.Stop()
	}
}
