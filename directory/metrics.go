package directory

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"

	"communicator/wire"
)

// Metrics count requests. No label names a peer, a name or a namespace, and none tells a
// refusal from another.
type Metrics struct {
	requests   *prometheus.CounterVec // op, status
	contacts   *prometheus.CounterVec // answer
	statements prometheus.Counter
	streams    prometheus.Gauge
}

// NewMetrics makes the collectors and registers them; with nil they only count.
func NewMetrics(reg prometheus.Registerer) (*Metrics, error) {
	const ns, sub = "communicator", "directory"
	counter := func(name, help string) prometheus.CounterOpts {
		return prometheus.CounterOpts{Namespace: ns, Subsystem: sub, Name: name, Help: help}
	}
	m := &Metrics{
		requests: prometheus.NewCounterVec(counter("requests_total", "Requests answered, by operation and status."),
			[]string{"op", "status"}),
		contacts: prometheus.NewCounterVec(counter("contacts_total", "Contact requests, by what the asker learns."),
			[]string{"answer"}),
		statements: prometheus.NewCounter(counter("statements_total", "Statements logged.")),
		streams: prometheus.NewGauge(prometheus.GaugeOpts{
			Namespace: ns, Subsystem: sub, Name: "streams", Help: "Streams that are open.",
		}),
	}
	if reg == nil {
		return m, nil
	}
	var err error
	for _, c := range []prometheus.Collector{m.requests, m.contacts, m.statements, m.streams} {
		err = errors.Join(err, reg.Register(c))
	}
	return m, err
}

func (m *Metrics) request(op string, status wire.Status) {
	m.requests.WithLabelValues(op, status.String()).Inc()
}
