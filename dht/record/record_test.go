package record

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"testing"
	"time"

	"communicator/wire"
	"communicator/wire/descriptor"

	"filippo.io/edwards25519"
)

const (
	epoch    = wire.Epoch(2967)
	testBits = 8
)

var (
	zone   = ed25519.NewKeyFromSeed(pattern(1, 32))
	alice  = NameSecret(pattern(2, 32)) // stands for an Argon2id output
	during = epoch.End().Add(-wire.EpochLength / 2)
)

func pattern(start byte, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = start + byte(i)
	}
	return b
}

func public(k ed25519.PrivateKey) ed25519.PublicKey { return k.Public().(ed25519.PublicKey) }

func mustSign(t testing.TB, d Draft) []byte {
	t.Helper()
	b, err := Sign(zone, alice, d, testBits)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func mustBlind(t testing.TB, e wire.Epoch) BlindKey {
	t.Helper()
	k, err := Blind(public(zone), alice, e)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func draft(payload string) Draft {
	return Draft{Epoch: epoch, Version: 3, Refresh: 1, Payload: []byte(payload)}
}

func TestSignValidateOpen(t *testing.T) {
	keys := mustBlind(t, epoch).Locations()
	for _, n := range []int{0, 1, 2046, 2047, 3070, 3071, MaxPayload} {
		d := draft("")
		d.Payload = pattern(9, n)
		b := mustSign(t, d)
		for r, key := range keys {
			sequence, err := Check(key, b, during, testBits)
			if err != nil || sequence != 3<<32|1 {
				t.Fatalf("%d bytes at place %d: sequence %d, %v", n, r, sequence, err)
			}
		}
		payload, header, err := Open(public(zone), alice, epoch, b)
		if err != nil || !bytes.Equal(payload, d.Payload) || header.Version != 3 || header.Refresh != 1 {
			t.Fatalf("%d bytes: %d came back, %+v, %v", n, len(payload), header, err)
		}
		if want := map[bool]int{true: 2216}[n <= 2046]; want != 0 && len(b) != want {
			t.Errorf("%d bytes make a record of %d", n, len(b))
		}
		if !bytes.Equal(b, mustSign(t, d)) {
			t.Error("the same statement signed twice gives other bytes")
		}
		r, err := Parse(b)
		if err != nil || !ed25519.Verify(r.Blind[:], r.message(), r.Signature[:]) {
			t.Errorf("not an ordinary Ed25519 signature: %v", err)
		}
	}
}

func TestSignRefuses(t *testing.T) {
	from, to := Window(epoch)
	foreign := bytes.Clone(zone)
	copy(foreign[32:], public(ed25519.NewKeyFromSeed(pattern(7, 32))))
	for name, test := range map[string]struct {
		change func(*Draft)
		zone   ed25519.PrivateKey
		bits   int
		want   error
	}{
		"payload over 4 KiB":       {func(d *Draft) { d.Payload = make([]byte, MaxPayload+1) }, zone, testBits, wire.ErrTooLarge},
		"before its window":        {func(d *Draft) { d.NotBefore, d.NotAfter = from.Add(-time.Second), to }, zone, testBits, ErrTimes},
		"after its window":         {func(d *Draft) { d.NotBefore, d.NotAfter = from, to.Add(time.Second) }, zone, testBits, ErrTimes},
		"empty validity":           {func(d *Draft) { d.NotBefore, d.NotAfter = from, from }, zone, testBits, ErrTimes},
		"one time without another": {func(d *Draft) { d.NotBefore = from }, zone, testBits, ErrTimes},
		"fractions of a second":    {func(d *Draft) { d.NotBefore, d.NotAfter = from.Add(1), to }, zone, testBits, ErrTimes},
		"short key":                {func(*Draft) {}, zone[:32], testBits, ErrZoneKey},
		"key with another's half":  {func(*Draft) {}, foreign, testBits, ErrZoneKey},
		"negative work":            {func(*Draft) {}, zone, -1, ErrStamp},
		"endless work":             {func(*Draft) {}, zone, MaxWorkBits + 1, ErrStamp},
	} {
		d := draft("statement")
		test.change(&d)
		if _, err := Sign(test.zone, alice, d, test.bits); !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", name, err, test.want)
		}
	}
}

func TestValidateRefuses(t *testing.T) {
	key := mustBlind(t, epoch).Locations()[1]
	good := mustSign(t, draft("statement"))
	from, to := Window(epoch)
	edit := func(at int) []byte {
		b := bytes.Clone(good)
		b[at] ^= 1
		return b
	}
	for name, test := range map[string]struct {
		key   string
		value []byte
		now   time.Time
		bits  int
		want  error
	}{
		"good":                       {key, good, during, testBits, nil},
		"ten minutes early":          {key, good, from.Add(-Skew), testBits, nil},
		"more than ten minutes":      {key, good, from.Add(-Skew - time.Second), testBits, ErrTimes},
		"its last second":            {key, good, to.Add(-time.Second), testBits, nil},
		"expired":                    {key, good, to, testBits, ErrTimes},
		"empty":                      {key, nil, during, testBits, wire.ErrMalformed},
		"a byte short":               {key, good[:len(good)-1], during, testBits, wire.ErrMalformed},
		"a byte long":                {key, append(bytes.Clone(good), 0), during, testBits, wire.ErrMalformed},
		"oversized":                  {key, make([]byte, MaxSize+1), during, testBits, wire.ErrTooLarge},
		"another epoch's place":      {mustBlind(t, epoch+1).Locations()[0], good, during, testBits, ErrLocation},
		"another kind of key":        {"/pk/" + key[len(key)-32:], good, during, testBits, ErrNamespace},
		"a key without a kind":       {key[1:], good, during, testBits, ErrNamespace},
		"a key that is too short":    {key[:len(key)-1], good, during, testBits, ErrNamespace},
		"a descriptor's key":         {AgentKey(wire.AgentID{1}), good, during, testBits, descriptor.ErrAgent},
		"blinded key changed":        {key, edit(0), during, testBits, ErrLocation},
		"stamp changed":              {key, edit(headerSize), during, 30, ErrStamp},
		"too little work":            {key, good, during, 40, ErrStamp},
		"sequence changed":           {key, edit(keySize + 7), during, 0, ErrSignature},
		"stamp changed, no work due": {key, edit(headerSize), during, 0, ErrSignature},
		"nonce changed":              {key, edit(headerSize + stampSize), during, 0, ErrSignature},
		"box changed":                {key, edit(boxOffset), during, 0, ErrSignature},
		"signature changed":          {key, edit(len(good) - 1), during, testBits, ErrSignature},
	} {
		err := Validate(test.key, test.value, test.now, test.bits)
		if name == "a descriptor's key" {
			if err == nil {
				t.Error("a record passes for a descriptor")
			}
			continue
		}
		if !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", name, err, test.want)
		}
	}
}

// TestKeyOfSmallOrder: under the identity the empty signature verifies for anyone.
func TestKeyOfSmallOrder(t *testing.T) {
	r, err := Parse(mustSign(t, draft("statement")))
	if err != nil {
		t.Fatal(err)
	}
	identity := edwards25519.NewIdentityPoint().Bytes()
	r.Blind = BlindKey(identity)
	r.Signature = [signatureSize]byte{}
	copy(r.Signature[:], identity)
	if !ed25519.Verify(r.Blind[:], r.message(), r.Signature[:]) {
		t.Fatal("the forgery that this test is about does not work")
	}
	if err := Validate(r.Blind.Locations()[0], r.Marshal(), during, 0); !errors.Is(err, ErrSignature) {
		t.Errorf("anyone's signature passes: %v", err)
	}
}

func TestValidityLongerThanARecordMayBe(t *testing.T) {
	r, err := Parse(mustSign(t, draft("statement")))
	if err != nil {
		t.Fatal(err)
	}
	signer, err := blindPrivate(zone, alice, epoch)
	if err != nil {
		t.Fatal(err)
	}
	r.NotAfter = r.NotBefore.Add(MaxLife + time.Second)
	r.Stamp = findStamp(r.content(), testBits)
	r.Signature = [signatureSize]byte(signer.sign(r.message()))
	if err := Validate(r.Blind.Locations()[0], r.Marshal(), during, testBits); !errors.Is(err, ErrTimes) {
		t.Errorf("stored: %v", err)
	}
	if _, _, err := Open(public(zone), alice, epoch, r.Marshal()); !errors.Is(err, ErrTimes) {
		t.Errorf("opened: %v", err)
	}
}

func TestOpenRefuses(t *testing.T) {
	good := mustSign(t, draft("statement"))
	broken := bytes.Clone(good)
	broken[boxOffset] ^= 1
	other := ed25519.NewKeyFromSeed(pattern(7, 32))
	bob := NameSecret(pattern(40, 32))
	for name, test := range map[string]struct {
		zone  ed25519.PublicKey
		name  NameSecret
		epoch wire.Epoch
		value []byte
		want  error
	}{
		"another name":  {public(zone), bob, epoch, good, ErrLocation},
		"another zone":  {public(other), alice, epoch, good, ErrLocation},
		"another epoch": {public(zone), alice, epoch + 1, good, ErrLocation},
		"a bad zone":    {make([]byte, 32), alice, epoch, good, ErrZoneKey},
		"box changed":   {public(zone), alice, epoch, broken, ErrSignature},
		"cut":           {public(zone), alice, epoch, good[:100], wire.ErrMalformed},
	} {
		if _, _, err := Open(test.zone, test.name, test.epoch, test.value); !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", name, err, test.want)
		}
	}
}

// TestSealedBadly: a zone that signs a box which does not open, or pads it oddly.
func TestSealedBadly(t *testing.T) {
	signer, err := blindPrivate(zone, alice, epoch)
	if err != nil {
		t.Fatal(err)
	}
	good, err := Parse(mustSign(t, draft("statement")))
	if err != nil {
		t.Fatal(err)
	}
	unsealed := good
	unsealed.Box = make([]byte, len(good.Box))
	unsealed.Signature = [signatureSize]byte(signer.sign(unsealed.message()))
	if _, _, err := Open(public(zone), alice, epoch, unsealed.Marshal()); !errors.Is(err, ErrSealed) {
		t.Errorf("a box of zeros: %v", err)
	}
	odd := pad([]byte("statement"))
	odd[len(odd)-1] = 1
	if _, err := unpad(odd); !errors.Is(err, ErrSealed) {
		t.Errorf("padding that is not zero: %v", err)
	}
	if _, err := unpad(make([]byte, 3<<10)); !errors.Is(err, ErrSealed) {
		t.Errorf("more padding than needed: %v", err)
	}
}

func TestSelect(t *testing.T) {
	key := mustBlind(t, epoch).Locations()[0]
	at := func(version, refresh uint32, payload string) []byte {
		return mustSign(t, Draft{Epoch: epoch, Version: version, Refresh: refresh, Payload: []byte(payload)})
	}
	first, refreshed, second := at(1, 0, "a"), at(1, 1, "a"), at(2, 0, "b")
	twin := at(2, 0, "c")
	junk := []byte("junk")
	lower := bytes.Compare(second, twin) < 0
	for name, test := range map[string]struct {
		values   [][]byte
		best     int
		conflict bool
		err      error
	}{
		"nothing":                        {nil, 0, false, ErrNone},
		"junk alone":                     {[][]byte{junk, nil}, 0, false, ErrNone},
		"one":                            {[][]byte{first}, 0, false, nil},
		"refresh wins":                   {[][]byte{first, refreshed}, 1, false, nil},
		"version before refresh":         {[][]byte{refreshed, second, first, junk}, 1, false, nil},
		"the same twice":                 {[][]byte{second, first, second}, 0, false, nil},
		"equivocation":                   {[][]byte{second, twin}, map[bool]int{true: 0, false: 1}[lower], true, nil},
		"equivocation, turned":           {[][]byte{twin, first, second}, map[bool]int{true: 2, false: 0}[lower], true, nil},
		"equivocation that is overtaken": {[][]byte{second, twin, at(2, 1, "d")}, 2, false, nil},
	} {
		best, conflict, err := Select(key, test.values)
		if best != test.best || conflict != test.conflict || !errors.Is(err, test.err) {
			t.Errorf("%s: %d, %v, %v", name, best, conflict, err)
		}
	}
	if _, _, err := Select("/pk/x", [][]byte{first}); !errors.Is(err, ErrNamespace) {
		t.Errorf("an unknown key: %v", err)
	}
}

func sampleDescriptor(sequence uint64, issued time.Time) descriptor.Descriptor {
	d := descriptor.Descriptor{Root: public(zone), Roles: descriptor.Sending, Policy: descriptor.PolicyOpen,
		Addrs: []string{"/dns4/relay.example.org/tcp/4001"}, Sequence: sequence, Issued: issued.Truncate(time.Second)}
	if sequence > 1 {
		d.Prev[0] = 1
	}
	return d
}

func signDescriptor(t testing.TB, d descriptor.Descriptor) []byte {
	t.Helper()
	b, err := descriptor.Sign(d, zone)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestDescriptors(t *testing.T) {
	agent := wire.AgentIDOf(public(zone))
	key := AgentKey(agent)
	one := signDescriptor(t, sampleDescriptor(1, during))
	two := signDescriptor(t, sampleDescriptor(2, during.Add(time.Hour)))
	if sequence, err := Check(key, two, during.Add(time.Hour), WorkBits); err != nil || sequence != 2 {
		t.Fatalf("sequence %d, %v", sequence, err)
	}
	if best, conflict, err := Select(key, [][]byte{one, two, one}); best != 1 || conflict || err != nil {
		t.Errorf("selects %d, %v, %v", best, conflict, err)
	}
	forged := bytes.Clone(one)
	forged[len(forged)-1] ^= 1
	for name, test := range map[string]struct {
		key   string
		value []byte
		now   time.Time
		want  error
	}{
		"another agent's": {AgentKey(wire.AgentID{1}), one, during, descriptor.ErrAgent},
		"forged":          {key, forged, during, descriptor.ErrSignature},
		"oversized":       {key, make([]byte, wire.MaxDescriptor+1), during, wire.ErrTooLarge},
		"of the future":   {key, one, during.Add(-Skew - time.Second), ErrTimes},
		"old":             {key, one, during.Add(MaxDescriptorAge + time.Second), ErrTimes},
		"at a name":       {mustBlind(t, epoch).Locations()[0], one, during, wire.ErrMalformed},
	} {
		if err := Validate(test.key, test.value, test.now, WorkBits); !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", name, err, test.want)
		}
	}
}

func TestSecretIsOfNameAndNamespace(t *testing.T) {
	ns := [32]byte(pattern(5, 32))
	s := Secret("alice", ns)
	if s != Secret("alice", ns) {
		t.Error("not a function of its arguments")
	}
	if s == Secret("alicf", ns) || s == Secret("alice", [32]byte{}) {
		t.Error("two names or namespaces share a secret")
	}
	if s.String() != "name secret" || s.GoString() != s.String() {
		t.Error("prints itself")
	}
}
