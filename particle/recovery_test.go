package particle

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func TestImportedNeverSends(t *testing.T) {
	a, b := established(t)
	a = must[Particle](t)(Parse(a.MarkImported().Marshal()))
	if _, _, err := a.Send(nil, Draft{}, start); !errors.Is(err, ErrImported) || !errors.Is(a.CanSend(), ErrImported) {
		t.Fatal(err)
	}
	if _, err := a.Offer(addresses(9), start); !errors.Is(err, ErrImported) {
		t.Fatal(err)
	}
	_, s := send(t, b, "still read", start)
	if a, o := receive(t, a, s.Ciphertext, start); o.Message.Text != "still read" || a.AnswerDue() {
		t.Fatal("an imported state does not read")
	}
}

// TestReestablish restores an export that is older than the conversation.
func TestReestablish(t *testing.T) {
	a, b := established(t)
	a, b = a.SetTrust(TrustVerified), b.SetTrust(TrustVerified)
	export := a.MarkImported().Marshal()
	for range 3 { // the conversation goes on elsewhere
		a, b = exchangeOne(t, a, b, start)
		b, a = exchangeOne(t, b, a, start)
	}
	b, underway := send(t, b, "to the device that is gone", start)
	_, late := send(t, a, "from the device that is gone", start)

	restored := must[Particle](t)(Parse(export))
	restored = must[Particle](t)(restored.Reestablish(nil, addresses(20, 21), start.Add(time.Hour)))
	if restored.Trust() != TrustReset || restored.Imported() || !restored.Unreplied() {
		t.Fatal("re-established state")
	}
	restored, s := send(t, restored, "I am back", start.Add(time.Hour))
	payload := must[[]byte](t)(restored.Wrap(nil, s.Ciphertext, restored.PeerAddresses(start)[0]))
	b, o := receive(t, b, must[[]byte](t)(b.Unwrap(payload)), start.Add(time.Hour))
	if !o.Reestablished || o.Message.Text != "I am back" || b.Trust() != TrustReset || !o.NewAddresses {
		t.Fatalf("opened %+v", o)
	}
	if got := b.PeerAddresses(start)[0].Mailbox[0]; got != 20 {
		t.Fatalf("sends to mailbox %d", got)
	}
	b, o = receive(t, b, late.Ciphertext, start.Add(time.Hour))
	if !o.OldSession || o.Message.Text != "from the device that is gone" {
		t.Fatalf("opened %+v", o)
	}
	if _, _, err := b.Receive(s.Ciphertext, start); !errors.Is(err, ErrDuplicate) {
		t.Fatal("replayed handshake:", err)
	}
	if _, _, err := restored.Receive(underway.Ciphertext, start); !errors.Is(err, ErrUndecryptable) {
		t.Fatal("a message after the export:", err)
	}
	b, s = send(t, b, "welcome", start.Add(2*time.Hour))
	restored, o = receive(t, restored, s.Ciphertext, start.Add(2*time.Hour))
	if o.Message.Text != "welcome" || restored.Unreplied() {
		t.Fatalf("opened %+v", o)
	}
	talk(t, restored, b)
}

// talk checks that both directions work in one session, with addresses known.
func talk(t *testing.T, a, b Particle) (Particle, Particle) {
	t.Helper()
	now := start.Add(day)
	for range 4 {
		var s Sealed
		var o Opened
		a, s = send(t, a, "to and", now)
		if b, o = receive(t, b, s.Ciphertext, now); o.Message.Text != "to and" || o.OldSession {
			t.Fatalf("opened %+v", o)
		}
		b, s = send(t, b, "fro", now)
		if a, o = receive(t, a, s.Ciphertext, now); o.Message.Text != "fro" || o.OldSession {
			t.Fatalf("opened %+v", o)
		}
	}
	if a.SessionID() != b.SessionID() || !a.Acknowledged() || !b.Acknowledged() {
		t.Fatal("sessions or addresses differ")
	}
	if a.recovery.acked == 0 || b.recovery.acked == 0 {
		t.Fatal("no recovery packages in the new session")
	}
	return a, b
}

func TestReestablishTwiceFromOneExport(t *testing.T) {
	a, b := established(t)
	export := a.MarkImported().Marshal()
	for i := range 3 {
		now := start.Add(time.Duration(i+1) * time.Hour)
		restored := must[Particle](t)(Parse(export))
		restored = must[Particle](t)(restored.Reestablish(nil, addresses(20), now))
		restored, s := send(t, restored, "back", now)
		var o Opened
		if b, o = receive(t, b, s.Ciphertext, now); !o.Reestablished {
			t.Fatalf("restore %d: %+v", i, o)
		}
		b, s = send(t, b, "ok", now)
		restored, _ = receive(t, restored, s.Ciphertext, now)
		talk(t, restored, b)
	}
}

func TestReestablishBothAtOnce(t *testing.T) {
	for range 6 { // either handshake may win
		a, b := established(t)
		a = must[Particle](t)(a.Reestablish(nil, addresses(20), start))
		b = must[Particle](t)(b.Reestablish(nil, addresses(30), start))
		a, sa := send(t, a, "from a", start)
		b, sb := send(t, b, "from b", start)
		a, oa := receive(t, a, sb.Ciphertext, start)
		b, ob := receive(t, b, sa.Ciphertext, start)
		if oa.Message.Text != "from b" || ob.Message.Text != "from a" {
			t.Fatal("a message was lost")
		}
		if oa.Reestablished == ob.Reestablished || a.SessionID() != b.SessionID() {
			t.Fatalf("both or neither gave way: %v, %v", oa.Reestablished, ob.Reestablished)
		}
		talk(t, a, b)
	}
}

// TestReestablishOvertaken delivers the losing handshake after the winner was answered.
func TestReestablishOvertaken(t *testing.T) {
	for range 6 {
		a, b := established(t)
		a = must[Particle](t)(a.Reestablish(nil, addresses(20), start))
		b = must[Particle](t)(b.Reestablish(nil, addresses(30), start))
		a, sa := send(t, a, "a", start)
		b, sb := send(t, b, "b", start)
		b, o := receive(t, b, sa.Ciphertext, start)
		if !o.Reestablished {
			continue // a's must win here
		}
		b, answer := send(t, b, "answer", start.Add(time.Minute))
		a, _ = receive(t, a, answer.Ciphertext, start.Add(time.Minute))
		a, o = receive(t, a, sb.Ciphertext, start.Add(time.Hour))
		if o.Reestablished || !o.OldSession || o.Message.Text != "b" {
			t.Fatalf("opened %+v", o)
		}
		talk(t, a, b)
		return
	}
}

// TestReestablishAfterPeerDid: an imported side that has received the peer's own
// re-establishment begins anew, and the peer follows whatever the ids are.
func TestReestablishAfterPeerDid(t *testing.T) {
	for range 6 {
		a, b := established(t)
		a = a.MarkImported()
		b = must[Particle](t)(b.Reestablish(nil, addresses(30), start))
		b, s := send(t, b, "b", start)
		a, o := receive(t, a, s.Ciphertext, start)
		if !o.Reestablished || !a.Imported() {
			t.Fatalf("opened %+v", o)
		}
		a, err := a.Reestablish(nil, addresses(20), start)
		if errors.Is(err, ErrNoRecovery) {
			t.Fatal("the peer's package is gone with its session")
		}
		a, s = send(t, a, "a", start)
		if b, o = receive(t, b, s.Ciphertext, start); !o.Reestablished {
			t.Fatalf("opened %+v", o)
		}
		talk(t, a, b)
	}
}

func TestReestablishNeedsAPackage(t *testing.T) {
	a, _ := hello(t, true)
	if _, err := a.Reestablish(nil, addresses(20), start); !errors.Is(err, ErrNoRecovery) {
		t.Fatal(err)
	}
	a, b := established(t)
	if _, err := b.Reestablish(nil, addresses(20), start.Add(RecoveryLife)); !errors.Is(err, ErrNoRecovery) {
		t.Fatal("an expired package:", err)
	}
	// The private part is kept for a message that was under way at expiry, no longer.
	a = must[Particle](t)(a.Reestablish(nil, addresses(20), start.Add(RecoveryLife-day)))
	_, s := send(t, a, "back", start)
	if _, _, err := b.Receive(s.Ciphertext, start.Add(RecoveryLife+15*day)); !errors.Is(err, ErrUndecryptable) {
		t.Fatal("long after expiry:", err)
	}
	receive(t, b, s.Ciphertext, start.Add(RecoveryLife))
}

func TestReestablishUnderAnotherIdentity(t *testing.T) {
	a, b := established(t)
	a.identity = must[Identity](t)(NewIdentity(nil))
	a = must[Particle](t)(a.Reestablish(nil, addresses(20), start))
	_, s := send(t, a, "mallory", start)
	if after, _, err := b.Receive(s.Ciphertext, start); !errors.Is(err, ErrWrongPeer) || !after.Equal(b) {
		t.Fatal(err)
	}
}

func TestRecoveryPackageOfAnotherIdentityIsNotStored(t *testing.T) {
	a, b := established(t)
	_, secret := testPackage(t, false)
	other, _, err := newPackage(nil, secret.identity, PackageOptions{Expires: start.Add(day)})
	if err != nil {
		t.Fatal(err)
	}
	number := b.recovery.peerNumber
	for _, test := range []struct {
		pkg  []byte
		want error
	}{{other.raw, ErrWrongPeer}, {secret.pkg.raw, ErrWrongPeer}, {[]byte("none"), ErrMalformed}} {
		r, err := b.recovery.take(content{recovery: &recoveryOffer{number + 1, test.pkg}}, b.peer)
		if !errors.Is(err, test.want) || r.peerNumber != number {
			t.Fatalf("%v, want %v", err, test.want)
		}
	}
	contact := testAddress(1, 0)
	first, _, _ := NewPackage(nil, a.identity, PackageOptions{Contact: &contact, Expires: start.Add(day)})
	if _, err := b.recovery.take(content{recovery: &recoveryOffer{number + 1, first.raw}}, b.peer); !errors.Is(err, ErrMalformed) {
		t.Fatal("a first-contact package:", err)
	}
}

func TestRecoveryPackageIsRenewedAndFinallyForced(t *testing.T) {
	a, b := established(t)
	before := a.recovery.acked
	later := start.Add(RecoveryEvery)
	a, b = exchangeOne(t, a, b, later)
	_, a = exchangeOne(t, b, a, later)
	if a.recovery.acked != before+1 {
		t.Fatal("not renewed after 30 days")
	}
	// Texts that leave no room: after some, the package takes a larger bucket.
	a, b = hello(t, true)
	b, a = exchangeOne(t, b, a, start)
	text := strings.Repeat("x", 600)
	sizes := map[int]int{}
	for range forceRecoveryAfter + 1 {
		var s Sealed
		a, s = send(t, a, text, start)
		b, _ = receive(t, b, s.Ciphertext, start)
		sizes[len(s.Ciphertext)]++
	}
	if b.recovery.peer == nil || sizes[4096] != forceRecoveryAfter || sizes[8192] != 1 {
		t.Fatalf("sizes %v", sizes)
	}
}

func TestFormerSessionsExpire(t *testing.T) {
	a, b := established(t)
	a, late := send(t, a, "late", start)
	a = must[Particle](t)(a.Reestablish(nil, addresses(20), start))
	_, s := send(t, a, "back", start)
	b, _ = receive(t, b, s.Ciphertext, start)
	if _, o := receive(t, b, late.Ciphertext, start.Add(FormerSessionLife)); !o.OldSession {
		t.Fatal("not the old session")
	}
	if _, _, err := b.Receive(late.Ciphertext, start.Add(FormerSessionLife+time.Second)); !errors.Is(err, ErrUndecryptable) {
		t.Fatal("after 30 days:", err)
	}
}

// TestFormerSessionsAreReadWhateverTheyHold: an alarm, a content of a later version and a
// fork in a session that was re-established.
func TestFormerSessionsAreReadWhateverTheyHold(t *testing.T) {
	a, b := established(t)
	forked := a
	a, one := send(t, a, "one", start)
	_, two := send(t, forked, "two", start)
	session, raw, err := a.session.Encrypt(nil, []byte("no content"), nil, start)
	if err != nil {
		t.Fatal(err)
	}
	a.session = session
	a.alarm = &ForkPoint{3, 4}
	a, alarm := send(t, a, "", start)
	a = must[Particle](t)(a.Reestablish(nil, addresses(20), start))
	_, s := send(t, a, "back", start)
	b, _ = receive(t, b, s.Ciphertext, start)

	b, o := receive(t, b, raw, start)
	if !errors.Is(o.Invalid, ErrMalformed) || string(o.Raw) != "no content" || !o.OldSession {
		t.Fatalf("opened %+v", o)
	}
	b, _ = receive(t, b, one.Ciphertext, start)
	if _, _, err := b.Receive(one.Ciphertext, start); !errors.Is(err, ErrDuplicate) {
		t.Fatal("a repeat:", err)
	}
	if b, o := receive(t, b, alarm.Ciphertext, start); o.Alarm == nil || !b.Alarmed() {
		t.Fatalf("opened %+v", o)
	}
	if b, o := receive(t, b, two.Ciphertext, start); o.Fork == nil || !o.OldSession || !b.Alarmed() {
		t.Fatalf("opened %+v", o)
	}
}

func TestReestablishWithAllSetsOpen(t *testing.T) {
	a, b := established(t)
	for range MaxOpenSets - 1 {
		a = must[Particle](t)(a.Offer(addresses(7), start))
	}
	a = must[Particle](t)(a.Reestablish(nil, addresses(20), start))
	if n := len(a.exchange.ours); n != MaxOpenSets || a.exchange.current().set.Addresses[0].Mailbox[0] != 20 {
		t.Fatalf("%d sets open", n)
	}
	a, s := send(t, a, "back", start)
	b, _ = receive(t, b, s.Ciphertext, start)
	b, s = send(t, b, "ok", start)
	a, _ = receive(t, a, s.Ciphertext, start)
	talk(t, a, b)
	if _, err := a.Reestablish(nil, addresses(1, 2, 3, 4, 5), start); !errors.Is(err, ErrTooLarge) {
		t.Fatal("five addresses:", err)
	}
}

// TestReestablishAgainBeforeTheReply: the second attempt wins, in whatever order the two
// arrive.
func TestReestablishAgainBeforeTheReply(t *testing.T) {
	for _, order := range [][2]int{{0, 1}, {1, 0}} {
		a, b := established(t)
		var sent [2]Sealed
		for i := range sent {
			now := start.Add(time.Duration(i+1) * time.Minute)
			a = must[Particle](t)(a.Reestablish(nil, addresses(byte(20+i)), now))
			a, sent[i] = send(t, a, "back", now)
		}
		for _, i := range order {
			b, _ = receive(t, b, sent[i].Ciphertext, start.Add(time.Hour))
		}
		b, s := send(t, b, "ok", start.Add(2*time.Hour))
		a, o := receive(t, a, s.Ciphertext, start.Add(2*time.Hour))
		if o.OldSession {
			t.Fatalf("order %v: answered in the first attempt's session", order)
		}
		talk(t, a, b)
	}
}

// TestReestablishReplay repeats an old re-establishment after the conversation went on.
func TestReestablishReplay(t *testing.T) {
	a, b := established(t)
	a = must[Particle](t)(a.Reestablish(nil, addresses(20), start))
	a, first := send(t, a, "back", start)
	b, _ = receive(t, b, first.Ciphertext, start)
	b, s := send(t, b, "ok", start)
	a, _ = receive(t, a, s.Ciphertext, start)
	a, b = talk(t, a, b)
	for range maxFormerSessions + 1 { // until its session is forgotten
		a = must[Particle](t)(a.Reestablish(nil, addresses(20), start.Add(2*day)))
		a, s = send(t, a, "again", start.Add(2*day))
		b, _ = receive(t, b, s.Ciphertext, start.Add(2*day))
		b, s = send(t, b, "ok", start.Add(2*day))
		a, _ = receive(t, a, s.Ciphertext, start.Add(2*day))
	}
	before := b.SessionID()
	if after, _, err := b.Receive(first.Ciphertext, start.Add(3*day)); !errors.Is(err, ErrUndecryptable) || after.SessionID() != before {
		t.Fatal("a replay:", err)
	}
}
