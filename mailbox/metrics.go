package mailbox

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"

	"communicator/wire"
)

// Metrics count requests and outcomes. No label names a peer, account, mailbox or
// blob, and none tells a silent mailbox from a live one.
type Metrics struct {
	requests *prometheus.CounterVec // op, status
	puts     *prometheus.CounterVec // result
	opening  prometheus.Histogram
	waiting  prometheus.Gauge
	watches  prometheus.Gauge
	streams  *prometheus.GaugeVec // protocol
	erased   *prometheus.CounterVec
}

// NewMetrics makes the collectors and registers them; with nil they only count.
func NewMetrics(reg prometheus.Registerer) (*Metrics, error) {
	const ns, sub = "communicator", "mailbox"
	counters := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: ns, Subsystem: sub, Name: name, Help: help}, labels)
	}
	gauge := func(name, help string) prometheus.GaugeOpts {
		return prometheus.GaugeOpts{Namespace: ns, Subsystem: sub, Name: name, Help: help}
	}
	m := &Metrics{
		requests: counters("requests_total", "Requests answered, by operation and status.", "op", "status"),
		puts:     counters("puts_total", "Puts taken, by what the sender learns.", "outcome"),
		erased:   counters("erased_total", "Deliveries and blobs erased, by reason.", "reason"),
		opening: prometheus.NewHistogram(prometheus.HistogramOpts{
			Namespace: ns, Subsystem: sub, Name: "open_wait_seconds",
			Help:    "Time from accepting a put to having opened its seal.",
			Buckets: prometheus.ExponentialBuckets(0.000125, 4, 8),
		}),
		waiting: prometheus.NewGauge(gauge("open_waiting", "Puts waiting for a worker.")),
		watches: prometheus.NewGauge(gauge("watches", "Watches that are open.")),
		streams: prometheus.NewGaugeVec(gauge("streams", "Streams that are open, by protocol."), []string{"protocol"}),
	}
	if reg == nil {
		return m, nil
	}
	var err error
	for _, c := range []prometheus.Collector{m.requests, m.puts, m.erased, m.opening, m.waiting, m.watches, m.streams} {
		err = errors.Join(err, reg.Register(c))
	}
	return m, err
}

func (m *Metrics) request(op string, status wire.Status) {
	m.requests.WithLabelValues(op, status.String()).Inc()
}
