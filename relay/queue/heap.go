package queue

// absent is the position of an element that is in no heap.
const absent = -1

// item is one submission.
type item struct {
	id       ID
	dest     *dest
	due      int64 // Unix nanoseconds: not to be sent before
	notAfter int64 // Unix nanoseconds: not to be sent from then on

	answersAtSend uint64 // the destination's answers when this was sent
	attempts      uint32
	failures      uint32 // of its own, since it was added
	flying        bool
	probe         bool // in flight to a destination that has not answered yet
	expired       bool // ran out of time in flight

	waitPos, expiryPos int32
}

// dest is one receiving agent at one URI, for as long as there is anything for it.
type dest struct {
	uri     string
	waiting heap[*item, byItemDue]

	at   int64  // when it could send next, while it is in the heap
	turn uint64 // order among those that could send at the same time

	until    int64  // Unix nanoseconds: paused before
	answers  uint64 // so far
	flying   int
	failures int
	proven   bool // it answered, and has not failed since
	probing  bool
	class    int // which of the queue's heaps it is, or was last, in
	pos      int32
}

// Classes of destinations.
const (
	unproven = iota
	proven
	classes
)

// full says whether the destination itself allows no more sends now.
func (d *dest) full(cfg *Config) bool {
	if !d.proven {
		return d.probing
	}
	return d.flying >= cfg.PerDestination
}

// order is a strict total order over elements that remember their position.
type order[T any] interface {
	less(a, b T) bool
	pos(T) *int32
}

type byDue struct{}

func (byDue) less(a, b *dest) bool { return a.at < b.at || a.at == b.at && a.turn < b.turn }
func (byDue) pos(d *dest) *int32   { return &d.pos }

type byItemDue struct{}

func (byItemDue) less(a, b *item) bool { return a.due < b.due || a.due == b.due && a.id < b.id }
func (byItemDue) pos(it *item) *int32  { return &it.waitPos }

type byExpiry struct{}

func (byExpiry) less(a, b *item) bool {
	return a.notAfter < b.notAfter || a.notAfter == b.notAfter && a.id < b.id
}
func (byExpiry) pos(it *item) *int32 { return &it.expiryPos }

// heap is a binary heap from which any element can be removed. Unlike
// container/heap it is typed, so that nothing is boxed.
type heap[T any, O order[T]] struct{ s []T }

func (h *heap[T, O]) len() int { return len(h.s) }
func (h *heap[T, O]) top() T   { return h.s[0] }

func (h *heap[T, O]) push(x T) {
	var o O
	h.s = append(h.s, x)
	*o.pos(x) = int32(len(h.s) - 1)
	h.up(len(h.s) - 1)
}

// remove does nothing if x is not in this heap.
func (h *heap[T, O]) remove(x T) {
	var o O
	var zero T
	i := int(*o.pos(x))
	if i < 0 {
		return
	}
	last := len(h.s) - 1
	h.swap(i, last)
	h.s[last] = zero
	h.s = h.s[:last]
	*o.pos(x) = absent
	if i < last {
		h.down(i)
		h.up(i)
	}
}

func (h *heap[T, O]) up(i int) {
	var o O
	for i > 0 {
		parent := (i - 1) / 2
		if !o.less(h.s[i], h.s[parent]) {
			return
		}
		h.swap(i, parent)
		i = parent
	}
}

func (h *heap[T, O]) down(i int) {
	var o O
	for {
		child := 2*i + 1
		if child >= len(h.s) {
			return
		}
		if child+1 < len(h.s) && o.less(h.s[child+1], h.s[child]) {
			child++
		}
		if !o.less(h.s[child], h.s[i]) {
			return
		}
		h.swap(i, child)
		i = child
	}
}

func (h *heap[T, O]) swap(i, j int) {
	var o O
	h.s[i], h.s[j] = h.s[j], h.s[i]
	*o.pos(h.s[i]), *o.pos(h.s[j]) = int32(i), int32(j)
}
