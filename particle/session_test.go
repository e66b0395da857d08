package particle

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"communicator/wire"
)

func mustDecrypt(t *testing.T, s Session, c []byte, want string) Session {
	t.Helper()
	next, plain, err := s.Decrypt(c, start)
	if err != nil {
		t.Fatalf("%s: %v", want, err)
	}
	if string(plain.Content) != want {
		t.Fatalf("opened %q, want %q", plain.Content, want)
	}
	return next
}

func wantError(t *testing.T, s Session, c []byte, want error) {
	t.Helper()
	before := s.Marshal()
	next, _, err := s.Decrypt(c, start)
	if !errors.Is(err, want) {
		t.Fatalf("error %v, want %v", err, want)
	}
	if !bytes.Equal(next.Marshal(), before) || !bytes.Equal(s.Marshal(), before) {
		t.Fatal("a refused ciphertext changed the state")
	}
}

func TestSessionStepsInTurn(t *testing.T) {
	a, b := sessions(t)
	for i := range 12 {
		a, b = pass(t, a, b)
		if want := uint64(2 * i); a.send.step != want || b.recv.step != want {
			t.Fatalf("round %d: A in chain %d, B reads %d", i, a.send.step, b.recv.step)
		}
		b, a = pass(t, b, a)
		if want := uint64(2*i + 1); b.send.step != want {
			t.Fatalf("round %d: B in chain %d", i, b.send.step)
		}
	}
	if len(a.former) != MaxFormerChains || len(b.former) != MaxFormerChains {
		t.Fatalf("%d and %d former chains", len(a.former), len(b.former))
	}
}

func TestSessionDropsKeysItHasUsed(t *testing.T) {
	a, b := sessions(t)
	if b.own != nil || b.send.chain != nil || a.recv != nil {
		t.Fatal("a new session holds keys that do not exist yet")
	}
	a, b = pass(t, a, b)
	b, a = pass(t, b, a)
	if a.own != nil {
		t.Fatal("A keeps a ratchet key that B has stepped to")
	}
	if b.peer != nil {
		t.Fatal("B keeps a ratchet key that it has stepped to")
	}
	if a.former != nil {
		t.Fatal("A has no former chain of B's yet")
	}
}

func TestSessionOutOfOrderAcrossChains(t *testing.T) {
	a, b := linked(t)
	type late struct {
		c    []byte
		want string
	}
	var kept []late
	for i := range MaxFormerChains {
		var c []byte
		want := fmt.Sprint("late ", i)
		a, c = encrypt(t, a, want)
		kept = append(kept, late{c, want})
		a, b = pass(t, a, b)
		b, a = pass(t, b, a)
		a, b = pass(t, a, b) // the next chain says how long this one was
	}
	for i := len(kept) - 1; i >= 0; i-- {
		b = mustDecrypt(t, b, kept[i].c, kept[i].want)
		wantError(t, b, kept[i].c, ErrDuplicate)
	}
}

func TestSessionForgetsTheNinthChain(t *testing.T) {
	a, b := linked(t)
	a, c := encrypt(t, a, "too late")
	for range MaxFormerChains + 1 {
		a, b = pass(t, a, b)
		b, a = pass(t, b, a)
	}
	_, b = pass(t, a, b)
	wantError(t, b, c, ErrUndecryptable)
}

func TestSessionLossOfEveryMessageButOne(t *testing.T) {
	a, b := sessions(t)
	for round := range 4 {
		for range 5 {
			a, _ = encrypt(t, a, "lost")
		}
		a, b = pass(t, a, b)
		for range 5 {
			b, _ = encrypt(t, b, "lost")
		}
		b, a = pass(t, b, a)
		if b.recv.skipped == nil {
			t.Fatalf("round %d: no skipped keys", round)
		}
	}
}

func TestSessionBothSendAtOnce(t *testing.T) {
	a, b := linked(t)
	for i := range 10 {
		var ca, cb []byte
		a, ca = encrypt(t, a, fmt.Sprint("a", i))
		b, cb = encrypt(t, b, fmt.Sprint("b", i))
		a = mustDecrypt(t, a, cb, fmt.Sprint("b", i))
		b = mustDecrypt(t, b, ca, fmt.Sprint("a", i))
	}
}

func TestSessionSkipLimits(t *testing.T) {
	a, b := linked(t)
	next := b.recv.next
	at := func(n uint32) []byte {
		s := a
		for s.send.sent < n {
			_, s.send.chain = s.send.chain.advance()
			s.send.sent++
		}
		h := header{n: s.send.sent, pn: s.send.previous, public: s.send.public, enc: s.send.enc}
		encrypted, err := h.seal(nil, s.send.header, s.sid)
		if err != nil {
			t.Fatal(err)
		}
		key, _ := s.send.chain.advance()
		room, _ := s.room(1)
		return key.sealBody(encrypted, []byte("x"), room, s.sid, encrypted)
	}
	wantError(t, b, at(next+MaxSkip+1), ErrTooFar)
	b = mustDecrypt(t, b, at(next+MaxSkip), "x")
	if len(b.recv.skipped) != MaxSkip {
		t.Fatalf("%d skipped keys", len(b.recv.skipped))
	}
	b = mustDecrypt(t, b, at(next+MaxSkip+1+MaxSkip), "x")
	b = mustDecrypt(t, b, at(next+MaxSkip+1+MaxSkip+1+10), "x")
	if len(b.recv.skipped) != MaxSkipped {
		t.Fatalf("%d skipped keys stored, cap %d", len(b.recv.skipped), MaxSkipped)
	}
	wantError(t, b, at(next), ErrUndecryptable) // the oldest went first
	if got, err := ParseSession(b.Marshal()); err != nil || !bytes.Equal(got.Marshal(), b.Marshal()) {
		t.Fatalf("full state does not survive: %v", err)
	}
	mustDecrypt(t, b, at(next+50), "x")
}

func TestSessionLyingChainLengthAbandonsTheOldChain(t *testing.T) {
	for _, test := range []struct {
		pn      uint32
		skipped int
	}{{1 + MaxSkip, MaxSkip}, {1 + MaxSkip + 1, 0}, {1<<32 - 1, 0}, {0, 0}} {
		a, b := linked(t)
		b, a = pass(t, b, a)
		a.send.sent = test.pn // the length that A's step will claim
		_, b = pass(t, a, b)
		if got := len(b.former[0].skipped); got != test.skipped {
			t.Errorf("pn %d: %d skipped keys, want %d", test.pn, got, test.skipped)
		}
	}
}

func TestSessionSkippedKeysExpire(t *testing.T) {
	a, b := linked(t)
	a, c := encrypt(t, a, "late")
	a, b = pass(t, a, b)
	if _, _, err := b.Decrypt(c, start.Add(SkippedLife)); err != nil {
		t.Fatalf("on the last day: %v", err)
	}
	later := start.Add(SkippedLife + day)
	if _, _, err := b.Decrypt(c, later); !errors.Is(err, ErrUndecryptable) {
		t.Fatalf("after 30 days: %v", err)
	}
	b, a = pass(t, b, a)
	_, b = pass(t, a, b)
	next, _, err := b.Encrypt(nil, nil, nil, later)
	if err != nil {
		t.Fatal(err)
	}
	if len(b.former[0].skipped) != 1 || len(next.former[0].skipped) != 0 {
		t.Fatal("sending does not drop expired keys of former chains")
	}
}

func TestSessionUnansweredLimit(t *testing.T) {
	a, b := sessions(t)
	var last []byte
	for range MaxUnanswered {
		a, last = encrypt(t, a, "x")
	}
	if _, _, err := a.Encrypt(nil, nil, nil, start); !errors.Is(err, ErrUnanswered) {
		t.Fatalf("message %d: %v", MaxUnanswered+1, err)
	}
	b = mustDecrypt(t, b, last, "x") // the others may be lost
	_, a = pass(t, b, a)
	if a.CanSend() != nil {
		t.Fatal("still refusing after an answer")
	}
}

func TestSessionAnswerDue(t *testing.T) {
	a, b := linked(t)
	for i := b.sinceSent; i < AnswerAfter; i++ {
		if b.AnswerDue() {
			t.Fatalf("due after %d messages", i)
		}
		a, b = pass(t, a, b)
	}
	if !b.AnswerDue() {
		t.Fatal("no answer due")
	}
	if b, _ = pass(t, b, a); b.AnswerDue() {
		t.Fatal("due although answered")
	}
}

func TestSessionResponderCannotSendFirst(t *testing.T) {
	_, b := sessions(t)
	b.peer = nil
	if _, _, err := b.Encrypt(nil, nil, nil, start); !errors.Is(err, ErrCannotSend) {
		t.Fatal(err)
	}
}

func TestSessionRefusesEveryCorruption(t *testing.T) {
	a, b := linked(t)
	_, c := encrypt(t, a, "secret")
	for _, i := range []int{0, 23, 24, 100, headerNonceSize + headerPlainSize, encryptedHeaderSize - 1,
		encryptedHeaderSize, encryptedHeaderSize + 3, len(c) - 17, len(c) - 1} {
		bad := bytes.Clone(c)
		bad[i] ^= 0x40
		wantError(t, b, bad, ErrUndecryptable)
	}
	wantError(t, b, c[:len(c)-1], ErrMalformed)
	wantError(t, b, nil, ErrMalformed)
	wantError(t, b, append(bytes.Clone(c), make([]byte, 4096)...), ErrUndecryptable)
	mustDecrypt(t, b, c, "secret")
}

func TestSessionStepCommitsOnlyWithTheBody(t *testing.T) {
	a, b := linked(t)
	b, a = pass(t, b, a)
	a, c := encrypt(t, a, "steps")
	bad := bytes.Clone(c)
	bad[len(bad)-1] ^= 1
	wantError(t, b, bad, ErrUndecryptable) // its header is right and steps
	mustDecrypt(t, b, c, "steps")
	_ = a
}

func TestSessionPadding(t *testing.T) {
	a, b := linked(t)
	for _, test := range []struct {
		name  string
		spoil func(plain []byte)
	}{
		{"length past the end", func(p []byte) { p[0] = 0xff }},
		{"length one too long", func(p []byte) { p[2], p[3] = byte((len(p)-3)>>8), byte(len(p)-3) }},
		{"last byte not zero", func(p []byte) { p[len(p)-1] = 1 }},
		{"first padding byte not zero", func(p []byte) { p[5] = 1 }},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := header{n: a.send.sent, pn: a.send.previous, public: a.send.public, enc: a.send.enc}
			encrypted, err := h.seal(nil, a.send.header, a.sid)
			if err != nil {
				t.Fatal(err)
			}
			room, _ := a.room(1)
			plain := make([]byte, bodyLengthSize+room)
			plain[3] = 1
			test.spoil(plain)
			mk, _ := a.send.chain.advance()
			key, nonce := mk.bodyKey(hashHeader(encrypted))
			c := chacha(key).Seal(bytes.Clone(encrypted), nonce, plain, bodyAD(a.sid, encrypted))
			wantError(t, b, c, ErrPadding)
		})
	}
}

func TestSessionBuckets(t *testing.T) {
	a, _ := linked(t)
	overhead := encryptedHeaderSize + bodyOverhead
	for _, size := range buckets {
		largest := size - overhead - Spare
		_, c, err := a.Encrypt(nil, make([]byte, largest), make([]byte, Spare), start)
		if err != nil || len(c) != size {
			t.Fatalf("body %d and a full spare: %d bytes, %v", largest, len(c), err)
		}
		_, bare, err := a.Encrypt(nil, make([]byte, largest), nil, start)
		if err != nil || len(bare) != size {
			t.Fatalf("body %d without spare: %d bytes, %v", largest, len(bare), err)
		}
		_, c, err = a.Encrypt(nil, make([]byte, largest+1), nil, start)
		if size == wire.MaxCiphertext {
			if !errors.Is(err, ErrTooLarge) {
				t.Fatalf("over the largest bucket: %v", err)
			}
		} else if err != nil || len(c) != 2*size {
			t.Fatalf("body %d: %d bytes, %v", largest+1, len(c), err)
		}
	}
	if _, _, err := a.Encrypt(nil, nil, make([]byte, 4096), start); !errors.Is(err, ErrTooLarge) {
		t.Fatalf("a spare that does not fit: %v", err)
	}
}

func TestSessionFork(t *testing.T) {
	a, b := linked(t)
	_, one := encrypt(t, a, "one device")
	_, two := encrypt(t, a, "another") // the same state sends again
	b = mustDecrypt(t, b, one, "one device")
	assertFork(t, b, two, ForkPoint{2, 1})
	altered := bytes.Clone(one)
	altered[len(altered)-1] ^= 1
	wantError(t, b, altered, ErrDuplicate) // anybody could have made this one

	b, a = pass(t, b, a)
	_, c1 := encrypt(t, a, "steps")
	_, c2 := encrypt(t, a, "steps elsewhere")
	b = mustDecrypt(t, b, c1, "steps")
	assertFork(t, b, c2, ForkPoint{4, 0})
}

func assertFork(t *testing.T, s Session, c []byte, want ForkPoint) {
	t.Helper()
	var fork *ForkError
	if _, _, err := s.Decrypt(c, start); !errors.As(err, &fork) || fork.Point != want {
		t.Fatalf("error %v, want a fork at %v", err, want)
	}
}

func TestSessionForkInFormerChain(t *testing.T) {
	a, b := linked(t)
	b, a = pass(t, b, a)
	copied := a
	a, b = pass(t, a, b)
	b, a = pass(t, b, a)
	_, b = pass(t, a, b)
	_, c := encrypt(t, copied, "from a copy that fell behind")
	assertFork(t, b, c, ForkPoint{4, 0})
}

func TestSessionPeerCannotStepTwice(t *testing.T) {
	a, b := linked(t)
	a, b = pass(t, a, b)
	b, a = pass(t, b, a)
	a, b = pass(t, a, b) // chain 4: B has no ratchet key out now
	a.peer = a.send.public
	a.recv.step = 5
	_, c := encrypt(t, a, "x")
	wantError(t, b, c, ErrUndecryptable)
}

func TestSessionRefusesUnusableRatchetKey(t *testing.T) {
	a, b := linked(t)
	b, a = pass(t, b, a)
	stepped, _ := encrypt(t, a, "x")
	bad := *stepped.send.public
	for i := range bad[:1184] {
		bad[i] = 0xff // coefficients over the modulus (FIPS 203, section 7.2)
	}
	stepped.send.public, stepped.send.sent = &bad, 0
	_, c := encrypt(t, stepped, "x")
	wantError(t, b, c, ErrBadKey)
}

func TestSessionEncodingRefusesDamage(t *testing.T) {
	a, _ := linked(t)
	b := a.Marshal()
	for n := range len(b) {
		if _, err := ParseSession(b[:n]); err == nil {
			t.Fatalf("parsed a prefix of %d of %d bytes", n, len(b))
		}
	}
	if _, err := ParseSession(append(bytes.Clone(b), 0)); err == nil {
		t.Fatal("parsed with a trailing byte")
	}
}

func TestSessionTrimsTheOldestChainFirst(t *testing.T) {
	a, b := linked(t)
	skip := func(n int) {
		for range n {
			a, _ = encrypt(t, a, "lost")
		}
		a, b = pass(t, a, b)
	}
	for _, n := range []int{900, 900, 900} {
		skip(n)
		b, a = pass(t, b, a)
	}
	a, b = pass(t, a, b)
	var kept []int
	for _, c := range b.former {
		kept = append(kept, len(c.skipped))
	}
	if fmt.Sprint(kept) != "[900 900 248 0]" {
		t.Fatalf("skipped keys of the former chains: %v", kept)
	}
	if got := b.former[2].skipped[0].n; got != 900-248+1 {
		t.Fatalf("the oldest kept is number %d", got)
	}
}
