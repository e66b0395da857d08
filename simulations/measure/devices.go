package measure

import (
	"time"

	"communicator/simulations/script"
)

// devices follows the script's changes to know whose device was on without a break.
type devices struct {
	changes []script.Change // those that are still to come
	since   []time.Duration // by user: when the device was last switched; below 0: it is off
}

func newDevices(s *script.Script) devices {
	return devices{changes: s.Changes, since: make([]time.Duration, len(s.Users))}
}

// advance applies what happened until now.
func (d *devices) advance(now time.Duration) {
	for ; len(d.changes) > 0 && d.changes[0].At <= now; d.changes = d.changes[1:] {
		c := d.changes[0]
		if c.Act != script.On && c.Act != script.Off {
			continue
		}
		for _, u := range c.Users {
			if off := d.since[u] < 0; off == (c.Act == script.On) { // it changes
				d.since[u] = c.At
				if c.Act == script.Off {
					d.since[u] = -1
				}
			}
		}
	}
}

// on says whether a user's device has been on since then.
func (d *devices) on(user int32, then time.Duration) bool {
	return user < 0 || int(user) >= len(d.since) || d.since[user] >= 0 && d.since[user] <= then
}

// healed is when the last fault of a script ended; false if none did.
func healed(s *script.Script) (time.Duration, bool) {
	for i := len(s.Changes) - 1; i >= 0; i-- {
		switch c := s.Changes[i]; c.Act {
		case script.Heal, script.Start, script.Thaw, script.Free:
			return c.At, true
		case script.Loss:
			if c.Value <= s.Network.Loss() {
				return c.At, true
			}
		case script.Slow:
			if c.Value == 1 {
				return c.At, true
			}
		}
	}
	return 0, false
}
