package dht

import (
	"time"

	"communicator/dht/record"

	recordlib "github.com/libp2p/go-libp2p-record"
)

// validator lets the library's store judge by dht/record.
type validator struct {
	workBits int
	now      func() time.Time
}

func validators(workBits int, now func() time.Time) recordlib.NamespacedValidator {
	v := validator{workBits, now}
	return recordlib.NamespacedValidator{record.Attest: v, record.Agent: v}
}

// Validate is what a value passes before it is stored.
func (v validator) Validate(key string, value []byte) error {
	return record.Validate(key, value, v.now(), v.workBits)
}

// Select is asked by the store with the new value first and the one that it has last.
// Of two different values with one sequence it keeps the one that it has: were either
// to win everywhere, the evidence that both exist would vanish.
func (v validator) Select(key string, values [][]byte) (int, error) {
	best, conflict, err := record.Select(key, values)
	if conflict {
		return len(values) - 1, err
	}
	return best, err
}
