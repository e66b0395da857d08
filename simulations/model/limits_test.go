package model

import (
	"reflect"
	"testing"
	"time"

	"communicator/client"
	"communicator/client/transport"
	"communicator/mailbox"
	"communicator/particle"
	"communicator/simulations/memnet"
	"communicator/wire"
)

// TestLimitsAreTheProducts compares what is written again here with what is exported there.
func TestLimitsAreTheProducts(t *testing.T) {
	for _, c := range []struct {
		name        string
		here, there any
	}{
		{"messageLife", time.Duration(messageLife), time.Duration(client.DefaultLife)},
		{"answerDelay", answerDelay, client.DefaultAckDelay},
		{"dialTimeout", dialTimeout, transport.DialTimeout},
		{"callTimeout", callTimeout, transport.CallTimeout},
		{"quotas", quotas, mailbox.DefaultLimits().Quotas},
		{"maxOpenSets", maxOpenSets, particle.MaxOpenSets},
		{"perAgent", perAgent, transport.DefaultMaxPerAgent},
		{"breakAfter", breakAfter, memnet.BreakAfter},
	} {
		if !reflect.DeepEqual(c.here, c.there) {
			t.Errorf("%s is %v, the product's %v", c.name, c.here, c.there)
		}
	}
}

// TestSizes: what a put carries is a bucket and the wrap around it.
func TestSizes(t *testing.T) {
	for _, c := range []struct {
		text int32
		want int32
	}{{0, 4 << 10}, {100, 4 << 10}, {2000, 8 << 10}, {16 << 10, 32 << 10}} {
		if got := payloadSize(c.text, true); got != c.want+wire.WrapOverhead {
			t.Errorf("%d bytes of text make %d, not %d", c.text, got, c.want)
		}
		if bare := payloadSize(c.text, false); bare >= c.want || bare <= c.text {
			t.Errorf("%d bytes of text make %d without padding", c.text, bare)
		}
	}
}
