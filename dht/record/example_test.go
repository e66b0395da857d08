package record_test

import (
	"crypto/ed25519"
	"fmt"
	"time"

	"communicator/dht/record"
)

// A namespace signs what it says about a name for one week; whoever knows the name, the
// namespace's id and its zone key finds and opens it.
func Example() {
	zone := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	namespace := [32]byte{1, 2, 3}
	now := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	week := record.EpochAt(now)

	secret := record.Secret("alice", namespace)
	signed, err := record.Sign(zone, secret, record.Draft{Epoch: week, Version: 1, Payload: []byte("statement")}, record.WorkBits)
	if err != nil {
		panic(err)
	}

	public := zone.Public().(ed25519.PublicKey)
	blind, err := record.Blind(public, secret, week)
	if err != nil {
		panic(err)
	}
	for _, key := range blind.Locations() {
		if err := record.Validate(key, signed, now, record.WorkBits); err != nil {
			panic(err)
		}
	}
	payload, header, err := record.Open(public, secret, week, signed)
	fmt.Printf("%d bytes at %d places: version %d, %q, %v\n", len(signed), record.Copies, header.Version, payload, err)
	// Output: 2216 bytes at 3 places: version 1, "statement", <nil>
}
