package particle

import (
	"bytes"
	"crypto/sha256"
	"testing"
	"testing/cryptotest"
)

// sessionVectors are one conversation in a bare session, without a handshake block.
type sessionVectors struct {
	SK   hexBytes `json:"sk"`
	SID  hexBytes `json:"sid"`
	Init struct {
		RK   hexBytes `json:"rk"`
		CKA  hexBytes `json:"ck_a"`
		HKA  hexBytes `json:"hk_a"`
		NHKA hexBytes `json:"nhk_a"`
		NHKB hexBytes `json:"nhk_b"`
	} `json:"init"`
	Steps    []stepVector    `json:"steps"`
	Messages []messageVector `json:"messages"`
	Failures []failureVector `json:"failures"`
}

// stepVector is a step as its receiver sees it.
type stepVector struct {
	Step    uint64   `json:"step"`
	RK      hexBytes `json:"rk"`
	ToSeed  hexBytes `json:"to_seed"` // private key of the ratchet key stepped to
	To      hexBytes `json:"to"`
	Enc     hexBytes `json:"enc"`
	Public  hexBytes `json:"ek_new"`
	SS      hexBytes `json:"ss"`
	NextRK  hexBytes `json:"rk_next"`
	CK      hexBytes `json:"ck"`
	NextNHK hexBytes `json:"nhk_next"`
}

// messageVector is a message, in the order of arrival.
type messageVector struct {
	From       string   `json:"from"`
	Chain      uint64   `json:"chain"`
	N          uint32   `json:"n"`
	Content    hexBytes `json:"content"`
	MK         hexBytes `json:"mk"`
	Nonce      hexBytes `json:"header_nonce"`
	Header     hexBytes `json:"header_plain"`
	BodyKey    hexBytes `json:"body_key"`
	BodyNonce  hexBytes `json:"body_nonce"`
	Ciphertext hexBytes `json:"ciphertext"`
	// Sender is the state that gives exactly this ciphertext with the header's nonce;
	// absent where the message steps, since an encapsulation is drawn then.
	Sender   hexBytes `json:"sender_state,omitempty"`
	Receiver hexBytes `json:"receiver_state"`
	After    hexBytes `json:"sha256_of_receiver_state_after"`
}

type failureVector struct {
	Name       string   `json:"name"`
	State      hexBytes `json:"state"`
	Ciphertext hexBytes `json:"ciphertext"`
	Error      string   `json:"error"`
}

func generateSession(t *testing.T) (v sessionVectors) {
	cryptotest.SetGlobalRandom(t, 1)
	random := seeded(10)
	sk := newKey[sharedKey](bytes.Repeat([]byte{0x11}, 32))
	sid := SessionID(bytes.Repeat([]byte{0x22}, 32))
	v.SK, v.SID = sk.bytes(), sid[:]
	k := deriveInit(sk, sid)
	v.Init.RK, v.Init.CKA, v.Init.HKA = k.root.bytes(), k.chainA.bytes(), k.headerA.bytes()
	v.Init.NHKA, v.Init.NHKB = k.nextA.bytes(), k.next.bytes()
	own, public, err := newKEMPrivate(random)
	if err != nil {
		t.Fatal(err)
	}
	sides := [2]Session{
		newInitiator(sk, sid, own, public, nil),
		newResponder(sk, sid, public, HandshakeID{}),
	}
	encrypt := func(from int, content string) messageVector {
		m := messageVector{From: string("AB"[from]), Content: hexBytes(content)}
		s := &sides[from]
		steps := s.stepDue()
		before := *s
		var c []byte
		if *s, c, err = s.Encrypt(random, []byte(content), nil, start); err != nil {
			t.Fatal(err)
		}
		if steps {
			v.Steps = append(v.Steps, describeStep(t, sides[1-from], *s))
		} else {
			m.Sender = before.Marshal()
		}
		m.Ciphertext = c
		return m
	}
	arrive := func(to int, m messageVector) {
		m.Receiver = sides[to].Marshal()
		next, plain, err := sides[to].Decrypt(m.Ciphertext, start)
		if err != nil {
			t.Fatal(err)
		}
		m.Chain, m.N = plain.Place.Chain, plain.Place.N
		after := sha256.Sum256(next.Marshal())
		m.After = after[:]
		describeMessage(t, &m, sides[to], next)
		sides[to] = next
		v.Messages = append(v.Messages, m)
	}
	arrive(1, encrypt(0, "first"))
	late := encrypt(0, "second, arriving late")
	lost := encrypt(0, "third, lost")
	arrive(0, encrypt(1, "reply"))
	arrive(1, encrypt(0, "in a new chain"))
	arrive(1, late)
	arrive(0, encrypt(1, ""))
	v.Failures = sessionFailures(t, sides[0], sides[1], late.Ciphertext, lost.Ciphertext)
	return v
}

// describeStep recomputes a step that has just been sent, from its receiver's keys.
func describeStep(t *testing.T, receiver, sender Session) stepVector {
	number := sender.send.step
	ss, err := receiver.own.decapsulate(sender.send.enc, stepInfo(receiver.sid, number))
	if err != nil {
		t.Fatal(err)
	}
	k := deriveStep(receiver.root, receiver.sid, number, receiver.send.public, sender.send.public, sender.send.enc, ss)
	return stepVector{
		Step: number, RK: receiver.root.bytes(), ToSeed: receiver.own.seed[:], To: receiver.send.public[:],
		Enc: sender.send.enc, Public: sender.send.public[:], SS: ss,
		NextRK: k.root.bytes(), CK: k.chain.bytes(), NextNHK: k.nextHeader.bytes(),
	}
}

// describeMessage finds the header and message keys in the receiver's states.
func describeMessage(t *testing.T, m *messageVector, before, after Session) {
	encrypted := m.Ciphertext[:encryptedHeaderSize]
	m.Nonce = encrypted[:headerNonceSize]
	for _, c := range append(after.chains(), after.former...) {
		if plain := c.header.open(encrypted, after.sid); plain != nil {
			m.Header = plain
		}
	}
	var key *messageKey
	for _, c := range append(before.chains(), before.former...) {
		if i := c.skippedAt(m.N); c.step == m.Chain && i >= 0 {
			key = c.skipped[i].key
		}
	}
	if key == nil { // a message in order: advance the chain
		chain := before.recv
		if chain == nil || chain.step != m.Chain {
			h, _ := parseHeader(m.Header)
			next, err := before.stepReceiving(h, start)
			if err != nil {
				t.Fatal(err)
			}
			chain = next.recv
		}
		c := chain.skipTo(m.N, start)
		key, _ = c.chain.advance()
	}
	m.MK = key.bytes()
	m.BodyKey, m.BodyNonce = key.bodyKey(hashHeader(encrypted))
}

func sessionFailures(t *testing.T, a, b Session, used, lost []byte) []failureVector {
	random := seeded(11)
	var v []failureVector
	add := func(name string, s Session, c []byte) {
		_, _, err := s.Decrypt(c, start)
		if err == nil {
			t.Fatalf("%s: no failure", name)
		}
		v = append(v, failureVector{name, s.Marshal(), c, errorName(t, err)})
	}
	next, c, err := a.Encrypt(random, []byte("x"), nil, start)
	if err != nil {
		t.Fatal(err)
	}
	add("header's nonce changed", b, flipped(c, 0, 1))
	add("header changed", b, flipped(c, 100, 1))
	add("body changed in a step", b, flipped(c, 3000, 1))
	add("tag changed", b, flipped(c, -1, 1))
	add("not a bucket", b, c[:len(c)-1])
	add("received before", b, used)
	add("body of a skipped message changed", b, flipped(lost, -1, 1))

	// Ciphertexts that only the peer could make.
	craft := func(n uint32, alterHeader func([]byte), alterBody func([]byte)) []byte {
		h := header{n: n, pn: next.send.previous, public: next.send.public, enc: next.send.enc}
		plain := h.marshal()
		alterHeader(plain)
		nonce := must[[]byte](t)(draw(random, headerNonceSize))
		encrypted := xchacha(next.send.header.bytes()).Seal(nonce, nonce, plain, next.sid[:])
		chain := next.send.chain
		key, chain := chain.advance()
		for i := next.send.sent; i < n; i++ {
			key, chain = chain.advance()
		}
		room, _ := next.room(1)
		body := make([]byte, bodyLengthSize+room)
		body[3] = 1
		alterBody(body)
		k, bodyNonce := key.bodyKey(hashHeader(encrypted))
		return chacha(k).Seal(encrypted, bodyNonce, body, bodyAD(next.sid, encrypted))
	}
	keep := func([]byte) {}
	opened, _, err := b.Decrypt(c, start)
	if err != nil {
		t.Fatal(err)
	}
	add("header of suite 2", opened, craft(1, func(h []byte) { h[0] = 2 }, keep))
	add("header's flags", opened, craft(1, func(h []byte) { h[1] = 1 }, keep))
	add("header's zeros", opened, craft(1, func(h []byte) { h[len(h)-1] = 1 }, keep))
	add("another encapsulation in the same chain", opened, craft(1, func(h []byte) { h[2000] ^= 1 }, keep))
	add("another ciphertext for a place that is taken", opened, craft(0, keep, keep))
	add("1,025 skipped", opened, craft(1+MaxSkip+1, keep, keep))
	add("padding not zero", opened, craft(1, keep, func(p []byte) { p[len(p)-1] = 1 }))
	add("length past the end", opened, craft(1, keep, func(p []byte) { p[0] = 1 }))
	return v
}

func TestVectorsSession(t *testing.T) {
	v := vectors(t, "session.json", func() sessionVectors { return generateSession(t) })
	sid := SessionID(v.SID)
	k := deriveInit(newKey[sharedKey](v.SK), sid)
	same(t, "rk", k.root.bytes(), v.Init.RK)
	same(t, "ck_a", k.chainA.bytes(), v.Init.CKA)
	same(t, "hk_a", k.headerA.bytes(), v.Init.HKA)
	same(t, "nhk_a", k.nextA.bytes(), v.Init.NHKA)
	same(t, "nhk_b", k.next.bytes(), v.Init.NHKB)
	for _, s := range v.Steps {
		private := &KEMPrivate{seed: [keySize]byte(s.ToSeed)}
		ss := must[[]byte](t)(private.decapsulate(s.Enc, stepInfo(sid, s.Step)))
		same(t, "ss", ss, s.SS)
		to, public := KEMPublic(s.To), KEMPublic(s.Public)
		same(t, "to", must[*KEMPublic](t)(private.public())[:], s.To)
		k := deriveStep(newKey[rootKey](s.RK), sid, s.Step, &to, &public, s.Enc, ss)
		same(t, "rk_next", k.root.bytes(), s.NextRK)
		same(t, "ck", k.chain.bytes(), s.CK)
		same(t, "nhk_next", k.nextHeader.bytes(), s.NextNHK)
	}
	for _, m := range v.Messages {
		replayMessage(t, m)
	}
	for _, f := range v.Failures {
		s := must[Session](t)(ParseSession(f.State))
		if _, _, err := s.Decrypt(f.Ciphertext, start); err == nil || errorName(t, err) != f.Error {
			t.Errorf("%s: %v, want %s", f.Name, err, f.Error)
		}
	}
}

func replayMessage(t *testing.T, m messageVector) {
	t.Helper()
	receiver := must[Session](t)(ParseSession(m.Receiver))
	next, plain, err := receiver.Decrypt(m.Ciphertext, start)
	if err != nil {
		t.Errorf("message %d of chain %d: %v", m.N, m.Chain, err)
		return
	}
	if plain.Place != (ForkPoint{m.Chain, m.N}) {
		t.Errorf("place %v", plain.Place)
	}
	same(t, "content", plain.Content, m.Content)
	after := sha256.Sum256(next.Marshal())
	same(t, "state after", after[:], m.After)
	got := m
	describeMessage(t, &got, receiver, next)
	same(t, "header", got.Header, m.Header)
	same(t, "mk", got.MK, m.MK)
	same(t, "body key", got.BodyKey, m.BodyKey)
	same(t, "body nonce", got.BodyNonce, m.BodyNonce)
	if m.Sender != nil {
		sender := must[Session](t)(ParseSession(m.Sender))
		_, c, err := sender.Encrypt(bytes.NewReader(m.Nonce), m.Content, nil, start)
		if err != nil {
			t.Fatal(err)
		}
		same(t, "ciphertext", c, m.Ciphertext)
	}
}
