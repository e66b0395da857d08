package queue

// absent is the position of an element that is in no heap.
const absent = -1

// order is a strict total order over elements that remember their position.
type order[T any] interface {
	less(a, b T) bool
	pos(T) *int32
}

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
