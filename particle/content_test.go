package particle

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

func TestContentSurvives(t *testing.T) {
	set, _ := exchange{}.offer(addresses(1, 2, 3), start)
	sid := SessionID{5}
	for _, c := range []content{
		{id: MessageID{1}, sent: 2, setAck: 3, recoveryAck: 4},
		{text: "grüß dich"},
		{alarm: &ForkPoint{7, 8}, previous: &sid},
		{introduction: encodeIntroduction(t, testAsk()), alarm: &ForkPoint{7, 8}, claim: &Claim{[32]byte{1}, [32]byte{2}}},
		{text: "with a log's head", checkpoint: []byte("a signed note\n")},
		{previous: &sid, relation: make([]byte, RelationSize)},
		{relation: make([]byte, RelationSize), veto: []byte("a statement")},
		{text: "all", alarm: &ForkPoint{1, 2}, addresses: set.carried(), recovery: &recoveryOffer{1, []byte("opaque here")}},
	} {
		body, spare := c.marshal()
		b := append(body, spare...)
		got, err := parseContent(b)
		if err != nil {
			t.Fatal(err)
		}
		body, spare = got.marshal()
		if !bytes.Equal(append(body, spare...), b) {
			t.Fatalf("%+v became %+v", c, got)
		}
	}
}

func TestContentRefuses(t *testing.T) {
	valid := func() []byte { b, _ := content{text: "text"}.marshal(); return b }
	items := func(items ...[]byte) []byte {
		b, _ := content{}.marshal()
		b[contentFixed-1] = byte(len(items))
		return append(b, bytes.Join(items, nil)...)
	}
	text := []byte{kindText, 0, 1, 'x'}
	alarm := append([]byte{kindAlarm, 0, 12}, make([]byte, 12)...)
	for name, test := range map[string]struct {
		b    []byte
		want error
	}{
		"nothing":              {nil, ErrMalformed},
		"another version":      {append([]byte{2}, valid()[1:]...), ErrVersion},
		"trailing byte":        {append(valid(), 0), ErrMalformed},
		"missing byte":         {valid()[:len(valid())-1], ErrMalformed},
		"missing item":         {func() []byte { b := valid(); b[contentFixed-1]++; return b }(), ErrMalformed},
		"unknown kind":         {items([]byte{99, 0, 0}), ErrVersion},
		"empty checkpoint":     {items([]byte{kindCheckpoint, 0, 0}), ErrMalformed},
		"short relation":       {items(append([]byte{kindRelation, 1, 9}, make([]byte, 265)...)), ErrMalformed},
		"long relation":        {items(append([]byte{kindRelation, 1, 11}, make([]byte, 267)...)), ErrMalformed},
		"empty veto":           {items([]byte{kindVeto, 0, 0}), ErrMalformed},
		"long veto":            {items(append([]byte{kindVeto, 4, 1}, make([]byte, MaxVeto+1)...)), ErrMalformed},
		"kinds descending":     {items(alarm, text), ErrMalformed},
		"kind twice":           {items(text, text), ErrMalformed},
		"empty text":           {items([]byte{kindText, 0, 0}), ErrMalformed},
		"text not UTF-8":       {items([]byte{kindText, 0, 1, 0xff}), ErrMalformed},
		"short alarm":          {items([]byte{kindAlarm, 0, 1, 0}), ErrMalformed},
		"long alarm":           {items(append([]byte{kindAlarm, 0, 13}, make([]byte, 13)...)), ErrMalformed},
		"recovery of 3 bytes":  {items([]byte{kindRecovery, 0, 3, 0, 0, 0}), ErrMalformed},
		"short claim":          {items(append([]byte{kindClaim, 0, 63}, make([]byte, 63)...)), ErrMalformed},
		"long claim":           {items(append([]byte{kindClaim, 0, 65}, make([]byte, 65)...)), ErrMalformed},
		"empty introduction":   {items([]byte{kindIntroduction, 0, 0}), ErrVersion},
		"sent after year 9999": {func() []byte { b := valid(); b[17] = 0xff; return b }(), ErrMalformed},
	} {
		if _, err := parseContent(test.b); !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", name, err, test.want)
		}
	}
	if _, err := parseContent(items([]byte{kindAddresses, 0, 1, 0})); err == nil {
		t.Error("parsed an address set of one byte")
	}
}

// TestMaxTextFits sends the longest text where there is least room: in a first message
// with a one-time prekey and the largest address set.
func TestMaxTextFits(t *testing.T) {
	pkg, secret := testPackage(t, true)
	big := addresses(1, 2, 3, 4)
	for i := range big {
		big[i].URI = strings.Repeat("x", 111)
	}
	a := must[Particle](t)(Initiate(nil, must[Identity](t)(NewIdentity(nil)), pkg, big, start))
	if n := len(a.exchange.carried()); n < 990 {
		t.Fatalf("a set of %d bytes is not the largest", n)
	}
	text := strings.Repeat("x", MaxText)
	next, s := send(t, a, text, start)
	if len(s.Ciphertext) != buckets[len(buckets)-1] {
		t.Fatalf("%d bytes", len(s.Ciphertext))
	}
	accepted := must[Accepted](t)(Accept(secret, s.Ciphertext, start))
	if accepted.Opened.Message.Text != text {
		t.Fatal("text changed")
	}
	for _, long := range []string{text + "x", strings.Repeat("x", 1<<20)} {
		after, _, err := a.Send(nil, Draft{Text: long}, start)
		if !errors.Is(err, ErrTooLarge) || !after.Equal(a) {
			t.Fatalf("%d bytes of text: %v", len(long), err)
		}
	}
	if _, _, err := next.Send(nil, Draft{Text: "\xff"}, start); !errors.Is(err, ErrMalformed) {
		t.Fatal("text that is not UTF-8:", err)
	}
	b := accepted.Particle
	for range 3 { // an alarm and a recovery package still leave room
		b.alarm = &ForkPoint{1, 1}
		var s Sealed
		b, s = send(t, b, text, start)
		next, _ = receive(t, next, s.Ciphertext, start)
	}
}

// TestSizeDoesNotShowAddresses compares messages with and without a set.
func TestSizeDoesNotShowAddresses(t *testing.T) {
	a, _ := established(t)
	rotated := must[Particle](t)(a.Offer(addresses(9, 10, 11, 12), start))
	for n := 0; n < 8000; n += 97 {
		text := strings.Repeat("x", n)
		_, plain := send(t, a, text, start)
		_, carrying := send(t, rotated, text, start)
		if len(plain.Ciphertext) != len(carrying.Ciphertext) {
			t.Fatalf("text of %d bytes: %d bytes, with a set %d", n, len(plain.Ciphertext), len(carrying.Ciphertext))
		}
	}
}
