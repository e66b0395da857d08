package model

// lookups is the model of the overlay in which names lie.
type lookups struct{}

func (l *lookups) begin(*world) {}

func (w *world) onLookupEnds(*event) {}
