package directory

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	client "communicator/client/directory"
	"communicator/directory/proof"
	"communicator/directory/vend"
	"communicator/eventlog"
	"communicator/eventlog/logtest"
	"communicator/wire"
)

// begin is when every test begins.
var begin = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// clock is a clock that a test moves.
type clock struct {
	mu sync.Mutex // guards at
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) move(by time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(by)
}

// keyNamed is a private key that depends on its name alone.
func keyNamed(name string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte(name))
	return ed25519.NewKeyFromSeed(seed[:])
}

func publicNamed(name string) proof.Key {
	return proof.KeyOf(keyNamed(name).Public().(ed25519.PublicKey))
}

// idDocNamed is the identity document of keyNamed(name).
func idDocNamed(t testing.TB, name string) proof.IdDoc {
	t.Helper()
	key := keyNamed(name)
	dh := sha256.Sum256([]byte("dh " + name))
	b := append([]byte{1}, key.Public().(ed25519.PublicKey)...)
	b = append(b, dh[:]...)
	b = append(b, ed25519.Sign(key, append([]byte(wire.LabelIdDoc), b...))...)
	doc, err := proof.ParseIdDoc(b)
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// secretOf stands in for Argon2id.
func secretOf(ns proof.NSID, name proof.Name) proof.NameSecret {
	return sha256.Sum256(append(ns[:], name...))
}

// keys are a node's online keys.
type keys struct {
	attests bool
	log     string // name of the log key
}

func (k keys) Log(proof.NSID) (ed25519.PrivateKey, bool) { return keyNamed(k.log), true }
func (k keys) Attesting(proof.NSID) (ed25519.PrivateKey, bool) {
	return keyNamed("attesting"), k.attests
}

// world is a namespace and a directory that serves it.
type world struct {
	*Directory
	t     testing.TB
	clock *clock
	log   eventlog.Log
	root  ed25519.PrivateKey
	ns    proof.NSID
	chain proof.Chain
	keys  *keys
	cfg   Config
	ended bool
}

func manifest() proof.Manifest {
	m := proof.Manifest{
		Issued: begin.Add(-time.Hour), Hold: proof.DefaultHold, Listed: true,
		Zone: publicNamed("zone"), Log: publicNamed("log"), Threshold: 1,
		Roots: []proof.Key{publicNamed("root")},
		Attesting: []proof.Attesting{
			{Key: publicNamed("attesting"), NotBefore: begin.Add(-time.Hour), NotAfter: begin.AddDate(2, 0, 0)},
			{Key: publicNamed("retired"), NotBefore: begin.AddDate(-1, 0, 0), NotAfter: begin.Add(-time.Minute)},
		},
	}
	m.Sort()
	return m
}

// logOptions are those of a log without upkeep of its own.
func logOptions(now func() time.Time) eventlog.Options {
	return eventlog.Options{
		Signer: keyNamed("node"), Projections: Projections(), Growing: Growing, Knows: Knows, Now: now,
		DiskEvery: -1, HeadEvery: -1, ScrubEvery: -1, MinFree: -1, MinFreePercent: -1, Ballast: -1,
	}
}

func newWorld(t testing.TB, configure ...func(*Config)) *world {
	t.Helper()
	return newWorldOn(t, eventlog.OpenMemory, configure...)
}

func newWorldOn(t testing.TB, open func(eventlog.Options) (eventlog.Log, error), configure ...func(*Config)) *world {
	t.Helper()
	w := &world{t: t, clock: &clock{at: begin}, root: keyNamed("node"), keys: &keys{attests: true, log: "log"}}
	log, err := open(logOptions(w.clock.now))
	if err != nil {
		t.Fatal(err)
	}
	w.log = log
	w.cfg = Config{
		Agent: wire.AgentIDOf(w.root.Public().(ed25519.PublicKey)), Log: log, Keys: w.keys, Now: w.clock.now,
		Secret: func(_ context.Context, ns proof.NSID, name proof.Name) (proof.NameSecret, error) {
			return secretOf(ns, name), nil
		},
		Limits: DefaultLimits(), Checkpoints: new(memoryCheckpoints),
	}
	for _, f := range configure {
		f(&w.cfg)
	}
	if w.Directory, err = New(w.cfg); err != nil {
		t.Fatal(err)
	}
	w.addNamespace()
	t.Cleanup(w.close)
	return w
}

// close ends the directory, and checks what it leaves behind.
func (w *world) close() {
	if w.ended {
		return
	}
	w.ended = true
	if err := w.Directory.Close(); err != nil {
		w.t.Error(err)
	}
	if t, ok := w.t.(*testing.T); ok {
		checkWorld(background{t}, w.log, w.root) // the test's own context may have ended
	}
	if err := w.log.Close(); err != nil {
		w.t.Error(err)
	}
}

// background lets the oracle run in a cleanup.
type background struct{ *testing.T }

func (background) Context() context.Context { return context.Background() }

// checkWorld is the oracle: the log is whole, its rows hold together, and replaying it
// gives the same rows.
func checkWorld(t logtest.T, log eventlog.Log, root ed25519.PrivateKey) {
	t.Helper()
	if err := CheckDirectory(log); err != nil {
		t.Errorf("invariants: %v", err)
	}
	logtest.CheckLog(t, log, root.Public().(ed25519.PublicKey), wire.TableDirectory, wire.TableVend)
}

func (w *world) addNamespace() {
	w.t.Helper()
	ns, genesis, err := proof.Genesis(manifest(), keyNamed("root"))
	if err != nil {
		w.t.Fatal(err)
	}
	if w.chain, err = proof.VerifyChain(ns, genesis); err != nil {
		w.t.Fatal(err)
	}
	if err := w.AddNamespace(context.Background(), ns, genesis); err != nil {
		w.t.Fatal(err)
	}
	w.ns = ns
}

// pipes dials a directory that runs in this process.
type pipes struct {
	d       *Directory
	self    peer.ID
	serving *sync.WaitGroup
}

func (p pipes) Open(context.Context) (io.ReadWriteCloser, peer.ID, error) {
	ours, theirs := net.Pipe()
	p.serving.Go(func() { _ = p.d.ServeDirectory(context.Background(), theirs, p.self) })
	return ours, p.self, nil
}

// dial makes a client with an identity of its own.
func (w *world) dial(self string) *client.Client {
	w.t.Helper()
	p := pipes{w.Directory, peer.ID(self), new(sync.WaitGroup)}
	c := client.New(w.cfg.Agent, p)
	w.t.Cleanup(func() {
		c.Close()
		p.serving.Wait()
	})
	return c
}

// person holds a name.
type person struct {
	client.Owner
	w   *world
	doc proof.IdDoc
}

func (p *person) id() proof.Hash { return p.doc.Hash() }

// opening draws one.
func opening(t testing.TB) (o proof.Opening) {
	t.Helper()
	if _, err := io.ReadFull(rand.Reader, o[:]); err != nil {
		t.Fatal(err)
	}
	return o
}

// person makes one who has not registered yet.
func (w *world) person(name string, key string) *person {
	w.t.Helper()
	n, err := proof.ParseName(name)
	if err != nil {
		w.t.Fatal(err)
	}
	return &person{
		Owner: client.Owner{Client: w.dial("peer of " + key), NS: w.ns, Name: n, Key: keyNamed(key)},
		w:     w, doc: idDocNamed(w.t, key),
	}
}

func (w *world) by() proof.By {
	return proof.By{Attesting: publicNamed("attesting"), Issued: w.clock.now().Truncate(time.Second)}
}

// firstBind is the statement that binds a new name, signed by its owner.
func (p *person) firstBind() client.Entry {
	p.w.t.Helper()
	s := proof.NewName(p.w.ns, p.Name).FirstBind(p.doc, proof.Hash{}, p.w.by())
	if err := s.Sign(p.Key); err != nil {
		p.w.t.Fatal(err)
	}
	return p.entry(s)
}

func (p *person) entry(s proof.Statement) client.Entry {
	e := client.Entry{Statement: s, Secret: secretOf(p.w.ns, p.Name), Opening: opening(p.w.t)}
	if s.Identity != (proof.Hash{}) {
		e.Identity = p.doc[:]
	}
	return e
}

// token issues one of the authority's tokens.
func (w *world) token(kind vend.TokenKind) vend.Token {
	w.t.Helper()
	token, err := client.NewToken(rand.Reader)
	if err != nil {
		w.t.Fatal(err)
	}
	if err := w.authority().Issue(context.Background(), kind, w.clock.now().Add(24*time.Hour), token); err != nil {
		w.t.Fatal(err)
	}
	return token
}

func (w *world) authority() client.Authority {
	return client.Authority{Client: w.dial("authority"), NS: w.ns, Key: keyNamed("attesting")}
}

// registered is a person whose name is bound.
func (w *world) registered(name string) *person {
	w.t.Helper()
	p := w.person(name, name)
	token := w.token(vend.Registration)
	if _, err := p.Client.Register(context.Background(), p.Key, p.firstBind(), &token); err != nil {
		w.t.Fatal(err)
	}
	return p
}

// pack makes a key package of the person's, in layout alone.
func (p *person) pack(content string, oneTime bool, life time.Duration) []byte {
	prekey := make([]byte, prekeySize)
	copy(prekey, content)
	b := append([]byte{packageSuite}, p.doc[:]...)
	b = append(b, prekey...)
	if oneTime {
		b = append(append(b, 1), prekey...)
	} else {
		b = append(b, 0)
	}
	address := "an address"
	b = append(binary.BigEndian.AppendUint16(b, uint16(len(address))), address...)
	b = binary.BigEndian.AppendUint64(b, uint64(p.w.clock.now().Add(life).Unix()))
	b = binary.BigEndian.AppendUint16(b, 0)
	return append(b, make([]byte, packageSignature)...)
}

func (p *person) upload(packages ...[]byte) {
	p.w.t.Helper()
	if err := p.Upload(context.Background(), packages...); err != nil {
		p.w.t.Fatal(err)
	}
}

func (p *person) rule(r vend.Rule, perHour uint32) {
	p.w.t.Helper()
	if err := p.SetRule(context.Background(), vend.Policy{Rule: r, PerHour: perHour}); err != nil {
		p.w.t.Fatal(err)
	}
}

// request is a fresh request for contact with the person.
func (p *person) request() client.ContactRequest {
	p.w.t.Helper()
	id, err := client.NewRequestID(rand.Reader)
	if err != nil {
		p.w.t.Fatal(err)
	}
	return client.ContactRequest{NS: p.w.ns, Name: p.Name, ID: id}
}

// contact asks, and returns nil where it was not granted.
func (w *world) contact(c *client.Client, r client.ContactRequest) []byte {
	w.t.Helper()
	pkg, err := c.Contact(context.Background(), r, w.clock.now())
	var refused *client.NotGrantedError
	if errors.As(err, &refused) {
		return nil
	}
	if err != nil {
		w.t.Fatal(err)
	}
	return pkg
}

// wantStatus fails unless err is this refusal.
func wantStatus(t testing.TB, what string, err error, want wire.Status) {
	t.Helper()
	var status *wire.StatusError
	got := wire.StatusOK
	if errors.As(err, &status) {
		got = status.Status
	} else if err != nil {
		t.Errorf("%s: %v, want %v", what, err, want)
		return
	}
	if got != want {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}
