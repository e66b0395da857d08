package access

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"communicator/eventlog"
	"communicator/wire"
	"communicator/wire/pb"
)

var start = time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC)

// world is an Access over a log in memory with a clock of its own.
type world struct {
	*Access
	t   *testing.T
	now time.Time
	log eventlog.Log
}

func newWorld(t *testing.T, change func(*Config)) *world {
	t.Helper()
	w := &world{t: t, now: start}
	log, err := eventlog.OpenMemory(eventlog.Options{
		Signer: ed25519.NewKeyFromSeed(make([]byte, 32)), Projections: Projections(), Knows: Knows,
		Now: func() time.Time { return w.now },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := log.Close(); err != nil {
			t.Error(err)
		}
	})
	w.log = log
	c := Config{
		Log: log, Agent: wire.AgentID{7}, Policy: Token,
		Now: func() time.Time { return w.now }, Rand: rand.NewChaCha8([32]byte{1}),
	}
	if change != nil {
		change(&c)
	}
	w.Access = New(c)
	return w
}

func (w *world) token(uses int) wire.Token {
	w.t.Helper()
	token, err := w.IssueToken(w.t.Context(), uses)
	if err != nil {
		w.t.Fatal(err)
	}
	return token
}

func (w *world) try(remote peer.ID, hello *pb.Hello) wire.Status {
	w.t.Helper()
	account, err := w.Admit(w.t.Context(), remote, hello)
	if err == nil {
		if want := wire.Credential(hello.Credential).Account(); account != want {
			w.t.Errorf("admitted as another account")
		}
		return wire.StatusOK
	}
	var refused *wire.StatusError
	if !errors.As(err, &refused) {
		w.t.Fatalf("not a status: %v", err)
	}
	if (refused.Status == wire.StatusTryAgain) != (refused.RetryAfter > 0) {
		w.t.Errorf("status %v with retry-after %v", refused.Status, refused.RetryAfter)
	}
	return refused.Status
}

func hello(credential byte, token *wire.Token) *pb.Hello {
	h := &pb.Hello{Credential: bytes.Repeat([]byte{credential}, 32)}
	if token != nil {
		h.Token = token[:]
	}
	return h
}

func TestTokenOpensAsManyAccountsAsItSays(t *testing.T) {
	w := newWorld(t, nil)
	token := w.token(2)
	for i, c := range []struct {
		credential byte
		token      *wire.Token
		want       wire.Status
	}{
		{1, nil, wire.StatusPermission},
		{1, &wire.Token{9}, wire.StatusPermission},
		{1, &token, wire.StatusOK},
		{1, &token, wire.StatusOK}, // the first answer was lost
		{1, nil, wire.StatusOK},
		{2, &token, wire.StatusOK},
		{3, &token, wire.StatusPermission},
		{2, &token, wire.StatusOK},
		{1, &wire.Token{9}, wire.StatusOK},
	} {
		if got := w.try("p", hello(c.credential, c.token)); got != c.want {
			t.Errorf("step %d: %v, want %v", i, got, c.want)
		}
	}
	counts, err := w.Counts()
	if err != nil || counts != (Counts{Accounts: 2}) {
		t.Errorf("counts %+v, %v", counts, err)
	}
}

func TestConcurrentUsesOfOneToken(t *testing.T) {
	w := newWorld(t, nil)
	token := w.token(5)
	var admitted atomic.Int32
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			_, err := w.Admit(t.Context(), peer.ID([]byte{byte(i)}), hello(byte(i+1), &token))
			var refused *wire.StatusError
			switch {
			case err == nil:
				admitted.Add(1)
			case !errors.As(err, &refused) || refused.Status != wire.StatusPermission:
				t.Errorf("%v", err)
			}
		})
	}
	wg.Wait()
	if admitted.Load() != 5 {
		t.Errorf("a token of 5 uses opened %d accounts", admitted.Load())
	}
}

func TestTokenUsesAreBounded(t *testing.T) {
	w := newWorld(t, nil)
	for _, uses := range []int{-1, 0, MaxTokenUses + 1} {
		if _, err := w.IssueToken(t.Context(), uses); !errors.Is(err, ErrUses) {
			t.Errorf("%d uses: %v", uses, err)
		}
	}
}

func TestMalformedHellos(t *testing.T) {
	w := newWorld(t, nil)
	for i, h := range []*pb.Hello{
		nil,
		{},
		{Credential: make([]byte, 31)},
		{Credential: make([]byte, 33)},
		{Credential: make([]byte, 32), Token: []byte{1}},
	} {
		if got := w.try("p", h); got != wire.StatusMalformed {
			t.Errorf("hello %d: %v", i, got)
		}
	}
}

func TestListedPeersAlone(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Policy, c.Peers = Peers, []peer.ID{"friend"} })
	token := w.token(3)
	if got := w.try("friend", hello(1, nil)); got != wire.StatusOK {
		t.Errorf("a listed peer: %v", got)
	}
	if got := w.try("stranger", hello(1, &token)); got != wire.StatusPermission {
		t.Errorf("a stranger with a token: %v", got)
	}
}

// solve looks for a proof of work; tests ask for few bits.
func solve(agent wire.AgentID, credential byte, hour uint64, zeros int, exact bool) *pb.ProofOfWork {
	account := wire.Credential(bytes.Repeat([]byte{credential}, 32)).Account()
	for w := (Work{Hour: hour}); ; w.Nonce++ {
		if got := w.Zeros(agent, account); got == zeros || !exact && got > zeros {
			return &pb.ProofOfWork{Hour: w.Hour, Nonce: w.Nonce}
		}
	}
}

func TestOpenAsksForWork(t *testing.T) {
	const bits = 8
	w := newWorld(t, func(c *Config) { c.Policy, c.WorkBits = Open, bits })
	if w.WorkBits() != bits {
		t.Errorf("asks for %d bits", w.WorkBits())
	}
	agent, hour := wire.AgentID{7}, HourOf(start)
	for _, c := range []struct {
		name string
		work *pb.ProofOfWork
		want wire.Status
	}{
		{"none", nil, wire.StatusPermission},
		{"enough", solve(agent, 1, hour, bits, false), wire.StatusOK},
		{"a bit too little", solve(agent, 1, hour, bits-1, true), wire.StatusPermission},
		{"the hour before", solve(agent, 1, hour-1, bits, false), wire.StatusOK},
		{"the hour after", solve(agent, 1, hour+1, bits, false), wire.StatusOK},
		{"two hours before", solve(agent, 1, hour-2, bits, false), wire.StatusPermission},
		{"two hours after", solve(agent, 1, hour+2, bits, false), wire.StatusPermission},
		{"for another agent", solve(wire.AgentID{8}, 1, hour, bits, false), wire.StatusPermission},
		{"for another account", solve(agent, 2, hour, bits, false), wire.StatusPermission},
		{"at the end of time", &pb.ProofOfWork{Hour: ^uint64(0)}, wire.StatusPermission},
	} {
		h := hello(1, nil)
		h.Work = c.work
		// A proof for another agent or account is good by chance once in 2^bits.
		if got := w.try(peer.ID(c.name), h); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
	token := newWorld(t, nil)
	if token.WorkBits() != 0 {
		t.Error("asks for work under a policy without")
	}
}

// TestAskingForWorkIsNotCharged: a client learns what work an open agent asks for by a
// Hello without any, on each stream; only what is wrong costs it.
func TestAskingForWorkIsNotCharged(t *testing.T) {
	const bits = 8
	addr := netip.MustParseAddr("192.0.2.1")
	w := newWorld(t, func(c *Config) {
		c.Policy, c.WorkBits = Open, bits
		c.AddrsOf = func(peer.ID) []netip.Addr { return []netip.Addr{addr} }
	})
	for range 10 * failuresOfHost.Burst {
		if got := w.try("client", hello(1, nil)); got != wire.StatusPermission {
			t.Fatalf("asking: %v", got)
		}
	}
	good := hello(1, nil)
	good.Work = solve(wire.AgentID{7}, 1, HourOf(start), bits, false)
	for range 3 { // the same proof is good for the hour, on every stream
		if got := w.try("client", good); got != wire.StatusOK {
			t.Fatalf("with work: %v", got)
		}
	}
	bad := hello(1, nil)
	bad.Work = solve(wire.AgentID{7}, 1, HourOf(start), bits-1, true)
	for range failuresOfPeer.Burst {
		if got := w.try("client", bad); got != wire.StatusPermission {
			t.Fatalf("too little work: %v", got)
		}
	}
	if got := w.try("client", good); got != wire.StatusTryAgain {
		t.Errorf("after failures: %v", got)
	}
	if got := w.try("another", hello(2, nil)); got != wire.StatusPermission {
		t.Errorf("another peer: %v", got)
	}
}

func TestFailuresHaveABudget(t *testing.T) {
	w := newWorld(t, nil)
	token := w.token(1)
	for i := range failuresOfPeer.Burst {
		if got := w.try("guesser", hello(1, &wire.Token{byte(i)})); got != wire.StatusPermission {
			t.Fatalf("guess %d: %v", i, got)
		}
	}
	if got := w.try("guesser", hello(1, &token)); got != wire.StatusTryAgain {
		t.Errorf("beyond the budget: %v", got)
	}
	if got := w.try("honest", hello(1, &token)); got != wire.StatusOK {
		t.Errorf("somebody else: %v", got)
	}
	w.now = w.now.Add(time.Hour / time.Duration(failuresOfPeer.PerHour))
	if got := w.try("guesser", hello(1, nil)); got != wire.StatusOK {
		t.Errorf("after waiting: %v", got)
	}
}

func TestBudgetsFollowNetworks(t *testing.T) {
	addr := netip.MustParseAddr("2001:db8:0:1::1")
	w := newWorld(t, func(c *Config) { c.AddrsOf = func(peer.ID) []netip.Addr { return []netip.Addr{addr} } })
	next := 0
	guess := func() wire.Status { // each time as another peer
		next++
		return w.try(peer.ID(rune(next)), hello(1, nil))
	}
	for range failuresOfHost.Burst {
		if got := guess(); got != wire.StatusPermission {
			t.Fatalf("%v", got)
		}
	}
	for _, c := range []struct {
		addr string
		want wire.Status
	}{
		{"2001:db8:0:1::1", wire.StatusTryAgain},
		{"2001:db8:0:ff::2", wire.StatusTryAgain},    // the same /56
		{"2001:db8:0:100::2", wire.StatusPermission}, // another
		{"192.0.2.1", wire.StatusPermission},
	} {
		addr = netip.MustParseAddr(c.addr)
		if got := guess(); got != c.want {
			t.Errorf("%s: %v, want %v", c.addr, got, c.want)
		}
	}
	spent := 0
	for i := range 400 { // a new /56 of the same /48 each time
		addr = netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, 0, 0, byte(i), byte(i)})
		if guess() == wire.StatusTryAgain {
			spent++
		}
	}
	if spent == 0 {
		t.Error("a /48 was never over its budget")
	}
}

func TestDrainingIsRemembered(t *testing.T) {
	w := newWorld(t, nil)
	for _, on := range []bool{false, true, true, false} {
		if err := w.SetDraining(t.Context(), on); err != nil {
			t.Fatal(err)
		}
		since, err := w.Draining()
		if err != nil || since.IsZero() == on {
			t.Errorf("draining %v: since %v, %v", on, since, err)
		}
	}
	stat, err := w.log.Stat()
	if err != nil || stat.Last != 2 {
		t.Errorf("saying the same again made events: %d, %v", stat.Last, err)
	}
}

func TestRowsRebuildFromEvents(t *testing.T) {
	w := newWorld(t, nil)
	token := w.token(3)
	for i := range 2 {
		w.try("p", hello(byte(i+1), &token))
	}
	if err := w.SetDraining(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	if err := w.RevokeToken(t.Context(), fmt.Sprintf("%x", token.Hash())); err != nil {
		t.Fatal(err)
	}
	account := wire.Credential(hello(1, nil).Credential).Account()
	if err := w.RemoveAccount(t.Context(), fmt.Sprintf("%x", account)); err != nil {
		t.Fatal(err)
	}
	before := w.rows()
	if err := w.log.Rebuild(t.Context()); err != nil {
		t.Fatal(err)
	}
	if after := w.rows(); after != before || len(before) == 0 {
		t.Errorf("rows before\n%q\nafter\n%q", before, after)
	}
}

func (w *world) rows() string {
	w.t.Helper()
	var b bytes.Buffer
	err := w.log.View(func(tables eventlog.Tables) error {
		return tables.Table(wire.TableAccess).Scan(nil, nil, func(k, v []byte) bool {
			b.Write(k)
			b.WriteByte('=')
			b.Write(v)
			b.WriteByte('\n')
			return true
		})
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return b.String()
}

func TestBrokenEventsStopTheLog(t *testing.T) {
	for name, e := range map[string]eventlog.Event{
		"version":  {Kind: KindTokenIssued, Version: 2, Header: make([]byte, 36)},
		"short":    {Kind: KindTokenIssued, Version: 1, Header: make([]byte, 35)},
		"trailing": {Kind: KindAccountOpened, Version: 1, Header: make([]byte, 49)},
		"no token": accountOpened([32]byte{1}, wire.AccountID{}),
		"no uses":  tokenIssued([32]byte{1}, 0),
		"drain 2":  {Kind: KindDrainChanged, Version: 1, Header: []byte{2}},
		"revoked":  tokenRevoked([32]byte{1}),
		"removed":  accountRemoved(wire.AccountID{1}),
		"cut":      {Kind: KindTokenRevoked, Version: 1, Header: make([]byte, 31)},
		"longer":   {Kind: KindAccountRemoved, Version: 1, Header: make([]byte, 17)},
	} {
		r := eventlog.Record{Seq: 1, Kind: e.Kind, Version: e.Version, Header: e.Header}
		if err := (table{}).Apply(noRows{}, r, nil); err == nil {
			t.Errorf("%s was applied", name)
		}
	}
	other := eventlog.Record{Seq: 1, Kind: wire.KindsRelay + 1}
	if err := (table{}).Apply(noRows{}, other, nil); err != nil {
		t.Errorf("another package's event: %v", err)
	}
}

// noRows is an empty table that takes no rows.
type noRows struct{ eventlog.Writer }

func (noRows) Get([]byte) ([]byte, error) { return nil, nil }
func (noRows) Set(_, _ []byte) error      { return errors.New("wrote a row") }

func TestDecideTable(t *testing.T) {
	token := &[32]byte{1}
	for _, c := range []struct {
		policy Policy
		claim  Claim
		facts  Facts
		want   Verdict
	}{
		{Token, Claim{}, Facts{}, Refused},
		{Token, Claim{Work: true, Listed: true}, Facts{}, Refused},
		{Token, Claim{}, Facts{Known: true}, Granted},
		{Token, Claim{Token: token}, Facts{Uses: 1}, OpenAccount},
		{Token, Claim{Token: token}, Facts{Uses: 1, Known: true}, Granted},
		{Token, Claim{Token: token}, Facts{}, Refused},
		{Open, Claim{Work: true}, Facts{}, Granted},
		{Open, Claim{}, Facts{Known: true}, Granted},
		{Open, Claim{Token: token}, Facts{Uses: 1}, OpenAccount},
		{Peers, Claim{Listed: true}, Facts{}, Granted},
		{Peers, Claim{Token: token, Work: true}, Facts{Known: true, Uses: 1}, Refused},
	} {
		if got := Decide(c.policy, c.claim, c.facts); got != c.want {
			t.Errorf("policy %d, %+v, %+v: %d, want %d", c.policy, c.claim, c.facts, got, c.want)
		}
	}
}
