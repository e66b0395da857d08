package nearby

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"communicator/particle"
	"communicator/wire"

	"github.com/tyler-smith/go-bip39/wordlists"
)

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func seeded(n byte) *rand.ChaCha8 { return rand.NewChaCha8([32]byte{n}) }

// testPackage makes a package for first contact.
func testPackage(t testing.TB, n byte) []byte {
	t.Helper()
	random := seeded(n)
	id, err := particle.NewIdentity(random)
	check(t, err)
	a := wire.Address{Agent: wire.AgentID{n}, Mailbox: wire.MailboxID{n}, Caps: wire.CapContact,
		Expires: time.Unix(1800000000, 0), URI: "/ip4/203.0.113.7/tcp/4001/p2p/12D3KooWTest"}
	pkg, _, err := particle.NewPackage(random, id,
		particle.PackageOptions{Contact: &a, OneTime: true, Expires: time.Unix(1799000000, 0)})
	check(t, err)
	return pkg.Bytes()
}

// pipe is one end of a connection in memory that buffers what is sent.
type pipe struct{ in, out chan frame }

func newPipe() (a, b pipe) {
	x, y := make(chan frame, 8), make(chan frame, 8)
	return pipe{x, y}, pipe{y, x}
}

func (p pipe) send(f frame) error {
	p.out <- frame{f.kind, slices.Clone(f.body)}
	return nil
}

func (p pipe) receive() (frame, error) {
	f, ok := <-p.in
	if !ok {
		return frame{}, ErrGone
	}
	return f, nil
}

// outcome is what one side comes to.
type outcome struct {
	words Words
	err   error
	peer  side
}

func run(c channel, seed byte, own, peer side) (o outcome) {
	o.peer = peer
	o.words, o.err = exchange(c, seeded(seed), &own, &o.peer)
	return o
}

func sides(t testing.TB) (a, b side) {
	return side{id: "A", name: "Alex", pkg: testPackage(t, 1)}, side{id: "B", pkg: testPackage(t, 2)}
}

// public is what a side knows of the other before.
func (s side) public() side { return side{id: s.id, name: s.name} }

func both(x, y func() outcome) (a, b outcome) {
	var wait sync.WaitGroup
	wait.Go(func() { a = x() })
	b = y()
	wait.Wait()
	return a, b
}

func TestExchange(t *testing.T) {
	a, b := sides(t)
	p, q := newPipe()
	atA, atB := both(func() outcome { return run(p, 1, a, b.public()) }, func() outcome { return run(q, 2, b, a.public()) })
	check(t, atA.err)
	check(t, atB.err)
	if atA.words != atB.words || atA.words[0] == "" {
		t.Errorf("words %v and %v", atA.words, atB.words)
	}
	if !bytes.Equal(atA.peer.pkg, b.pkg) || !bytes.Equal(atB.peer.pkg, a.pkg) {
		t.Error("the packages did not arrive")
	}
	// The same packages again, with fresh randomness: other words.
	p, q = newPipe()
	again, _ := both(func() outcome { return run(p, 3, a, b.public()) }, func() outcome { return run(q, 4, b, a.public()) })
	if again.words == atA.words {
		t.Error("words repeat")
	}
}

// TestManInTheMiddle: M speaks with each side as the other, with packages of its own.
// Each side follows the protocol to its end, and the words differ.
func TestManInTheMiddle(t *testing.T) {
	a, b := sides(t)
	toA, toB := side{id: "M", name: b.name, pkg: testPackage(t, 3)}, side{id: "AM", name: a.name, pkg: testPackage(t, 4)}
	p, q := newPipe() // A – M
	r, s := newPipe() // M – B
	var atA, atB, m1, m2 outcome
	var wait sync.WaitGroup
	wait.Go(func() { atA = run(p, 1, a, toA.public()) })
	wait.Go(func() { m1 = run(q, 2, toA, a.public()) })
	wait.Go(func() { m2 = run(r, 3, toB, b.public()) })
	wait.Go(func() { atB = run(s, 4, b, toB.public()) })
	wait.Wait()
	check(t, errors.Join(atA.err, atB.err, m1.err, m2.err))
	if atA.words == atB.words {
		t.Error("the words are the same")
	}
}

// TestRelayedUnchanged: M passes everything on and changes nothing but the ends of the
// connections. The peer ids in the transcript show it.
func TestRelayedUnchanged(t *testing.T) {
	a, b := sides(t)
	p, q := newPipe()
	atA, atB := both(
		func() outcome { return run(p, 1, a, side{id: "M", name: b.name}) },
		func() outcome { return run(q, 2, b, side{id: "AM", name: a.name}) })
	check(t, errors.Join(atA.err, atB.err))
	if atA.words == atB.words {
		t.Error("the words are the same")
	}
}

// TestRefusals gives one side what the other would never say.
func TestRefusals(t *testing.T) {
	a, b := sides(t)
	bound := commitment(a)
	open := frame{kindOpen, append(a.random[:], a.pkg...)}
	commit := frame{kindCommit, bound[:]}
	reveal := func(pkg []byte) frame { return frame{kindReveal, append(make([]byte, nonceSize), pkg...)} }
	otherR := frame{kindOpen, append(bytes.Repeat([]byte{1}, nonceSize), a.pkg...)}
	lastResort := func() []byte {
		id, err := particle.NewIdentity(nil)
		check(t, err)
		contact := wire.Address{Caps: wire.CapContact, Expires: time.Unix(1800000000, 0)}
		pkg, _, err := particle.NewPackage(nil, id, particle.PackageOptions{Contact: &contact, Expires: time.Unix(1799000000, 0)})
		check(t, err)
		return pkg.Bytes()
	}()
	for name, test := range map[string]struct {
		own, peer side
		hears     []frame
		want      error
	}{
		"B: nothing":                 {b, a, nil, ErrGone},
		"B: open first":              {b, a, []frame{open}, ErrProtocol},
		"B: short commitment":        {b, a, []frame{{kindCommit, bound[:31]}}, ErrProtocol},
		"B: gone after commit":       {b, a, []frame{commit}, ErrGone},
		"B: commit twice":            {b, a, []frame{commit, commit}, ErrProtocol},
		"B: wrong opening, r":        {b, a, []frame{commit, otherR}, ErrCommitment},
		"B: wrong opening, package":  {b, a, []frame{commit, {kindOpen, append(a.random[:], testPackage(t, 5)...)}}, ErrCommitment},
		"B: opening without package": {b, a, []frame{commit, {kindOpen, a.random[:]}}, ErrProtocol},
		"B: own package back":        {b, a, []frame{commit, {kindOpen, append(a.random[:], b.pkg...)}}, ErrMirror},
		"A: nothing":                 {a, b, nil, ErrGone},
		"A: commit back":             {a, b, []frame{commit}, ErrProtocol},
		"A: nonsense for a package":  {a, b, []frame{reveal([]byte("nonsense"))}, ErrPackage},
		"A: package changed":         {a, b, []frame{reveal(flip(b.pkg, 200))}, ErrPackage},
		"A: not for one use":         {a, b, []frame{reveal(lastResort)}, ErrPackage},
		"A: own package back":        {a, b, []frame{reveal(a.pkg)}, ErrMirror},
		"A: choose again":            {a, b, []frame{{kindChoose, nil}}, ErrProtocol},
	} {
		t.Run(name, func(t *testing.T) {
			p, q := newPipe()
			for _, f := range test.hears {
				check(t, q.send(f))
			}
			close(q.out)
			if o := run(p, 1, test.own, test.peer.public()); !errors.Is(o.err, test.want) {
				t.Errorf("%v, want %v", o.err, test.want)
			}
			close(p.out)
			for f := range q.in { // A never opens to who has not revealed properly
				if f.kind == kindOpen {
					t.Error("opened")
				}
			}
		})
	}
}

func flip(b []byte, i int) []byte {
	b = slices.Clone(b)
	b[i] ^= 1
	return b
}

// TestReplay: what A once said is said again to B. It is accepted as far as it goes, and
// B's words are not the ones of then.
func TestReplay(t *testing.T) {
	a, b := sides(t)
	p, q := newPipe()
	var said []frame
	recorder := recording{p, &said}
	atA, _ := both(func() outcome { return run(recorder, 1, a, b.public()) }, func() outcome { return run(q, 2, b, a.public()) })
	p, q = newPipe()
	for _, f := range said {
		check(t, p.send(f))
	}
	o := run(q, 5, b, a.public())
	check(t, o.err)
	if len(said) != 2 || o.words == atA.words {
		t.Errorf("%d frames replayed, words %v", len(said), o.words)
	}
}

type recording struct {
	channel
	said *[]frame
}

func (r recording) send(f frame) error {
	*r.said = append(*r.said, f)
	return r.channel.send(f)
}

func TestAgree(t *testing.T) {
	for _, test := range []struct{ a, b bool }{{true, true}, {true, false}, {false, true}, {false, false}} {
		p, q := newPipe()
		var atA, atB bool
		var wait sync.WaitGroup
		wait.Go(func() { atA, _ = agree(p, test.a) })
		atB, err := agree(q, test.b)
		wait.Wait()
		check(t, err)
		if atA != test.b || atB != test.a {
			t.Errorf("%+v was told as %v and %v", test, atA, atB)
		}
	}
	for _, body := range [][]byte{nil, {2}, {1, 1}} {
		p, q := newPipe()
		check(t, q.send(frame{kindVerdict, body}))
		if same, err := agree(p, true); !errors.Is(err, ErrProtocol) || same {
			t.Errorf("verdict %x: %v, %v", body, same, err)
		}
	}
}

func TestGreet(t *testing.T) {
	p, q := newPipe()
	var atA string
	var wait sync.WaitGroup
	wait.Go(func() { atA, _ = greet(p, true, "Alex") })
	atB, err := greet(q, false, "")
	wait.Wait()
	check(t, err)
	if atA != "" || atB != "Alex" {
		t.Errorf("greeted as %q and %q", atA, atB)
	}
	for name, test := range map[string]struct {
		f    frame
		want error
	}{
		"another kind":     {frame{kindChoose, nil}, ErrProtocol},
		"empty":            {frame{kindHello, nil}, ErrProtocol},
		"version 2":        {frame{kindHello, []byte{2}}, ErrVersion},
		"no length":        {frame{kindHello, []byte{1}}, ErrProtocol},
		"short":            {frame{kindHello, []byte{1, 2, 'x'}}, ErrProtocol},
		"long":             {frame{kindHello, []byte{1, 1, 'x', 'y'}}, ErrProtocol},
		"name of 33 bytes": {helloFrame(strings.Repeat("x", 33)), ErrProtocol},
		"name not UTF-8":   {helloFrame("\xff"), ErrProtocol},
		"control sequence": {helloFrame("a\x1b[2J"), ErrProtocol},
		"line feed":        {helloFrame("a\nb"), ErrProtocol},
	} {
		p, q := newPipe()
		check(t, q.send(test.f))
		if _, err := greet(p, false, "secret name"); !errors.Is(err, test.want) {
			t.Errorf("%s: %v", name, err)
		}
		if len(q.in) != 0 {
			t.Errorf("%s: the name was told all the same", name)
		}
	}
}

func TestFramesRefuse(t *testing.T) {
	for name, test := range map[string]struct {
		b    []byte
		want error
	}{
		"nothing":   {nil, ErrGone},
		"no kind":   {[]byte{0, 0, 1}, ErrProtocol},
		"too long":  {[]byte{0xff, 0xff, 1}, ErrProtocol},
		"cut":       {[]byte{0, 3, 1, 0}, ErrGone},
		"half head": {[]byte{0}, ErrGone},
	} {
		if _, err := readFrame(bytes.NewReader(test.b)); !errors.Is(err, test.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestWordList(t *testing.T) {
	if len(wordlists.English) != 1<<wordBits || wordlists.English[0] != "abandon" || wordlists.English[2047] != "zoo" {
		t.Fatal("not the BIP-39 English list")
	}
	all := wordsOf([32]byte(bytes.Repeat([]byte{0xff}, 32)))
	if all != (Words{"zoo", "zoo", "zoo", "zoo"}) || wordsOf([32]byte{}) != (Words{"abandon", "abandon", "abandon", "abandon"}) {
		t.Errorf("words %v", all)
	}
	// Each word is eleven bits of its own, and the 45th bit is not used.
	if w := wordsOf([32]byte{0, 0x20, 0x04, 0, 0x80, 0x1f}); w != (Words{wordlists.English[1], wordlists.English[1], wordlists.English[1], wordlists.English[1]}) {
		t.Errorf("words %v", w)
	}
}
