package eventlog

import (
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
)

// fatalMessages are what Badger logs, and goes on, where a write did not reach the
// disk.
var fatalMessages = []string{"curlf sync", "flushing memtable to disk"}

// badgerLogger passes Badger's warnings on without the values in them, which may
// be keys, and keeps the first message that means lost writes.
type badgerLogger struct {
	log     *slog.Logger
	fatal   atomic.Pointer[error]
	stopped chan struct{} // closed once fatal is set
	onStop  func(error)   // told at once
}

func newBadgerLogger(log *slog.Logger, onStop func(error)) *badgerLogger {
	return &badgerLogger{log: log, stopped: make(chan struct{}), onStop: onStop}
}

// broken is the reason why nothing more may be written, or nil.
func (b *badgerLogger) broken() error {
	if err := b.fatal.Load(); err != nil {
		return *err
	}
	return nil
}

func (b *badgerLogger) Errorf(format string, args ...any) {
	var cause error
	for _, a := range args {
		if err, ok := a.(error); ok {
			cause = storeError("background", err)
		}
	}
	for _, m := range fatalMessages {
		if strings.Contains(format, m) {
			err := fmt.Errorf("the store could not sync: %w", cause)
			if b.fatal.CompareAndSwap(nil, &err) {
				close(b.stopped)
				b.onStop(err)
			}
		}
	}
	b.log.Error("badger", "message", strings.TrimSpace(format), "error", cause)
}

func (b *badgerLogger) Warningf(format string, _ ...any) {
	b.log.Warn("badger", "message", strings.TrimSpace(format))
}

func (b *badgerLogger) Infof(string, ...any)  {}
func (b *badgerLogger) Debugf(string, ...any) {}
