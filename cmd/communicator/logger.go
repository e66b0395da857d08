package main

import (
	"context"
	"log/slog"
	"os"
	"sync/atomic"

	"communicator/node/config"
)

// lateLogger is a slog handler that logs as text until the configuration, which says
// how to log, has been read.
type lateLogger struct{ current atomic.Pointer[slog.Handler] }

func (l *lateLogger) set(c config.Log) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.Level)); err != nil {
		level = slog.LevelInfo // the configuration is validated elsewhere, with a better error
	}
	options := &slog.HandlerOptions{Level: level}
	var h slog.Handler = slog.NewTextHandler(os.Stderr, options)
	if c.Format == "json" {
		h = slog.NewJSONHandler(os.Stderr, options)
	}
	l.current.Store(&h)
}

func (l *lateLogger) handler() slog.Handler {
	if h := l.current.Load(); h != nil {
		return *h
	}
	return slog.NewTextHandler(os.Stderr, nil)
}

func (l *lateLogger) Enabled(ctx context.Context, level slog.Level) bool {
	return l.handler().Enabled(ctx, level)
}

func (l *lateLogger) Handle(ctx context.Context, r slog.Record) error {
	return l.handler().Handle(ctx, r)
}

// WithAttrs and WithGroup take the handler of the moment: a node adds to its logger
// after the configuration was read.
func (l *lateLogger) WithAttrs(attrs []slog.Attr) slog.Handler { return l.handler().WithAttrs(attrs) }
func (l *lateLogger) WithGroup(name string) slog.Handler       { return l.handler().WithGroup(name) }
