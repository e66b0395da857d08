package dht

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strconv"
	"testing"

	"communicator/dht/record"
	"communicator/wire"

	"github.com/ipfs/go-datastore"
	dssync "github.com/ipfs/go-datastore/sync"
	"github.com/libp2p/go-libp2p/core/peer"
)

func testStore(t *testing.T, inner datastore.Batching, q Quota) *store {
	t.Helper()
	s, err := openStore(t.Context(), inner, peer.ID("self"), q, q)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// numbered are keys of one kind, nearest to the store first.
func numbered(s *store, kind string, n int) []datastore.Key {
	keys := make([]datastore.Key, n)
	for i := range keys {
		keys[i] = storeKey(kind, "/"+kind+"/"+strconv.Itoa(i))
	}
	slices.SortFunc(keys, func(a, b datastore.Key) int {
		x, _ := s.distance(a)
		y, _ := s.distance(b)
		return bytes.Compare(x[:], y[:])
	})
	return keys
}

func TestStoreKeepsWhatIsNear(t *testing.T) {
	s := testStore(t, nil, Quota{Records: 4, Bytes: 10_000})
	keys := numbered(s, record.Attest, 12)
	put := func(i, size int) error { return s.Put(t.Context(), keys[i], make([]byte, size)) }
	for _, i := range []int{8, 6, 10, 4} {
		if err := put(i, 100); err != nil {
			t.Fatal(err)
		}
	}
	if err := put(11, 100); !errors.Is(err, ErrFull) {
		t.Errorf("the farthest of all is stored: %v", err)
	}
	if err := put(0, 100); err != nil {
		t.Errorf("the nearest of all: %v", err)
	}
	if has, err := s.Has(t.Context(), keys[10]); has || err != nil {
		t.Errorf("the farthest stays: %v", err)
	}
	if err := put(8, 200); err != nil {
		t.Errorf("replacing: %v", err)
	}
	if u := s.use(record.Attest); u.Records != 4 || u.Bytes != 500+4*int64(len(keys[0].String())) {
		t.Errorf("%+v", u)
	}
	// By bytes: one large record near by takes the place of several.
	if err := put(1, 9_700); err != nil {
		t.Errorf("large and near: %v", err)
	}
	if u := s.use(record.Attest); u.Records != 2 || u.Bytes > 10_000 {
		t.Errorf("%+v", u)
	}
	if err := put(2, 9_990); !errors.Is(err, ErrFull) {
		t.Errorf("large and less near: %v", err)
	}
	if err := put(1, 11_000); !errors.Is(err, ErrFull) {
		t.Errorf("larger than the quota: %v", err)
	}
	if has, err := s.Has(t.Context(), keys[0]); !has || err != nil {
		t.Errorf("what is refused pushes something out: %v", err)
	}
	// Another kind has a quota of its own, other keys have none.
	if err := s.Put(t.Context(), numbered(s, record.Agent, 1)[0], make([]byte, 9_000)); err != nil {
		t.Errorf("a descriptor: %v", err)
	}
	for _, key := range []datastore.Key{datastore.NewKey("/pk/" + keys[0].BaseNamespace()),
		datastore.NewKey("/communicator-attest/not base32"), datastore.NewKey("/x")} {
		if err := s.Put(t.Context(), key, nil); !errors.Is(err, record.ErrNamespace) {
			t.Errorf("%v: %v", key, err)
		}
	}
}

func TestStoreAfterRestart(t *testing.T) {
	inner := dssync.MutexWrap(datastore.NewMapDatastore())
	s := testStore(t, inner, Quota{Records: 8, Bytes: 10_000})
	keys := numbered(s, record.Attest, 5)
	batch, err := s.Batch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range keys[1:] {
		if err := batch.Put(t.Context(), key, make([]byte, 100)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(batch.Commit(t.Context()), s.Delete(t.Context(), keys[4]), s.Delete(t.Context(), keys[4])); err != nil {
		t.Fatal(err)
	}
	again := testStore(t, inner, Quota{Records: 3, Bytes: 10_000})
	if u := again.use(record.Attest); u != s.use(record.Attest) || u.Records != 3 {
		t.Errorf("%+v, before the restart %+v", u, s.use(record.Attest))
	}
	if err := again.Put(t.Context(), keys[0], make([]byte, 100)); err != nil {
		t.Fatal(err)
	}
	if has, err := again.Has(t.Context(), keys[3]); has || err != nil {
		t.Errorf("the quota does not count what was there before: %v", err)
	}
}

var errDisk = errors.New("disk")

// failing is a datastore whose writes fail.
type failing struct{ datastore.Batching }

func (failing) Put(context.Context, datastore.Key, []byte) error { return errDisk }
func (failing) Delete(context.Context, datastore.Key) error      { return errDisk }

func TestStoreCountsWhatWasWritten(t *testing.T) {
	inner := dssync.MutexWrap(datastore.NewMapDatastore())
	s := testStore(t, inner, Quota{Records: 1, Bytes: 10_000})
	keys := numbered(s, record.Attest, 2)
	if err := s.Put(t.Context(), keys[1], []byte("x")); err != nil {
		t.Fatal(err)
	}
	s.Batching = failing{inner}
	for name, err := range map[string]error{
		"evicting": s.Put(t.Context(), keys[0], []byte("y")),
		"writing":  s.Put(t.Context(), keys[1], []byte("yy")),
		"deleting": s.Delete(t.Context(), keys[1]),
	} {
		if !errors.Is(err, errDisk) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if u := s.use(record.Attest); u.Records != 1 || u.Bytes != int64(1+len(keys[1].String())) {
		t.Errorf("%+v", u)
	}
	s.Batching = inner
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	<-s.writer // somebody writes, for ever
	if err := errors.Join(s.Put(ended, keys[0], nil), s.Delete(ended, keys[0])); !errors.Is(err, context.Canceled) {
		t.Errorf("waits for another writer: %v", err)
	}
}

func TestValueOfTheStore(t *testing.T) {
	s := testStore(t, nil, Quota{Records: 4, Bytes: 10_000})
	key := record.AgentKey(wire.AgentID{1})
	if v, err := s.value(t.Context(), record.Agent, key); v != nil || err != nil {
		t.Errorf("nothing there: %v, %v", v, err)
	}
	if err := s.Put(t.Context(), storeKey(record.Agent, key), []byte("no record")); err != nil {
		t.Fatal(err)
	}
	if v, err := s.value(t.Context(), record.Agent, key); v != nil || err != nil {
		t.Errorf("junk: %v, %v", v, err)
	}
}
