package particle

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"testing"
)

func testAsk() Introduction {
	return Introduction{Step: IntroductionAsk, ID: IntroductionID{9, 8}, Expires: start.Add(7 * day),
		Name: "Réed", Note: "you should meet"}
}

func encodeIntroduction(t testing.TB, i Introduction) []byte {
	t.Helper()
	return must[[]byte](t)(i.marshal())
}

type namedIntroduction struct {
	name string
	is   Introduction
}

func introductionSteps() []namedIntroduction {
	id := IntroductionID{9, 8}
	short := testAsk()
	short.Note = ""
	return []namedIntroduction{
		{"ask", testAsk()}, {"ask without a note", short},
		{"accept", Introduction{Step: IntroductionAccept, ID: id, Package: []byte("a package")}},
		{"decline", Introduction{Step: IntroductionDecline, ID: id}},
		{"pass", Introduction{Step: IntroductionPass, ID: id, Package: []byte("the other's")}},
		{"end", Introduction{Step: IntroductionEnd, ID: id}},
	}
}

// TestIntroductionTravels sends every step inside a session and reads it at the other end.
func TestIntroductionTravels(t *testing.T) {
	a, b := established(t)
	for _, x := range introductionSteps() {
		var sealed Sealed
		var err error
		if a, sealed, err = a.Send(nil, Draft{Introduction: &x.is}, start); err != nil {
			t.Fatal(x.name, err)
		}
		var o Opened
		b, o = receive(t, b, sealed.Ciphertext, start)
		if !reflect.DeepEqual(o.Message.Introduction, &x.is) || o.Message.Text != "" {
			t.Errorf("%s became %+v", x.name, o.Message.Introduction)
		}
	}
	pkg, _ := testPackage(t, true)
	whole := Introduction{Step: IntroductionPass, Package: pkg.Bytes()}
	_, sealed, err := a.Send(nil, Draft{Introduction: &whole}, start)
	if err != nil || len(sealed.Ciphertext) != 8<<10 {
		t.Errorf("a package took %d bytes: %v", len(sealed.Ciphertext), err)
	}
}

func TestIntroductionRefuses(t *testing.T) {
	a, _ := established(t)
	with := func(change func(*Introduction)) *Introduction {
		i := testAsk()
		change(&i)
		return &i
	}
	for name, test := range map[string]struct {
		is   *Introduction
		want error
	}{
		"no step":        {with(func(i *Introduction) { i.Step = 0 }), ErrVersion},
		"no name":        {with(func(i *Introduction) { i.Name = "" }), ErrMalformed},
		"long name":      {with(func(i *Introduction) { i.Name = strings.Repeat("x", 129) }), ErrTooLarge},
		"name not UTF-8": {with(func(i *Introduction) { i.Name = "\xff" }), ErrMalformed},
		"long note":      {with(func(i *Introduction) { i.Note = strings.Repeat("x", 513) }), ErrTooLarge},
		"note not UTF-8": {with(func(i *Introduction) { i.Note = "\xff" }), ErrMalformed},
		"no package":     {&Introduction{Step: IntroductionPass}, ErrMalformed},
		"long package":   {&Introduction{Step: IntroductionAccept, Package: make([]byte, MaxPackage+1)}, ErrTooLarge},
	} {
		next, _, err := a.Send(nil, Draft{Introduction: test.is}, start)
		if !errors.Is(err, test.want) || !next.Equal(a) {
			t.Errorf("%s: %v, want %v", name, err, test.want)
		}
	}
}

func TestOneOfTwoBegins(t *testing.T) {
	x, y := must[Identity](t)(NewIdentity(nil)), must[Identity](t)(NewIdentity(nil))
	first := must[bool](t)(Begins(x.Doc(), y.Doc()))
	second := must[bool](t)(Begins(y.Doc(), x.Doc()))
	if first == second {
		t.Error("both begin, or neither")
	}
	if _, err := Begins(x.Doc(), x.Doc()); !errors.Is(err, ErrWrongPeer) {
		t.Errorf("one's own document: %v", err)
	}
	// A mirror that signs the same X25519 key with a key of its own.
	mirror := identityOf([identitySize]byte(append(y.Marshal()[:keySize], x.Marshal()[keySize:]...)))
	if _, err := Begins(x.Doc(), mirror.Doc()); !errors.Is(err, ErrWrongPeer) {
		t.Errorf("one's own key: %v", err)
	}
}

// TestPackagesMeet: both sides have each other's package, the lower one begins under the
// identity that its package shows.
func TestPackagesMeet(t *testing.T) {
	p1, s1 := testPackage(t, true)
	p2, s2 := testPackage(t, true)
	if !must[bool](t)(Begins(p1.Identity(), p2.Identity())) {
		p1, s1, p2, s2 = p2, s2, p1, s1
	}
	a := must[Particle](t)(Initiate(nil, s1.Identity(), p2, addresses(1), start))
	_, sealed := send(t, a, "", start)
	accepted := must[Accepted](t)(Accept(s2, sealed.Ciphertext, start))
	if accepted.Particle.Peer() != p1.Identity() {
		t.Error("the responder met somebody else")
	}
}

func FuzzIntroduction(f *testing.F) {
	for _, x := range introductionSteps() {
		f.Add(encodeIntroduction(f, x.is))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		i, err := parseIntroduction(b)
		if err != nil {
			return
		}
		if again, err := i.marshal(); err != nil || !bytes.Equal(again, b) {
			t.Fatalf("%x encodes to %x, %v", b, again, err)
		}
	})
}
