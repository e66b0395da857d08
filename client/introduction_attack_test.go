package client

import (
	"bytes"
	"fmt"
	"slices"
	"testing"
	"time"

	"communicator/client/store"
	"communicator/particle"
	"communicator/wire"
)

// TestIntroducerInTheMiddle: Sam passes packages of his own making. Nobody can see that
// at first, which is what the contacts are marked with; comparing shows it.
func TestIntroducerInTheMiddle(t *testing.T) {
	w := newCircle(t)
	w.introduce()
	w.rounds(1)
	w.ira.approve()
	w.reed.approve()
	check(t, w.sam.collectAll(t.Context()))
	fake := w.sam.fakePackage(t)
	check(t, w.sam.st.Update(t.Context(), func(tx *store.Tx) error {
		rows, err := tx.Introductions()
		for _, i := range rows {
			i.Package = fake
			if err := tx.SetIntroduction(i); err != nil {
				return err
			}
		}
		return err
	}))
	w.rounds(4)
	if w.ira.only().State != RequestPassed && w.ira.only().State != RequestDone {
		t.Fatalf("Ira: %+v", w.ira.only())
	}
	for p, name := range map[*person]string{w.ira: "Reed", w.reed: "Ira"} {
		all, err := p.Contacts(t.Context())
		check(t, err)
		for _, c := range all {
			if c.Name == name && c.Trust != TrustIntroduced {
				t.Errorf("%s is shown as %s", name, c.TrustWords())
			}
		}
	}
}

// fakePackage makes a package with a mailbox of the person's own.
func (p *person) fakePackage(t *testing.T) []byte {
	o, err := p.newOffer(t.Context(), "somebody")
	check(t, err)
	check(t, p.st.Update(t.Context(), o.save))
	return o.secret.Package().Bytes()
}

// TestStrangerAtAnOffer: somebody else than the one who was introduced uses the package,
// before or after it is known who should.
func TestStrangerAtAnOffer(t *testing.T) {
	for _, early := range []bool{true, false} {
		t.Run(fmt.Sprint("early ", early), func(t *testing.T) {
			w := newCircle(t)
			w.introduce()
			w.rounds(1)
			w.ira.approve()
			w.reed.approve()
			// Who of the two waits for the other's handshake?
			check(t, w.sam.collectAll(t.Context()))
			begins, waits := w.ira, w.reed
			if pkg := w.packageOf(t, "Reed"); must(particle.Begins(pkg.Identity(), w.packageOf(t, "Ira").Identity())) {
				begins, waits = w.reed, w.ira
			}
			name := map[*person]string{w.ira: "Ira", w.reed: "Reed"}
			stranger := w.sam.net.person(w.sam.net.agent())
			attack := func() {
				id, err := stranger.randomID()
				check(t, err)
				check(t, stranger.begin(t.Context(), id, "victim", w.packageOf(t, name[waits])))
				stranger.receive()
			}
			if early {
				attack()
				check(t, waits.collectAll(t.Context()))
				w.rounds(6)
				c := waits.contact(name[begins])
				if c.Trust != TrustReset || c.Why != ResetStranger {
					t.Errorf("the stranger is shown as %s", c.TrustWords())
				}
				return
			}
			w.sam.receive()
			waits.receive()
			attack()
			events, err := waits.Receive(t.Context())
			check(t, err)
			if !slices.Contains(events, Event(Alarm{Kind: AlarmIntroduction})) {
				t.Error("no alarm")
			}
			w.rounds(6)
			w.acquainted(t) // the right one still could
		})
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// packageOf is the package that Sam has of one of the two.
func (w circle) packageOf(t *testing.T, name string) (pkg particle.KeyPackage) {
	t.Helper()
	check(t, w.sam.st.View(t.Context(), func(tx *store.Tx) error {
		rows, err := tx.Introductions()
		for _, i := range rows {
			if i.Via == name {
				pkg, err = particle.ParsePackage(i.Package)
			}
		}
		return err
	}))
	return pkg
}

// TestMirroredPackage: Sam gives Ira's own package back, or something that is none.
func TestMirroredPackage(t *testing.T) {
	for _, what := range []string{"own", "nonsense", "link's"} {
		t.Run(what, func(t *testing.T) {
			w := newCircle(t)
			w.introduce()
			w.rounds(1)
			w.ira.approve()
			w.rounds(1)
			id := particle.IntroductionID{}
			check(t, w.sam.st.View(t.Context(), func(tx *store.Tx) error {
				rows, err := tx.Introductions()
				id = particle.IntroductionID(rows[0].ID)
				return err
			}))
			pkg := w.packageOf(t, "Ira").Bytes()
			switch what {
			case "nonsense":
				pkg = bytes.Repeat([]byte{1}, 2000)
			case "link's": // lives too long
				pkg = longPackage(t, w.sam.net.now())
			}
			w.sam.say("Ira", particle.Introduction{Step: particle.IntroductionPass, ID: id, Package: pkg})
			w.rounds(2)
			w.ira.state(RequestRefused)
			if n := w.ira.contactMailboxes(); n != 0 {
				t.Errorf("%d mailboxes for first messages are open", n)
			}
		})
	}
}

func longPackage(t *testing.T, now time.Time) []byte {
	t.Helper()
	a := wire.Address{Caps: wire.CapContact, Expires: now.Add(20 * day)}
	pkg, _, err := particle.NewPackage(nil, must(particle.NewIdentity(nil)),
		particle.PackageOptions{Contact: &a, OneTime: true, Expires: now.Add(10 * day).Truncate(time.Second)})
	check(t, err)
	return pkg.Bytes()
}

// TestTooManyRequestsOfOne: a contact cannot fill the list.
func TestTooManyRequestsOfOne(t *testing.T) {
	n := newFakeNet(t)
	a, b := n.person(n.agent(), n.agent()), n.person(n.agent(), n.agent())
	meet(t, a, b)
	for i := range maxAsked + 4 {
		a.say("b", particle.Introduction{Step: particle.IntroductionAsk, ID: particle.IntroductionID{byte(i + 1)},
			Name: "x", Expires: n.now().Add(1000 * day).Truncate(time.Second)})
	}
	a.receive()
	b.receive()
	open, err := b.Requests(t.Context(), false)
	check(t, err)
	if len(open) != maxAsked {
		t.Errorf("%d wait", len(open))
	}
	if late := open[0].Expires.Sub(n.now()); late > IntroductionLife {
		t.Errorf("one waits for %v", late)
	}
	// Which of them wait depends on the way that each took: by one agent or the other.
	var one store.ID
	check(t, b.st.View(t.Context(), func(tx *store.Tx) error {
		waiting, err := tx.Introductions()
		one = waiting[0].ID
		return err
	}))
	a.say("b", particle.Introduction{Step: particle.IntroductionEnd, ID: particle.IntroductionID(one)})
	a.receive()
	b.receive()
	a.say("b", particle.Introduction{Step: particle.IntroductionAsk, ID: particle.IntroductionID{99}, Name: "late",
		Expires: n.now().Add(-time.Hour)})
	a.receive()
	b.receive()
	all, err := b.Requests(t.Context(), true)
	check(t, err)
	if last := all[len(all)-1]; last.Name != "late" || last.State != RequestExpired {
		t.Errorf("a late one: %+v", last)
	}
}
