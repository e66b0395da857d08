package proof

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"strings"
	"testing"
	"time"

	"communicator/wire"
)

func TestGenesisNamesTheNamespace(t *testing.T) {
	w := newWorld(t)
	if w.ns != NSID(wire.Hash(wire.LabelNamespace, w.m.body())) {
		t.Error("the id is not the hash of the first manifest")
	}
	signed := w.chain.Signed()[0]
	if _, err := VerifyChain(NSID{1}, signed); !errors.Is(err, ErrNamespace) {
		t.Errorf("another namespace's: %v", err)
	}
	// Other roots may sign: it is the same namespace.
	other, _, err := Genesis(sampleManifest(), keyNamed("root 2"), keyNamed("root 3"))
	if err != nil || other != w.ns {
		t.Errorf("%v, %v", other, err)
	}
	for what, test := range map[string]struct {
		keys []string
		want error
	}{
		"too few":           {[]string{"root 1"}, ErrThreshold},
		"nobody":            {nil, ErrThreshold},
		"a stranger as one": {[]string{"root 1", "stranger"}, ErrThreshold},
		"a stranger too":    {[]string{"root 1", "root 2", "stranger"}, ErrSigner},
		"one root twice":    {[]string{"root 1", "root 1"}, ErrThreshold},
	} {
		if _, _, err := Genesis(sampleManifest(), privates(test.keys)...); !errors.Is(err, test.want) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestIDOf(t *testing.T) {
	w := newWorld(t)
	first := w.chain.Signed()[0]
	if ns, err := IDOf(first); err != nil || ns != w.ns {
		t.Errorf("%v, %v", ns, err)
	}
	second, err := Amend(w.m, w.m, privates(rootNames)...)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := IDOf(second); !errors.Is(err, ErrManifest) {
		t.Errorf("of a later manifest: %v", err)
	}
	if _, err := IDOf(first[1:]); err == nil {
		t.Error("of no manifest")
	}
}

func privates(names []string) []ed25519.PrivateKey {
	var keys []ed25519.PrivateKey
	for _, name := range names {
		keys = append(keys, keyNamed(name))
	}
	return keys
}

func TestAmendmentsNeedBothThresholds(t *testing.T) {
	w := newWorld(t)
	next := w.m
	next.Issued = t0
	next.Roots = roots("root 4", "root 5")
	for what, test := range map[string]struct {
		keys []string
		want error
	}{
		"old and new":             {[]string{"root 1", "root 2", "root 4", "root 5"}, nil},
		"the old alone":           {[]string{"root 1", "root 2", "root 3"}, ErrThreshold},
		"the new alone":           {[]string{"root 4", "root 5"}, ErrThreshold},
		"too few of the old":      {[]string{"root 1", "root 4", "root 5"}, ErrThreshold},
		"too few of the new":      {[]string{"root 1", "root 2", "root 4"}, ErrThreshold},
		"with a stranger besides": {[]string{"root 1", "root 2", "root 4", "root 5", "stranger"}, ErrSigner},
	} {
		signed, err := Amend(w.m, next, privates(test.keys)...)
		if !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", what, err, test.want)
		}
		if err == nil {
			chain, err := w.chain.Extend(signed)
			if err != nil || chain.Current().Number != 2 || w.chain.Current().Number != 1 {
				t.Errorf("%s: %v", what, err)
			}
		}
	}
}

func TestChainRefuses(t *testing.T) {
	w := newWorld(t)
	first := w.chain.Signed()[0]
	keys := privates(rootNames)
	amend := func(old Manifest, at time.Time) SignedManifest {
		next := old
		next.Issued = at
		signed, err := Amend(old, next, keys...)
		if err != nil {
			t.Fatal(err)
		}
		return signed
	}
	second := amend(w.m, t0)
	m2, err := ParseManifest(second)
	if err != nil {
		t.Fatal(err)
	}
	third := amend(m2, t0.Add(time.Hour))
	if chain, err := VerifyChain(w.ns, first, second, third); err != nil || chain.Current().Number != 3 {
		t.Fatalf("three manifests: %v", err)
	}
	for what, test := range map[string]struct {
		manifests [][]byte
		want      error
	}{
		"none":                 {nil, ErrManifest},
		"one left out":         {[][]byte{first, third}, ErrManifest},
		"the first left out":   {[][]byte{second}, ErrManifest},
		"one twice":            {[][]byte{first, second, second}, ErrManifest},
		"the first twice":      {[][]byte{first, first}, ErrManifest},
		"in the wrong order":   {[][]byte{first, third, second}, ErrManifest},
		"trailing byte":        {[][]byte{append(bytes.Clone(first), 0)}, wire.ErrMalformed},
		"signature changed":    {[][]byte{flip(first, len(first)-1)}, ErrSignature},
		"hold changed":         {[][]byte{flip(first, 1+4+32+8+3)}, ErrSignature},
		"another version":      {[][]byte{flip(first, 0)}, wire.ErrVersion},
		"over the size":        {[][]byte{make([]byte, MaxManifest+1)}, wire.ErrTooLarge},
		"second of the future": {[][]byte{first, flip(second, 3)}, ErrSignature},
	} {
		if _, err := VerifyChain(w.ns, test.manifests...); !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", what, err, test.want)
		}
	}
	if _, err := (Chain{}).Extend(first); !errors.Is(err, ErrManifest) {
		t.Errorf("extending nothing: %v", err)
	}
	early := m2
	early.Issued = t0.AddDate(-1, 0, 0)
	if _, err := Amend(m2, early, keys...); !errors.Is(err, ErrTime) {
		t.Errorf("back in time: %v", err)
	}
}

func flip(b []byte, at int) []byte {
	b = bytes.Clone(b)
	b[at] ^= 0x40
	return b
}

func TestManifestRules(t *testing.T) {
	many := func(n int) (keys []Key) {
		for i := range n {
			keys = append(keys, Key{byte(i + 1)})
		}
		return keys
	}
	for what, test := range map[string]struct {
		change func(*Manifest)
		want   error
	}{
		"no roots":               {func(m *Manifest) { m.Roots = nil }, wire.ErrMalformed},
		"no threshold":           {func(m *Manifest) { m.Threshold = 0 }, wire.ErrMalformed},
		"threshold over roots":   {func(m *Manifest) { m.Threshold = 4 }, wire.ErrMalformed},
		"six roots":              {func(m *Manifest) { m.Roots = many(6) }, wire.ErrTooLarge},
		"a root twice":           {func(m *Manifest) { m.Roots[1] = m.Roots[0] }, wire.ErrMalformed},
		"roots out of order":     {func(m *Manifest) { m.Roots[0], m.Roots[1] = m.Roots[1], m.Roots[0] }, wire.ErrMalformed},
		"a root of zeros":        {func(m *Manifest) { m.Roots[0] = Key{} }, wire.ErrMalformed},
		"no zone key":            {func(m *Manifest) { m.Zone = Key{} }, wire.ErrMalformed},
		"no log key":             {func(m *Manifest) { m.Log = Key{} }, wire.ErrMalformed},
		"no hold":                {func(m *Manifest) { m.Hold = 0 }, wire.ErrMalformed},
		"endless hold":           {func(m *Manifest) { m.Hold = MaxHold + time.Second }, wire.ErrMalformed},
		"fractions of a second":  {func(m *Manifest) { m.Hold += time.Millisecond }, wire.ErrMalformed},
		"issued in between":      {func(m *Manifest) { m.Issued = m.Issued.Add(1) }, wire.ErrMalformed},
		"17 attesting keys":      {func(m *Manifest) { m.Attesting = make([]Attesting, 17) }, wire.ErrTooLarge},
		"attesting backwards":    {func(m *Manifest) { m.Attesting[0].NotAfter = m.Attesting[0].NotBefore }, wire.ErrMalformed},
		"an attesting key twice": {func(m *Manifest) { m.Attesting[1] = m.Attesting[0] }, wire.ErrMalformed},
		"more than witnesses":    {func(m *Manifest) { m.WitnessThreshold = 4 }, wire.ErrMalformed},
		"a witness twice":        {func(m *Manifest) { m.Witnesses[1] = m.Witnesses[0] }, wire.ErrMalformed},
		"one key, two witnesses": {func(m *Manifest) { m.Witnesses[1].Key = m.Witnesses[0].Key }, wire.ErrMalformed},
		"a witness with a plus":  {func(m *Manifest) { m.Witnesses[0].Name = "a+b" }, wire.ErrMalformed},
		"a witness with a space": {func(m *Manifest) { m.Witnesses[0].Name = "a b" }, wire.ErrMalformed},
		"a nameless witness":     {func(m *Manifest) { m.Witnesses[0].Name = "" }, wire.ErrMalformed},
		"a long witness":         {func(m *Manifest) { m.Witnesses[0].Name = strings.Repeat("a", MaxWitnessName+1) }, wire.ErrTooLarge},
		"six witnesses":          {func(m *Manifest) { m.Witnesses = make([]Witness, 6) }, wire.ErrTooLarge},
		"nine peers":             {func(m *Manifest) { m.Peers = make([]string, 9) }, wire.ErrTooLarge},
		"a peer without slash":   {func(m *Manifest) { m.Peers[0] = "relay.example.org" }, wire.ErrMalformed},
		"a peer twice":           {func(m *Manifest) { m.Peers = append(m.Peers, m.Peers[0]) }, wire.ErrMalformed},
		"a long peer":            {func(m *Manifest) { m.Peers[0] = "/" + strings.Repeat("a", MaxPeerURI) }, wire.ErrTooLarge},
	} {
		m := sampleManifest()
		test.change(&m)
		if _, _, err := Genesis(m, privates(rootNames)...); !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", what, err, test.want)
		}
	}
}

// TestTheLargestManifestFits is why the counts are what they are.
func TestTheLargestManifestFits(t *testing.T) {
	m := sampleManifest()
	m.Roots, m.Attesting, m.Witnesses, m.Peers = nil, nil, nil, nil
	var names []string
	for i := range MaxRoots {
		names = append(names, strings.Repeat("r", i+1))
		m.Roots = append(m.Roots, publicNamed(names[i]))
	}
	for i := range MaxAttesting {
		m.Attesting = append(m.Attesting, Attesting{publicNamed(strings.Repeat("a", i+1)), t0, t0.Add(time.Hour)})
	}
	for i := range MaxWitnesses {
		name := strings.Repeat("w", MaxWitnessName-i)
		m.Witnesses = append(m.Witnesses, Witness{name, publicNamed(name)})
	}
	for i := range MaxPeers {
		m.Peers = append(m.Peers, "/"+strings.Repeat("p", MaxPeerURI-1-i))
	}
	m.Sort()
	_, signed, err := Genesis(m, privates(names)...)
	if err != nil {
		t.Fatal(err)
	}
	if len(signed) > MaxManifest/2 {
		t.Errorf("%d bytes", len(signed))
	}
	parsed, err := ParseManifest(signed)
	if err != nil || !bytes.Equal(parsed.body(), signed[:len(parsed.body())]) {
		t.Errorf("%v", err)
	}
}
