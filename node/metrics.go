package node

import (
	"errors"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"communicator/eventlog"
	"communicator/relay"
)

// metrics are the node's own registry. No label names a peer, an address, a
// mailbox or an account.
type metrics struct {
	registry *prometheus.Registry
	requests *prometheus.CounterVec // op, status
	forwards prometheus.Histogram
	streams  *prometheus.CounterVec // protocol, fault
	panics   prometheus.Counter
	upkeep   *prometheus.GaugeVec // what
}

func newMetrics(n *Node) (*metrics, error) {
	const ns = "communicator"
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: ns, Subsystem: "relay", Name: "requests_total",
			Help: "Requests answered and deliveries attempted, by operation and status."}, []string{"op", "status"}),
		forwards: prometheus.NewHistogram(prometheus.HistogramOpts{Namespace: ns, Subsystem: "relay", Name: "forward_seconds",
			Help: "Time of one attempt to deliver.", Buckets: prometheus.ExponentialBuckets(0.001, 4, 9)}),
		streams: prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: ns, Subsystem: "node", Name: "streams_total",
			Help: "Streams of the node itself that ended, by protocol and whether they ended in a fault."}, []string{"protocol", "fault"}),
		panics: prometheus.NewCounter(prometheus.CounterOpts{Namespace: ns, Subsystem: "node", Name: "handler_panics_total",
			Help: "Stream handlers that panicked."}),
		upkeep: prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: ns, Subsystem: "log", Name: "upkeep_timestamp_seconds",
			Help: "When upkeep of the log last succeeded."}, []string{"what"}),
	}
	gauge := func(sub, name, help string, value func() float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: ns, Subsystem: sub, Name: name, Help: help}, value)
	}
	counter := func(sub, name, help string, value func() float64) prometheus.Collector {
		return prometheus.NewCounterFunc(prometheus.CounterOpts{Namespace: ns, Subsystem: sub, Name: name, Help: help}, value)
	}
	stat := func(pick func(eventlog.Stat) float64) func() float64 {
		return func() float64 {
			s, err := n.log.Stat()
			if err != nil {
				return -1
			}
			return pick(s)
		}
	}
	var err error
	for _, c := range []prometheus.Collector{
		m.requests, m.forwards, m.streams, m.panics, m.upkeep,
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		gauge("node", "connections", "Connections that are open.", func() float64 { return float64(len(n.host.Network().Conns())) }),
		counter("node", "peers_shunned_total", "Times that a peer was disconnected for the streams that it wasted.",
			func() float64 { return float64(n.conduct.shunned.Load()) }),
		gauge("node", "clock_trusted", "1 while the machine's clock is trusted.", func() float64 { return truth(n.clock.Trusted()) }),
		gauge("node", "draining", "1 while the agent is leaving.", func() float64 { return truth(n.draining.Load()) }),
		gauge("node", "descriptor_sequence", "Number of the descriptor that is served.", func() float64 {
			d, _, _ := n.chain.current()
			return float64(d.Sequence)
		}),
		gauge("log", "health", "0 healthy, 1 disk low, 2 read-only, 3 failed.", func() float64 { return float64(n.log.State().Health) }),
		gauge("log", "body_bytes", "Bytes of bodies stored, -1 if unknown.", stat(func(s eventlog.Stat) float64 { return float64(s.BodyBytes) })),
		gauge("relay", "queued", "Submissions that no receiving agent has taken yet.", n.relayStat(func(s relay.Stat) int { return s.Queued })),
		gauge("relay", "in_flight", "Deliveries under way.", n.relayStat(func(s relay.Stat) int { return s.InFlight })),
		gauge("relay", "destinations", "Receiving agents with something queued.", n.relayStat(func(s relay.Stat) int { return s.Destinations })),
		gauge("relay", "destinations_paused", "Of them, those that did not answer or asked to wait.", n.relayStat(func(s relay.Stat) int { return s.Paused })),
	} {
		err = errors.Join(err, m.registry.Register(c))
	}
	return m, err
}

func (n *Node) relayStat(pick func(relay.Stat) int) func() float64 {
	return func() float64 {
		if n.relay == nil {
			return 0
		}
		return float64(pick(n.relay.Stat()))
	}
}

// relayed counts what the sending agent did.
func (m *metrics) relayed(r relay.Result) {
	m.requests.WithLabelValues(string(r.Op), r.Status.String()).Inc()
	if r.Op == relay.OpForward {
		m.forwards.Observe(r.Took.Seconds())
	}
}

// stream counts a stream of the node itself.
func (m *metrics) stream(protocol string, err error) {
	m.streams.WithLabelValues(protocol, strconv.FormatBool(err != nil)).Inc()
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
