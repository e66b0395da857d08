package dht

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"slices"
	"sync"

	"communicator/dht/record"

	"github.com/ipfs/go-datastore"
	"github.com/ipfs/go-datastore/query"
	dssync "github.com/ipfs/go-datastore/sync"
	recpb "github.com/libp2p/go-libp2p-record/pb"
	"github.com/libp2p/go-libp2p/core/peer"
	"google.golang.org/protobuf/proto"
)

// store bounds what the library keeps in a datastore. When a kind of record has used up
// its quota, a new record takes the place of the one that lies farthest from this node,
// or is refused if it would be that one itself: to push out what a node keeps for its
// neighbourhood takes keys that fall into it.
//
// The index in memory is a map of what the datastore holds. Writes go through it one at
// a time; reads go straight to the datastore.
type store struct {
	datastore.Batching
	self   [32]byte
	writer chan struct{} // holds one token: whoever has it may write

	mu    sync.Mutex // guards kinds' contents; never held across I/O
	kinds map[string]*kind
}

type kind struct {
	quota   Quota
	bytes   int64
	records map[datastore.Key]held
}

type held struct {
	size     int64
	distance [32]byte
}

var keyEncoding = base32.StdEncoding.WithPadding(base32.NoPadding)

// storeKey is where the library files a record: /kind/base32 of the whole key.
func storeKey(kind, key string) datastore.Key {
	return datastore.NewKey("/" + kind + "/" + keyEncoding.EncodeToString([]byte(key)))
}

func openStore(ctx context.Context, inner datastore.Batching, self peer.ID, attest, agents Quota) (*store, error) {
	if inner == nil {
		inner = dssync.MutexWrap(datastore.NewMapDatastore())
	}
	s := &store{Batching: inner, self: sha256.Sum256([]byte(self)), writer: make(chan struct{}, 1),
		kinds: map[string]*kind{
			record.Attest: {quota: attest, records: map[datastore.Key]held{}},
			record.Agent:  {quota: agents, records: map[datastore.Key]held{}},
		}}
	s.writer <- struct{}{}
	for name := range s.kinds {
		if err := s.load(ctx, name); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// load indexes what an earlier run has stored.
func (s *store) load(ctx context.Context, name string) error {
	results, err := s.Batching.Query(ctx, query.Query{Prefix: "/" + name, KeysOnly: true, ReturnsSizes: true})
	if err != nil {
		return err
	}
	defer results.Close()
	for r := range results.Next() {
		if r.Error != nil {
			return r.Error
		}
		key := datastore.NewKey(r.Key)
		if distance, ok := s.distance(key); ok {
			s.set(key, held{int64(r.Size + len(r.Key)), distance})
		}
	}
	return nil
}

// distance is how far a record lies from this node in the overlay's metric.
func (s *store) distance(key datastore.Key) (d [32]byte, ok bool) {
	raw, err := keyEncoding.DecodeString(key.BaseNamespace())
	if err != nil {
		return d, false
	}
	d = sha256.Sum256(raw)
	for i := range d {
		d[i] ^= s.self[i]
	}
	return d, true
}

func (s *store) kindOf(key datastore.Key) *kind {
	if parts := key.List(); len(parts) == 2 {
		return s.kinds[parts[0]]
	}
	return nil
}

// Put stores a value, evicting what is farther away. Errors: [ErrFull].
func (s *store) Put(ctx context.Context, key datastore.Key, value []byte) error {
	k := s.kindOf(key)
	distance, ok := s.distance(key)
	if k == nil || !ok {
		return record.ErrNamespace
	}
	select {
	case <-s.writer:
		defer func() { s.writer <- struct{}{} }()
	case <-ctx.Done():
		return ctx.Err()
	}
	h := held{int64(len(value) + len(key.String())), distance}
	evict, err := s.room(k, key, h)
	if err != nil {
		return err
	}
	for _, victim := range evict {
		if err := s.Batching.Delete(ctx, victim); err != nil {
			return err
		}
		s.forget(victim)
	}
	if err := s.Batching.Put(ctx, key, value); err != nil {
		return err
	}
	s.set(key, h)
	return nil
}

// room returns which records have to go for one of this size and distance.
func (s *store) room(k *kind, key datastore.Key, h held) ([]datastore.Key, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	count, size := len(k.records)+1, k.bytes+h.size
	if old, ok := k.records[key]; ok {
		count, size = count-1, size-old.size
	}
	if count <= k.quota.Records && size <= k.quota.Bytes {
		return nil, nil
	}
	var farther []datastore.Key
	for other, o := range k.records {
		if other != key && bytes.Compare(o.distance[:], h.distance[:]) > 0 {
			farther = append(farther, other)
		}
	}
	slices.SortFunc(farther, func(a, b datastore.Key) int {
		x, y := k.records[a].distance, k.records[b].distance
		return bytes.Compare(y[:], x[:])
	})
	for i, victim := range farther {
		count, size = count-1, size-k.records[victim].size
		if count <= k.quota.Records && size <= k.quota.Bytes {
			return farther[:i+1], nil
		}
	}
	return nil, ErrFull
}

// Delete removes a value.
func (s *store) Delete(ctx context.Context, key datastore.Key) error {
	select {
	case <-s.writer:
		defer func() { s.writer <- struct{}{} }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if err := s.Batching.Delete(ctx, key); err != nil {
		return err
	}
	s.forget(key)
	return nil
}

// Batch makes every write of a batch pass the quota.
func (s *store) Batch(context.Context) (datastore.Batch, error) {
	return datastore.NewBasicBatch(s), nil
}

func (s *store) set(key datastore.Key, h held) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if k := s.kindOf(key); k != nil {
		k.bytes += h.size - k.records[key].size
		k.records[key] = h
	}
}

func (s *store) forget(key datastore.Key) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if k := s.kindOf(key); k != nil {
		k.bytes -= k.records[key].size
		delete(k.records, key)
	}
}

// use returns how many records of a kind are stored, and their bytes.
func (s *store) use(name string) Quota {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.kinds[name]
	return Quota{len(k.records), k.bytes}
}

// value returns the value stored here under a record's key, or nil. It may have
// expired; whoever uses it validates it.
func (s *store) value(ctx context.Context, kind, key string) ([]byte, error) {
	raw, err := s.Get(ctx, storeKey(kind, key))
	if errors.Is(err, datastore.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var r recpb.Record
	if err := proto.Unmarshal(raw, &r); err != nil || string(r.GetKey()) != key {
		return nil, nil
	}
	return r.GetValue(), nil
}
