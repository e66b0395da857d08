package eventlog

import (
	"context"
	"strings"
	"sync/atomic"
)

// Memory holds what a memory log would have on disk. Its zero value is empty.
// One log at a time may use it.
type Memory struct {
	root  atomic.Pointer[treap]
	bytes atomic.Int64
	head  atomic.Pointer[Head]
}

// Clone returns a copy of what has been committed so far, as a disk has it after the
// machine stopped now. The log that uses m may go on.
func (m *Memory) Clone() *Memory {
	out := new(Memory)
	out.head.Store(m.head.Load()) // first: a head that is behind its rows is ordinary
	out.root.Store(m.root.Load())
	out.bytes.Store(m.bytes.Load())
	return out
}

// OpenMemory opens a log that keeps its rows in memory: for simulations and tests.
// It runs the same code as [Open] on another engine, and stores nothing durably. Free
// space is looked at only if Options.Statfs says how much there is.
func OpenMemory(o Options) (Log, error) {
	disk := o.Statfs != nil
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	if o.Memory == nil {
		o.Memory = new(Memory)
	}
	if !disk {
		o.DiskEvery = 0
	}
	o.HeadEvery, o.ScrubEvery, o.Ballast = 0, 0, 0
	l := newEventLog(o, "", memoryEngine{o.Memory}, memoryHead{o.Memory})
	if err := l.start(); err != nil {
		return nil, err
	}
	return l, nil
}

type memoryEngine struct{ m *Memory }

func (e memoryEngine) commit(rows []row) error {
	root := e.m.root.Load()
	size := e.m.bytes.Load()
	for _, r := range rows {
		key := string(r.key)
		if old, known := root.get(key); known {
			size -= int64(len(key) + len(old))
		}
		if r.value == nil {
			root = root.remove(key)
			continue
		}
		size += int64(len(key) + len(r.value))
		root = root.set(key, r.value)
	}
	e.m.bytes.Store(size)
	e.m.root.Store(root)
	return nil
}

func (e memoryEngine) snapshot() (snapshot, error)   { return memorySnapshot{e.m.root.Load()}, nil }
func (e memoryEngine) compact(context.Context) error { return nil }
func (e memoryEngine) reopen() error                 { return nil }
func (e memoryEngine) check(context.Context) error   { return nil }
func (e memoryEngine) size() int64                   { return e.m.bytes.Load() }
func (e memoryEngine) close() error                  { return nil }
func (e memoryEngine) abandon()                      {}

type memorySnapshot struct{ root *treap }

func (s memorySnapshot) get(key []byte) ([]byte, error) {
	value, _ := s.root.get(string(key))
	return value, nil
}

func (s memorySnapshot) value(key []byte) (value, error) {
	if v, known := s.root.get(string(key)); known {
		return held(v), nil
	}
	return nil, nil
}

func (s memorySnapshot) length(key []byte) (int, error) {
	value, _ := s.root.get(string(key))
	return len(value), nil
}

func (s memorySnapshot) scan(prefix, start []byte, fn func(key, value []byte) bool) error {
	p := string(prefix)
	s.root.ascend(max(p, string(start)), func(key string, value []byte) bool {
		return strings.HasPrefix(key, p) && fn([]byte(key), value)
	})
	return nil
}

func (s memorySnapshot) keys(prefix, start []byte, fn func(key []byte) bool) error {
	return s.scan(prefix, start, func(key, _ []byte) bool { return fn(key) })
}

func (s memorySnapshot) last(prefix, max []byte) (key, value []byte, err error) {
	if n := s.root.floor(string(max)); n != nil && strings.HasPrefix(n.key, string(prefix)) {
		return []byte(n.key), n.value, nil
	}
	return nil, nil, nil
}

// version is 0: a memory log is never replayed.
func (s memorySnapshot) version([]byte) (uint64, error) { return 0, nil }

func (s memorySnapshot) close() {}

// memoryHead keeps the newest head beside the rows.
type memoryHead struct{ m *Memory }

func (h memoryHead) read() (*Head, error) { return h.m.head.Load(), nil }
func (h memoryHead) write(head *Head) error {
	h.m.head.Store(head)
	return nil
}
func (h memoryHead) sync() error      { return nil }
func (h memoryHead) look() error      { return nil }
func (h memoryHead) close(bool) error { return nil }
