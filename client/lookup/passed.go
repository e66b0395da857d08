package lookup

import (
	"slices"
	"time"

	"communicator/directory/proof"
)

// Hold is how long a change may be taken back, by the manifest in force.
func (res Result) Hold() time.Duration { return res.hold }

// PassedOn is whether a name that was some key's is another one's now because that key has
// signed so, or one to which it was passed in this way: by rotations, as far as this lookup
// has read them. Undoers are keys that held the name before and may still take it back, by
// an undo, or by a veto and a rotation after it. What the namespace or its roots decide
// without these keys is none of this.
func (res Result) PassedOn(key proof.Key, undoers ...proof.Key) bool {
	own, passed := []proof.Key{key}, false
	for _, s := range append(slices.Clone(res.past), res.Statement) {
		change, _ := s.Change() // verified with the statement
		switch change {
		case proof.Rotation:
			passed = slices.Contains(own, s.Replaced) || slices.Contains(undoers, s.Replaced)
		case proof.Undo:
			passed = slices.Contains(own, s.Key) || slices.Contains(undoers, s.Key)
		default:
			passed = false
		}
		if passed {
			own = append(own, s.Key)
		}
	}
	return passed
}
