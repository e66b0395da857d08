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
	var value []byte
	_, err = s.read(item, key, func(v []byte) error {
		value = append([]byte{}, v...)
		return nil
	})
	return value, err
}

// errMoved is a value that is not where it was: Badger then gives an empty one and no
// error.
var errMoved = errors.New("the value is not there any more")

// read reads an item's value, and returns the item that it was read from: a
// compaction that has moved the value since the item was found may have removed the
// file, and then it is found again.
func (s *badgerSnapshot) read(item *badger.Item, key []byte, fn func(value []byte) error) (*badger.Item, error) {
	var err error
	for range readTries {
		err = item.Value(func(value []byte) error {
			if len(value) == 0 && item.ValueSize() > 0 {
				return errMoved
			}
			return fn(value)
		})
		if err == nil {
			return item, nil
		}
		again, found := s.item(key)
		if found != nil || again == nil {
			break
		}
		item = again
	}
	return item, storeError("read", err)
}

// readTries is how often a value is looked for that compactions keep moving.
const readTries = 4

func (s *badgerSnapshot) value(key []byte) (value, error) {
	item, err := s.item(key)
	if err != nil || item == nil {
		return nil, err
	}
	return &badgerValue{s, key, item}, nil
}

// badgerValue is read where Badger has mapped it.
type badgerValue struct {
	s    *badgerSnapshot
	key  []byte
	item *badger.Item
}

func (v *badgerValue) part(from, n int) (part []byte, err error) {
	v.item, err = v.s.read(v.item, v.key, func(value []byte) error {
		some, err := held(value).part(from, n)
		part = bytes.Clone(some)
		return err
	})
	return part, err
}

func (s *badgerSnapshot) length(key []byte) (int, error) {
	item, err := s.item(key)
	if err != nil || item == nil {
		return 0, err
	}
	return exactSize(int(item.ValueSize())), nil
}

func (s *badgerSnapshot) version(key []byte) (uint64, error) {
	item, err := s.item(key)
	if err != nil || item == nil {
		return 0, err
	}
	return item.Version(), nil
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
		_, err := s.read(item, item.Key(), func(value []byte) error {
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
	key = it.Item().KeyCopy(nil)
	_, err = s.read(it.Item(), key, func(v []byte) error {
		value = append([]byte{}, v...)
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	return key, value, nil
}
