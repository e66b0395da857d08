package eventlog

import (
	"bytes"
	"errors"

	"github.com/dgraph-io/badger/v4"
)

// badgerSnapshot is a read transaction.
type badgerSnapshot struct {
	e   *badgerEngine
	txn *badger.Txn
}

func (s *badgerSnapshot) close() {
	s.txn.Discard()
	s.e.gate.leave()
}

func (s *badgerSnapshot) item(key []byte) (*badger.Item, error) {
	item, err := s.txn.Get(key)
	if errors.Is(err, badger.ErrKeyNotFound) {
		return nil, nil
	}
	return item, storeError("read", err)
}

func (s *badgerSnapshot) get(key []byte) ([]byte, error) {
	item, err := s.item(key)
	if err != nil || item == nil {
		return nil, err
	}
	value, err := item.ValueCopy(nil)
	if err != nil {
		return nil, storeError("read", err)
	}
	if value == nil {
		value = []byte{}
	}
	return value, nil
}

func (s *badgerSnapshot) length(key []byte) (int, error) {
	item, err := s.item(key)
	if err != nil || item == nil {
		return 0, err
	}
	return exactSize(int(item.ValueSize())), nil
}

// exactSize corrects what Badger says of a value in its value log, without reading
// it there: Badger takes the value's length to be written in two bytes, as it is
// from 128 to 16,383, where three stand for more.
func exactSize(approximate int) int {
	if approximate > 1<<14 {
		return approximate - 1
	}
	return approximate
}

func (s *badgerSnapshot) scan(prefix, start []byte, fn func(key, value []byte) bool) error {
	return s.iterate(prefix, start, func(item *badger.Item) (bool, error) {
		more := false
		err := item.Value(func(value []byte) error {
			more = fn(item.Key(), value)
			return nil
		})
		return more, err
	})
}

func (s *badgerSnapshot) keys(prefix, start []byte, fn func(key []byte) bool) error {
	return s.iterate(prefix, start, func(item *badger.Item) (bool, error) { return fn(item.Key()), nil })
}

func (s *badgerSnapshot) iterate(prefix, start []byte, fn func(*badger.Item) (bool, error)) error {
	it := s.txn.NewIterator(badger.IteratorOptions{Prefix: prefix})
	defer it.Close()
	if bytes.Compare(start, prefix) < 0 {
		start = prefix
	}
	for it.Seek(start); it.Valid(); it.Next() {
		more, err := fn(it.Item())
		if err != nil {
			return storeError("scan", err)
		}
		if !more {
			return nil
		}
	}
	return nil
}

func (s *badgerSnapshot) last(prefix, max []byte) (key, value []byte, err error) {
	it := s.txn.NewIterator(badger.IteratorOptions{Prefix: prefix, Reverse: true})
	defer it.Close()
	if it.Seek(max); !it.Valid() {
		return nil, nil, nil
	}
	if value, err = it.Item().ValueCopy(nil); err != nil {
		return nil, nil, storeError("scan", err)
	}
	return it.Item().KeyCopy(nil), value, nil
}
