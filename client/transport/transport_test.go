package transport

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"communicator/wire"
	"communicator/wire/agenturi"
	"communicator/wire/mux"
	"communicator/wire/pb"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multiaddr"
	"google.golang.org/protobuf/proto"
)

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// server is an agent that answers as a test tells it.
type server struct {
	host  host.Host
	uri   agenturi.URI
	mu    sync.Mutex // guards what follows
	peers map[peer.ID]bool
	hello int
	work  uint32                                                // zero bits asked for
	serve func(n int, req *pb.SubmitRequest) *pb.SubmitResponse // n-th request; nil resets the stream
	n     int
}

func newServer(t testing.TB) *server {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	check(t, err)
	id, err := crypto.UnmarshalEd25519PrivateKey(key)
	check(t, err)
	s := &server{peers: map[peer.ID]bool{}}
	s.host, err = libp2p.New(libp2p.Identity(id), libp2p.ListenAddrStrings("/ip4/127.0.0.1/tcp/0"))
	check(t, err)
	t.Cleanup(func() { s.host.Close() })
	s.uri, err = agenturi.Of(s.host.Addrs()[0], s.host.ID())
	check(t, err)
	s.host.SetStreamHandler(wire.ProtocolSubmit, func(st network.Stream) {
		s.mu.Lock()
		s.peers[st.Conn().RemotePeer()] = true
		s.mu.Unlock()
		mux.Serve(context.Background(), st, mux.HandlerFunc(func(_ context.Context, body []byte, w mux.ReplyWriter) error {
			return s.answer(body, w)
		}), mux.Limits{})
	})
	return s
}

func (s *server) answer(body []byte, w mux.ReplyWriter) error {
	var req pb.SubmitRequest
	if err := proto.Unmarshal(body, &req); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if h := req.GetHello(); h != nil {
		s.hello++
		reply := &pb.SubmitResponse{Status: uint32(wire.StatusOK), Hello: &pb.HelloReply{Nonce: make([]byte, 32), WorkBits: s.work}}
		if s.work > 0 && h.Work == nil {
			reply.Status = uint32(wire.StatusPermission)
		}
		return w.Reply(reply)
	}
	s.n++
	resp := s.serve(s.n, &req)
	if resp == nil {
		return errors.New("reset")
	}
	return w.Reply(resp)
}

func newPool(t testing.TB, o Options) *Pool {
	t.Helper()
	p, err := NewPool(o)
	check(t, err)
	t.Cleanup(func() { p.Close() })
	return p
}

func (s *server) target() Target {
	return Target{URI: s.uri, Credential: &wire.Credential{1}}
}

func (s *server) key(relationship byte) Key {
	return Key{Relationship: [16]byte{relationship}, Agent: s.uri.Agent}
}

func take(t testing.TB, p *Pool, s *server, relationship byte) *Lease {
	t.Helper()
	l, err := p.Take(t.Context(), s.key(relationship), s.target())
	check(t, err)
	return l
}

func TestBrokenStreamIsReplacedOnce(t *testing.T) {
	s := newServer(t)
	s.serve = func(n int, _ *pb.SubmitRequest) *pb.SubmitResponse {
		if n == 2 {
			return nil
		}
		return &pb.SubmitResponse{Status: uint32(wire.StatusOK), Receipt: []byte{byte(n)}}
	}
	p := newPool(t, Options{})
	l := take(t, p, s, 1)
	defer l.Release()
	for _, want := range []byte{1, 3} {
		got, err := l.Submit(t.Context(), Submission{})
		if err != nil || got[0] != want {
			t.Fatalf("receipt %v, %v", got, err)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.hello != 2 || len(s.peers) != 1 {
		t.Errorf("%d hellos from %d identities", s.hello, len(s.peers))
	}
}

func TestRefusalsAreTyped(t *testing.T) {
	s := newServer(t)
	s.serve = func(int, *pb.SubmitRequest) *pb.SubmitResponse {
		return &pb.SubmitResponse{Status: uint32(wire.StatusTryAgain), RetryAfterSeconds: 7}
	}
	p := newPool(t, Options{})
	l := take(t, p, s, 1)
	defer l.Release()
	_, err := l.Submit(t.Context(), Submission{})
	var refused *wire.StatusError
	if !errors.As(err, &refused) || refused.Status != wire.StatusTryAgain || refused.RetryAfter != 7*time.Second {
		t.Errorf("got %v", err)
	}
}

func TestUnreachableSaysNoAddress(t *testing.T) {
	s := newServer(t)
	s.host.Close()
	p := newPool(t, Options{})
	l := take(t, p, s, 1)
	defer l.Release()
	_, err := l.Submit(t.Context(), Submission{})
	var gone *UnreachableError
	if !errors.As(err, &gone) {
		t.Fatalf("got %v", err)
	}
	for _, secret := range []string{"127.0.0.1", s.uri.Peer.String()} {
		if strings.Contains(err.Error(), secret) {
			t.Errorf("%q is in %q", secret, err)
		}
	}
}

func TestImpostorIsRefused(t *testing.T) {
	s, other := newServer(t), newServer(t)
	target := s.target()
	target.URI.Addr = other.uri.Addr
	p := newPool(t, Options{})
	l, err := p.Take(t.Context(), s.key(1), target)
	check(t, err)
	defer l.Release()
	if _, err = l.Hello(t.Context()); err == nil || other.hello != 0 {
		t.Errorf("spoke to an impostor: %v", err)
	}
}

func TestProofOfWork(t *testing.T) {
	s := newServer(t)
	s.work = 8
	p := newPool(t, Options{})
	l := take(t, p, s, 1)
	defer l.Release()
	_, err := l.Hello(t.Context())
	check(t, err)
	w, err := p.work(t.Context(), s.target(), 10)
	check(t, err)
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], w.Hour)
	binary.BigEndian.PutUint64(b[8:], w.Nonce)
	account := s.target().Credential.Account()
	if sum := wire.Hash(wire.LabelPoW, s.uri.Agent[:], account[:], b[:]); leadingZeros(sum) < 10 {
		t.Errorf("%d zero bits", leadingZeros(sum))
	}
	if _, err := p.work(t.Context(), s.target(), maxWorkBits+1); !errors.Is(err, ErrWork) {
		t.Errorf("endless work: %v", err)
	}
}

// TestProofOfWorkServesItsHour opens streams of one account: only the first of an hour
// asks what work there is to do.
func TestProofOfWorkServesItsHour(t *testing.T) {
	s := newServer(t)
	s.work = 8
	now := time.Date(2026, 5, 4, 3, 59, 0, 0, time.UTC)
	p := newPool(t, Options{MaxOpen: 9, Now: func() time.Time { return now }})
	for i, want := range []int{2, 1, 1, 2, 1} { // hellos
		if i == 3 {
			now = now.Add(time.Minute)
		}
		s.mu.Lock()
		s.hello = 0
		s.mu.Unlock()
		l := take(t, p, s, byte(i))
		_, err := l.Hello(t.Context())
		check(t, err)
		s.mu.Lock()
		if s.hello != want {
			t.Errorf("stream %d: %d hellos, want %d", i+1, s.hello, want)
		}
		s.mu.Unlock()
		l.Release()
	}
	for i := range 5 * maxProofs {
		p.proofs.put(proofKey{agent: wire.AgentID{byte(i), byte(i >> 8)}}, &pb.ProofOfWork{Hour: 1})
	}
	if n := len(p.proofs.known); n > 2*maxProofs {
		t.Errorf("%d proofs are remembered", n)
	}
}

func TestEachKeyHasItsIdentity(t *testing.T) {
	s := newServer(t)
	s.serve = func(int, *pb.SubmitRequest) *pb.SubmitResponse {
		return &pb.SubmitResponse{Status: uint32(wire.StatusOK), Receipt: []byte{1}}
	}
	p := newPool(t, Options{MaxOpen: 2})
	for i := range byte(4) {
		l := take(t, p, s, i)
		_, err := l.Submit(t.Context(), Submission{})
		check(t, err)
		l.Release()
		if p.Open() > 2 {
			t.Fatalf("%d open", p.Open())
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.peers) != 4 {
		t.Errorf("%d identities for 4 keys", len(s.peers))
	}
}

func TestPatientHolderYields(t *testing.T) {
	s := newServer(t)
	p := newPool(t, Options{MaxOpen: 1})
	watcher, err := p.Watch(t.Context(), s.key(1), s.target(), 0)
	check(t, err)
	got := make(chan *Lease)
	go func() {
		l, err := p.Take(context.Background(), s.key(2), s.target())
		if err != nil {
			t.Error(err)
		}
		got <- l
	}()
	<-watcher.Yield()
	watcher.Release()
	(<-got).Release()
}

func TestWaitingEndsWithItsContextAndWithThePool(t *testing.T) {
	s := newServer(t)
	p := newPool(t, Options{MaxOpen: 1})
	defer take(t, p, s, 1).Release()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() {
		_, err := p.Take(ctx, s.key(2), s.target())
		done <- err
	}()
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	go func() {
		_, err := p.Watch(context.Background(), s.key(3), s.target(), 0)
		done <- err
	}()
	p.Close()
	if err := <-done; !errors.Is(err, ErrClosed) {
		t.Errorf("closed: %v", err)
	}
}

// socksServer is a SOCKS5 proxy that knows one name; it records what it was asked for.
func socksServer(t *testing.T, name string, to net.Addr) (addr string, asked chan string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	t.Cleanup(func() { l.Close() })
	asked = make(chan string, 10)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go socksServe(c, name, to, asked)
		}
	}()
	return l.Addr().String(), asked
}

func socksServe(c net.Conn, name string, to net.Addr, asked chan string) {
	defer c.Close()
	b := make([]byte, 300)
	if _, err := io.ReadFull(c, b[:2]); err != nil {
		return
	}
	io.ReadFull(c, b[:b[1]])
	c.Write([]byte{5, 0})
	if _, err := io.ReadFull(c, b[:5]); err != nil || b[3] != 3 { // a domain name
		asked <- "not a name"
		return
	}
	n := int(b[4])
	io.ReadFull(c, b[:n+2])
	asked <- net.JoinHostPort(string(b[:n]), strconv.Itoa(int(binary.BigEndian.Uint16(b[n:]))))
	if string(b[:n]) != name {
		return
	}
	out, err := net.Dial("tcp", to.String())
	if err != nil {
		return
	}
	defer out.Close()
	c.Write([]byte{5, 0, 0, 1, 0, 0, 0, 0, 0, 0})
	go io.Copy(out, c)
	io.Copy(c, out)
}

// TestProxyResolvesNames: with a proxy, names are never looked up here.
func TestProxyResolvesNames(t *testing.T) {
	s := newServer(t)
	port, err := s.uri.Addr.ValueForProtocol(multiaddr.P_TCP)
	check(t, err)
	backend, err := net.ResolveTCPAddr("tcp", "127.0.0.1:"+port)
	check(t, err)
	addr, asked := socksServer(t, "agent.invalid", backend)
	h, err := NewHost("socks5://" + addr)
	check(t, err)
	p := newPool(t, Options{Host: h})
	target := s.target()
	target.URI.Addr, err = multiaddr.NewMultiaddr("/dns4/agent.invalid/tcp/" + port)
	check(t, err)
	l, err := p.Take(t.Context(), s.key(1), target)
	check(t, err)
	defer l.Release()
	_, err = l.Hello(t.Context())
	check(t, err)
	if got := <-asked; got != "agent.invalid:"+port {
		t.Errorf("the proxy was asked for %q", got)
	}

	target.URI.Addr, err = multiaddr.NewMultiaddr("/dnsaddr/agent.invalid")
	check(t, err)
	l2, err := p.Take(t.Context(), s.key(2), target)
	check(t, err)
	defer l2.Release()
	if _, err := l2.Hello(t.Context()); err == nil {
		t.Error("a TXT record was looked up beside the proxy")
	}
}

func TestProxyAddress(t *testing.T) {
	for _, bad := range []string{"x", ":1080", "host:", "host:99999", "http://host:80", "socks5://host"} {
		if _, err := NewHost(bad); !errors.Is(err, ErrProxy) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// TestTurnsAreTakenInOrder: patient callers share one slot one after the other, and one
// that yields and asks again comes last.
func TestTurnsAreTakenInOrder(t *testing.T) {
	s := newServer(t)
	p := newPool(t, Options{MaxOpen: 1})
	first := take(t, p, s, 0)
	const people, each = 4, 3
	order, goOn := make(chan byte), make(chan struct{})
	var done sync.WaitGroup
	for i := range byte(people) {
		done.Go(func() {
			for range each {
				l, err := p.Watch(context.Background(), s.key(i+1), s.target(), 0)
				if err != nil {
					t.Error(err)
					return
				}
				order <- i
				<-goOn
				l.Release()
			}
		})
	}
	queued := func(n int) {
		for len(p.waiting()) < n {
			runtime.Gosched()
		}
	}
	queued(people)
	first.Release()
	last, left := map[byte]int{}, people // how many have turns to come
	for n := range people * each {
		i := <-order
		if before, ok := last[i]; ok && n-before != people {
			t.Errorf("%d had its turn again after %d others", i, n-before-1)
		}
		last[i] = n
		if n >= people*(each-1) {
			left--
			queued(left)
		} else {
			queued(left - 1) // all but who has it
		}
		goOn <- struct{}{}
	}
	done.Wait()
}

func (p *Pool) waiting() []*waiter {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.queue)
}
