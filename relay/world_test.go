package relay

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multiaddr"

	"communicator/eventlog"
	"communicator/relay/receipt"
	"communicator/wire"
	"communicator/wire/pb"
)

// world is a sending agent over a memory log, and the receiving agents that it can
// reach, in virtual time.
type world struct {
	t      *testing.T
	key    ed25519.PrivateKey
	memory *eventlog.Memory
	limits Limits
	tweak  func(*Config)
	wrap   func(eventlog.Log) eventlog.Log

	log     eventlog.Log
	s       *Service
	stopped chan error
	serving sync.WaitGroup

	mu      sync.Mutex
	agents  map[string]*fakeAgent // by host and port
	results []Result
	opened  map[string]int // streams opened, by host and port
	next    uint64
}

// inWorld runs a test in a bubble of virtual time; at the end the log's tables must
// follow from its events and nothing may still run.
func inWorld(t *testing.T, setup func(*world), test func(*world)) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		if setup != nil {
			setup(w)
		}
		w.start()
		defer w.stop()
		test(w)
		w.checkLog()
	})
}

func newWorld(t *testing.T) *world {
	return &world{
		t: t, key: keyOf("sending agent"), memory: new(eventlog.Memory),
		agents: map[string]*fakeAgent{}, opened: map[string]int{},
	}
}

func keyOf(name string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte(name))
	return ed25519.NewKeyFromSeed(seed[:])
}

func (w *world) start() {
	w.t.Helper()
	w.make()
	w.run()
}

// make makes the service, which does not run.
func (w *world) make() {
	w.t.Helper()
	log, err := eventlog.OpenMemory(eventlog.Options{
		Signer: w.key, Now: time.Now, Projections: Projections(), Growing: Growing, Knows: Knows, Memory: w.memory,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.log = log
	if w.wrap != nil {
		log = w.wrap(log)
	}
	root := w.key.Public().(ed25519.PublicKey)
	cfg := Config{
		Agent: wire.AgentIDOf(root), Root: root, Log: log, Access: fakeAccess{}, Open: w.open,
		Limits: w.limits, Now: time.Now, Rand: rand.NewChaCha8([32]byte{1}),
		Own: func() []multiaddr.Multiaddr {
			return []multiaddr.Multiaddr{multiaddr.StringCast("/ip4/8.8.4.4/tcp/4001")}
		},
		Observe: func(r Result) {
			w.mu.Lock()
			w.results = append(w.results, r)
			w.mu.Unlock()
		},
	}
	if w.tweak != nil {
		w.tweak(&cfg)
	}
	w.s = New(cfg)
}

func (w *world) run() {
	w.stopped = make(chan error, 1)
	go func() { w.stopped <- w.s.Run(context.Background()) }()
	synctest.Wait()
}

func (w *world) stop() {
	w.t.Helper()
	_ = w.s.Close()
	if err := <-w.stopped; err != nil {
		w.t.Errorf("Run: %v", err)
	}
	w.serving.Wait()
	if err := w.log.Close(); err != nil {
		w.t.Error(err)
	}
}

func (w *world) restart() {
	w.t.Helper()
	w.stop()
	w.start()
}

func (w *world) rows() map[string]string {
	w.t.Helper()
	rows := map[string]string{}
	err := w.log.View(func(t eventlog.Tables) error {
		return t.Table(wire.TableRelay).Scan(nil, nil, func(k, v []byte) bool {
			rows[string(k)] = string(v)
			return true
		})
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return rows
}

// checkLog is the oracle: the chain is whole, the tables follow from the events, the
// counts of the service from the tables, and no handle was settled twice.
func (w *world) checkLog() {
	w.t.Helper()
	synctest.Wait()
	before := w.rows()
	if err := w.log.Rebuild(context.Background()); err != nil {
		w.t.Fatal(err)
	}
	after := w.rows()
	if len(before) != len(after) {
		w.t.Fatalf("%d rows, %d after replaying", len(before), len(after))
	}
	var st Stat
	for k, v := range before {
		if after[k] != v {
			w.t.Fatalf("row %x: %x, after replaying %x", k, v, after[k])
		}
		r, err := parseRow([]byte(v))
		if err != nil || string(r.marshal()) != v {
			w.t.Fatalf("row %x: %x: %v", k, v, err)
		}
		if r.state == stateQueued {
			st.Queued++
		} else {
			st.Outcomes++
		}
	}
	if got := w.stat(); got.Queued != st.Queued || got.Outcomes != st.Outcomes {
		w.t.Fatalf("the service counts %+v, the rows %+v", got, st)
	}
	settled := map[string]int{}
	for r, err := range w.log.Records(1) {
		if err != nil {
			w.t.Fatal(err)
		}
		if r.Kind == KindForwarded || r.Kind == KindAbandoned || r.Kind == KindRefused {
			if settled[string(r.Stream)]++; settled[string(r.Stream)] > 1 {
				w.t.Fatal("a handle was settled twice")
			}
		}
	}
}

// stat is what the service shows once it has nothing more to do: what a client sees comes
// before the books are closed.
func (w *world) stat() Stat {
	synctest.Wait()
	return w.s.Stat()
}

func (w *world) count(kind eventlog.Kind) int {
	synctest.Wait()
	n := 0
	for r, err := range w.log.Records(1) {
		if err != nil {
			w.t.Fatal(err)
		}
		if r.Kind == kind {
			n++
		}
	}
	return n
}

func (w *world) counted(op Op, status wire.Status) int {
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	for _, r := range w.results {
		if r.Op == op && r.Status == status {
			n++
		}
	}
	return n
}

// fakeAccess knows one credential that is refused.
type fakeAccess struct{}

var badCredential = bytes.Repeat([]byte{0xbb}, 32)

func (fakeAccess) WorkBits() uint32 { return 7 }

func (fakeAccess) Admit(_ context.Context, _ peer.ID, hello *pb.Hello) (wire.AccountID, error) {
	if len(hello.Credential) != 32 {
		return wire.AccountID{}, &wire.StatusError{Status: wire.StatusMalformed}
	}
	if bytes.Equal(hello.Credential, badCredential) {
		return wire.AccountID{}, &wire.StatusError{Status: wire.StatusPermission}
	}
	return wire.Credential(hello.Credential).Account(), nil
}

// submission makes one like no other.
func (w *world) submission(a *fakeAgent) *pb.Submission {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.next++
	fill := func(label string, n int) []byte {
		sum := sha256.Sum256(fmt.Append(nil, label, w.next))
		return bytes.Repeat(sum[:], n/32+1)[:n]
	}
	return &pb.Submission{
		Handle: fill("handle", 32), Uri: a.uri.String(), KeyId: fill("key", 8), Sealed: fill("seal", wire.SealedSize),
		Payload: fill("payload", 100), NotAfter: uint64(inHours(24)),
	}
}

// inHours returns the whole hour at most n hours ahead.
func inHours(n int) int64 {
	return time.Now().Add(time.Duration(n)*time.Hour).Unix() / secondsPerHour * secondsPerHour
}

// bodyOf is the submission's body as a client rebuilds it to verify its receipt.
func bodyOf(t testing.TB, account wire.AccountID, in *pb.Submission) []byte {
	t.Helper()
	b, err := receipt.SubmissionBody{
		Account: account, URI: in.Uri, KeyID: wire.KeyID(in.KeyId), Sealed: in.Sealed, Payload: in.Payload,
		NotAfter: time.Unix(int64(in.NotAfter), 0), Jitter: time.Duration(in.JitterMs) * time.Millisecond,
	}.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return b
}
