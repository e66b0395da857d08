package node

import (
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"communicator/directory"
	"communicator/eventlog"
	"communicator/mailbox"
	"communicator/node/access"
	"communicator/relay"
	"communicator/wire"
)

// Projections are the tables of a node's log. They do not depend on its roles: a
// change of roles must not rebuild them.
func Projections() []eventlog.Projection {
	tables := relay.Projections()
	tables = append(tables, mailbox.Projections()...)
	tables = append(tables, directory.Projections()...)
	return append(tables, access.Projections()...)
}

// growing says which events are refused while the disk is low.
func growing(k eventlog.Kind) bool {
	return relay.Growing(k) || mailbox.Growing(k) || directory.Growing(k)
}

// knows says which events this program can read, whatever the node's roles.
func knows(k eventlog.Kind, version uint8) bool {
	return relay.Knows(k, version) || mailbox.Knows(k, version) || directory.Knows(k, version) || access.Knows(k, version)
}

// logOptions are how the log of a node with this key is opened.
func (n *Node) logOptions() eventlog.Options {
	o := eventlog.Options{
		Signer: n.key, Projections: Projections(), Growing: growing, Knows: knows,
		Now: n.logTime, Rand: n.config.Rand, Logger: n.logger, Memory: n.config.Memory,
		OnFail: func(err error) {
			select {
			case n.failed <- err:
			default:
			}
		},
	}
	if n.config.LogOptions != nil {
		n.config.LogOptions(&o)
	}
	return o
}

// logTime is the trusted time; while the log is being opened there is no guard yet.
func (n *Node) logTime() time.Time {
	if g := n.guard.Load(); g != nil {
		return g.Now()
	}
	return n.config.Now()
}

func (n *Node) openLog() (err error) {
	dir := n.config.LogDir
	if n.config.Dir != "" {
		dir = filepath.Join(n.config.Dir, logName)
	}
	if dir == "" {
		n.log, err = eventlog.OpenMemory(n.logOptions())
		return err
	}
	n.log, err = eventlog.Open(dir, n.logOptions())
	return ofNewer("the log", err)
}

// ofNewer says what to do about what a newer version has written.
func ofNewer(what string, err error) error {
	if errors.Is(err, wire.ErrVersion) {
		return fmt.Errorf("%s was written by a newer version of this program: install that, nothing was changed: %w", what, err)
	}
	return err
}

// newestRecord returns the time of the log's last event that has not been pruned,
// or the zero time.
func newestRecord(log eventlog.Log) (time.Time, error) {
	head := log.Head()
	if head.Count == 0 {
		return time.Time{}, nil
	}
	for r, err := range log.Records(head.Last()) {
		if err != nil {
			return time.Time{}, err
		}
		return r.Time, nil
	}
	return time.Time{}, nil
}
