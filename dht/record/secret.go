package record

import (
	"time"

	"communicator/wire"

	"golang.org/x/crypto/argon2"
)

// NameSecret is what a name is turned into before anything leaves the machine. Names
// can be guessed: the secret costs whoever tries a list of them 32 MiB and some
// hundredths of a second each, once for each namespace. Keep it instead of computing
// it again.
type NameSecret [32]byte

// Secret derives the secret of a name, in the form that its namespace prescribes, from
// the namespace's id.
func Secret(name string, namespace [32]byte) NameSecret {
	return NameSecret(argon2.IDKey([]byte(name), namespace[:], argonTime, argonMemory, argonThreads, keySize))
}

// String keeps the secret out of logs.
func (NameSecret) String() string { return "name secret" }

// GoString is [NameSecret.String] for %#v.
func (s NameSecret) GoString() string { return s.String() }

// EpochAt returns the week whose records are looked up at t.
func EpochAt(t time.Time) wire.Epoch { return wire.EpochAt(t) }

// Window returns the longest time for which a record of the epoch may be valid: the
// week and [Overlap] on both sides.
func Window(e wire.Epoch) (notBefore, notAfter time.Time) {
	end := e.End()
	return end.Add(-wire.EpochLength - Overlap), end.Add(Overlap)
}
