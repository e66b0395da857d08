package measure

import "time"

// maxSlices bounds into how many slices a run is cut for charts over time.
const maxSlices = 240

// widths are those that a slice may have.
var widths = []time.Duration{time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second, 30 * time.Second,
	time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 30 * time.Minute,
	time.Hour, 2 * time.Hour, 6 * time.Hour, 24 * time.Hour}

// slice is a piece of virtual time.
type slice struct {
	row     MinuteRow
	latency Histogram // µs, of messages sent in it
	bytes   Histogram // stored, of agents heard of in it
	up      time.Duration
}

// timeline is a run in slices.
type timeline struct {
	width  time.Duration
	slices []slice
}

func newTimeline(end time.Duration) timeline {
	t := timeline{width: widths[len(widths)-1]}
	for _, w := range widths {
		if (end+w-1)/w <= maxSlices {
			t.width = w
			break
		}
	}
	return t
}

// at is the slice of a time.
func (t *timeline) at(now time.Duration) *slice {
	i := int(min(max(now, 0)/t.width, maxSlices)) // what is later than the script's end counts at it
	for len(t.slices) <= i {
		t.slices = append(t.slices, slice{})
	}
	return &t.slices[i]
}

// spread adds what was up from one time to another to the slices between.
func (t *timeline) spread(from, to time.Duration, agents int) {
	for from < to {
		next := min((from/t.width+1)*t.width, to)
		t.at(from).up += (next - from) * time.Duration(agents)
		from = next
	}
}
