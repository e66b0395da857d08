package model

const (
	chunkBits = 10
	chunkSize = 1 << chunkBits
)

// arena holds values in chunks, so that pointers to them stay valid, and gives freed places
// out again. Place 0 is never given out: it stands for none.
type arena[T any] struct {
	chunks []*[chunkSize]T
	used   uint32
	free   []uint32
}

func (a *arena[T]) at(i uint32) *T { return &a.chunks[i>>chunkBits][i&(chunkSize-1)] }

// new returns a place with the zero value, or what was left there by release.
func (a *arena[T]) new() (uint32, *T) {
	if n := len(a.free); n > 0 {
		i := a.free[n-1]
		a.free = a.free[:n-1]
		return i, a.at(i)
	}
	if a.used == 0 {
		a.used = 1
	}
	if int(a.used>>chunkBits) == len(a.chunks) {
		a.chunks = append(a.chunks, new([chunkSize]T))
	}
	i := a.used
	a.used++
	return i, a.at(i)
}

// release gives a place back. Its value stays until it is given out again.
func (a *arena[T]) release(i uint32) { a.free = append(a.free, i) }

// live is how many places are given out.
func (a *arena[T]) live() int { return max(int(a.used)-1, 0) - len(a.free) }
