package node

import (
	"crypto/ed25519"
	"crypto/rand"
	"testing"
	"time"

	"communicator/dht/record"
	"communicator/eventlog"
	"communicator/wire"
)

// TestPublishReservesNothingForRefused: what is refused takes no room in the list of what
// was published, and may be published once it is good.
func TestPublishReservesNothingForRefused(t *testing.T) {
	settings := testSettings()
	settings.DHT.WorkBits = 8
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	n := run(t, Config{Settings: settings, Key: key, Memory: &eventlog.Memory{}})
	defer n.end()
	_, zone, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	signed := func(name string, epoch wire.Epoch, bits int) []byte {
		b, err := record.Sign(zone, record.Secret(name, [32]byte{1}), record.Draft{Epoch: epoch, Version: 1, Payload: []byte(name)}, bits)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	week := record.EpochAt(now)
	good := signed("good", week, 8)
	broken := append([]byte(nil), good...)
	broken[len(broken)-1] ^= 1
	for what, c := range map[string]struct {
		records [][]byte
		want    wire.Status
	}{
		"not a record":             {[][]byte{good, []byte("record")}, wire.StatusMalformed},
		"a signature that is none": {[][]byte{good, broken}, wire.StatusMalformed},
		"of a year ago":            {[][]byte{good, signed("old", week-52, 8)}, wire.StatusMalformed},
		"one record twice":         {[][]byte{good, good}, wire.StatusTryAgain},
		"nobody to store it":       {[][]byte{good}, wire.StatusUnreachable},
	} {
		if got := wire.Status(n.publish(t.Context(), c.records).Status); got != c.want {
			t.Errorf("%s: %v, want %v", what, got, c.want)
		}
		if len(n.publisher.seen) != 0 {
			t.Errorf("%s: %d records are reserved", what, len(n.publisher.seen))
			clear(n.publisher.seen)
		}
	}
}
