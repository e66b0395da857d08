package node

import (
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"time"

	"communicator/eventlog"
	"communicator/node/admin"
	"communicator/wire"
)

// The methods in this file make a Node an [admin.Service].
var _ admin.Service = (*Node)(nil)

// openAdmin opens the socket and the loopback port. A node without a directory has
// neither.
func (n *Node) openAdmin() (err error) {
	if n.config.Dir == "" {
		return nil
	}
	n.admin, err = admin.Listen(admin.Config{
		Dir: n.config.Dir, Listen: n.settings.Admin.Listen, Service: n,
		Metrics: n.metrics.registry, Health: n.health, Logger: n.logger,
	})
	return err
}

// Status implements [admin.Service].
func (n *Node) Status(context.Context) (admin.Status, error) {
	s := admin.Status{
		Version: n.config.Version, Started: n.started, Running: true,
		URI: n.URI(), Agent: hex.EncodeToString(n.id[:]),
		Roles: n.settings.Roles, Policy: string(n.settings.Access.Policy),
		Conns: len(n.host.Network().Conns()), Problems: n.problems(),
	}
	s.Clock.Trusted, s.Clock.LastTrusted, s.Clock.Now = n.clock.report()
	state := n.log.State()
	s.Log = admin.Log{Health: admin.HealthText(state.Health), Reason: state.Reason}
	if d, _, ok := n.chain.current(); ok {
		s.Descriptor = admin.Descriptor{Sequence: d.Sequence, Issued: d.Issued, Addresses: d.Addrs}
	}
	stat, err := n.log.Stat()
	if err != nil {
		return s, err
	}
	s.Stat = &stat
	if s.Drain, err = n.drain(stat); err != nil {
		return s, err
	}
	counts, err := n.access.Counts()
	s.Accounts, s.TokenUses = counts.Accounts, counts.TokenUses
	return s, err
}

// problems are what an operator should look at, most urgent first.
func (n *Node) problems() []string {
	list := []string{}
	state := n.log.State()
	switch state.Health {
	case eventlog.Failed:
		list = append(list, "the log failed: restart the node ("+state.Reason+")")
	case eventlog.ReadOnly:
		list = append(list, "the log is damaged, collecting works and nothing else: see the handbook ("+state.Reason+")")
	case eventlog.DiskLow:
		list = append(list, "the disk is nearly full: senders are told to wait ("+state.Reason+")")
	}
	if trusted, good, wall := n.clock.report(); !trusted {
		list = append(list, fmt.Sprintf("the clock jumped from %s to %s: set it right, or run \"communicator node confirm-clock\"",
			good.UTC().Format(time.RFC3339), wall.UTC().Format(time.RFC3339)))
	}
	if len(n.addresses()) == 0 {
		list = append(list, "no address that others could reach: set announce in the configuration")
	}
	return list
}

// health is the short answer for a load balancer or a watchdog.
func (n *Node) health() admin.Health {
	state := n.log.State()
	switch {
	case state.Health >= eventlog.ReadOnly:
		return admin.Health{Reason: admin.HealthText(state.Health)}
	case !n.clock.Trusted():
		return admin.Health{Reason: "clock not trusted"}
	}
	return admin.Health{OK: true, Reason: admin.HealthText(state.Health)}
}

// NewToken implements [admin.Service].
func (n *Node) NewToken(ctx context.Context, uses int) (string, error) {
	uri, err := n.uri()
	if err != nil {
		return "", err
	}
	token, err := n.access.IssueToken(ctx, uses)
	if err != nil {
		return "", err
	}
	return uri.WithToken(token), nil
}

// Drain implements [admin.Service].
func (n *Node) Drain(ctx context.Context, on bool) (admin.Drain, error) {
	if err := n.access.SetDraining(ctx, on); err != nil {
		return admin.Drain{}, err
	}
	n.draining.Store(on)
	if n.mailbox != nil {
		n.mailbox.SetDraining(on)
	}
	if err := n.renew(); err != nil {
		return admin.Drain{}, err
	}
	stat, err := n.log.Stat()
	if err != nil {
		return admin.Drain{}, err
	}
	return n.drain(stat)
}

// drain says how far leaving has come. It is over when nothing is stored any more,
// and at the latest when everything that was stored when it began has expired.
func (n *Node) drain(stat eventlog.Stat) (admin.Drain, error) {
	d := admin.Drain{Bodies: stat.Bodies}
	since, err := n.access.Draining()
	if err != nil || since.IsZero() {
		return d, err
	}
	d.Draining, d.Since = true, since
	d.Until = since.Add(max(time.Duration(n.settings.Storage.Retention), wire.MaxPutLife+wire.OutcomeGrace))
	d.Done = d.Bodies == 0 || n.Now().After(d.Until)
	return d, nil
}

// Backup implements [admin.Service].
func (n *Node) Backup(ctx context.Context, w io.Writer) error {
	return writeBackup(ctx, w, n.config.Dir, n.log)
}

// LogStat implements [admin.Service].
func (n *Node) LogStat(context.Context) (eventlog.Stat, error) { return n.log.Stat() }

// LogVerify implements [admin.Service].
func (n *Node) LogVerify(ctx context.Context) (eventlog.Report, error) { return n.log.Verify(ctx) }

// LogReclaim implements [admin.Service].
func (n *Node) LogReclaim(ctx context.Context) error { return n.log.Reclaim(ctx) }

// ConfirmClock implements [admin.Service].
func (n *Node) ConfirmClock(_ context.Context, seen time.Time) error {
	if err := n.clock.confirm(seen); err != nil {
		return err
	}
	n.trusted.Store(true)
	n.logger.Info("the clock was confirmed")
	return n.renew()
}
