package wire_test

import (
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"communicator/wire"
)

var update = flag.Bool("update", false, "write the files in testdata anew")

// vectors reads a file of testdata into want, or with -update writes made there.
func vectors[T any](t *testing.T, file string, made T) (want T) {
	t.Helper()
	path := filepath.Join("testdata", file)
	if *update {
		b, err := json.MarshalIndent(made, "", " ")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, append(b, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &want); err != nil {
		t.Fatal(err)
	}
	return want
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// pattern is n bytes counting up from start: no secret, easy to type.
func pattern(start byte, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = start + byte(i)
	}
	return b
}

type idVector struct {
	Name   string `json:"name"`
	Input  string `json:"input"`           // of the function named, in hex
	Agent  string `json:"agent,omitempty"` // epoch pin: the agent's id
	Epoch  uint32 `json:"epoch,omitempty"` // epoch pin: the week
	Output string `json:"output"`
}

func idOf(t *testing.T, v idVector) string {
	t.Helper()
	in := unhex(t, v.Input)
	switch v.Name {
	case "agent id of a root key":
		id := wire.AgentIDOf(in)
		return hex.EncodeToString(id[:])
	case "mailbox id of an owner key":
		id := wire.MailboxIDOf(in)
		return hex.EncodeToString(id[:])
	case "key id of a sealing key":
		id := wire.KeyIDOf(in)
		return hex.EncodeToString(id[:])
	case "epoch pin of a sealing key":
		pin := wire.PinOf(wire.AgentID(unhex(t, v.Agent)), wire.Epoch(v.Epoch), in)
		return hex.EncodeToString(pin[:])
	case "payload hash":
		h := wire.HashPayload(in)
		return hex.EncodeToString(h[:])
	case "handle hash":
		h := wire.Handle(in).Hash()
		return hex.EncodeToString(h[:])
	case "account id of a credential":
		id := wire.Credential(in).Account()
		return hex.EncodeToString(id[:])
	case "token hash":
		h := wire.Token(in).Hash()
		return hex.EncodeToString(h[:])
	}
	t.Fatalf("no function for %q", v.Name)
	return ""
}

func TestIDVectors(t *testing.T) {
	root := ed25519.NewKeyFromSeed(pattern(0, 32)).Public().(ed25519.PublicKey)
	agent := wire.AgentIDOf(root)
	made := []idVector{
		{Name: "agent id of a root key", Input: hex.EncodeToString(root)},
		{Name: "mailbox id of an owner key", Input: hex.EncodeToString(root)},
		{Name: "key id of a sealing key", Input: hex.EncodeToString(pattern(1, 1216))},
		{Name: "epoch pin of a sealing key", Input: hex.EncodeToString(pattern(1, 1216)),
			Agent: hex.EncodeToString(agent[:]), Epoch: 2969},
		{Name: "payload hash", Input: hex.EncodeToString([]byte("a payload"))},
		{Name: "payload hash", Input: ""},
		{Name: "handle hash", Input: hex.EncodeToString(pattern(2, 32))},
		{Name: "account id of a credential", Input: hex.EncodeToString(pattern(3, 32))},
		{Name: "token hash", Input: hex.EncodeToString(pattern(4, 16))},
	}
	for i := range made {
		made[i].Output = idOf(t, made[i])
	}
	want := vectors(t, "ids.json", made)
	if len(want) != len(made) {
		t.Fatalf("%d vectors, want %d", len(want), len(made))
	}
	for _, v := range want {
		if got := idOf(t, v); got != v.Output {
			t.Errorf("%s: %s, want %s", v.Name, got, v.Output)
		}
	}
}

// errorNames are what the vectors call the parsers' errors.
var errorNames = map[string]error{
	"malformed": wire.ErrMalformed, "too large": wire.ErrTooLarge, "unknown version": wire.ErrVersion,
}

type tokenVector struct {
	Text  string `json:"text"`
	Bytes string `json:"bytes,omitempty"`
	Error string `json:"error,omitempty"`
}

func TestTokenVectors(t *testing.T) {
	token := wire.Token(pattern(0xf0, 16))
	text := token.String()
	want := vectors(t, "token.json", []tokenVector{
		{Text: text, Bytes: hex.EncodeToString(token[:])},
		{Text: wire.Token{}.String(), Bytes: strings.Repeat("00", 16)},
		{Text: text[:25], Error: "malformed"},
		{Text: text + "a", Error: "malformed"},
		{Text: strings.ToUpper(text), Error: "malformed"},
		{Text: text[:25] + "b", Error: "malformed"}, // bits after the last byte
		{Text: text[:25] + "=", Error: "malformed"},
		{Text: text[:10] + "\n" + text[10:], Error: "malformed"},
		{Text: "", Error: "malformed"},
	})
	for _, v := range want {
		got, err := wire.ParseToken(v.Text)
		if !errors.Is(err, errorNames[v.Error]) {
			t.Errorf("%q: %v, want %q", v.Text, err, v.Error)
		}
		if v.Error == "" && (hex.EncodeToString(got[:]) != v.Bytes || got.String() != v.Text) {
			t.Errorf("%q: %x", v.Text, got)
		}
	}
}

func TestEpochs(t *testing.T) {
	start := time.Unix(0, 0).UTC()
	for _, test := range []struct {
		at   time.Time
		want wire.Epoch
	}{
		{start, 0}, {start.Add(wire.EpochLength - time.Second), 0}, {start.Add(wire.EpochLength), 1},
		{time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC), 2968},
	} {
		e := wire.EpochAt(test.at)
		if e != test.want {
			t.Errorf("%v is in week %d, want %d", test.at, e, test.want)
		}
		if !e.End().After(test.at) || e.End().Add(-wire.EpochLength).After(test.at) {
			t.Errorf("week %d does not hold %v", e, test.at)
		}
	}
	if y := wire.LifelineYearAt(start.Add(wire.LifelineYear)); y != 1 {
		t.Errorf("year %d", y)
	}
}

func TestStatusText(t *testing.T) {
	for s := wire.StatusUnspecified; s <= wire.StatusUnreachable; s++ {
		if text := s.String(); text == "" || strings.HasPrefix(text, "status ") {
			t.Errorf("status %d has no text", uint32(s))
		}
	}
	if got := wire.Status(99).String(); got != "status 99" {
		t.Errorf("unknown status: %q", got)
	}
	if !wire.StatusTryAgain.Retryable() || wire.StatusMalformed.Retryable() {
		t.Error("what may be retried is mixed up")
	}
	err := &wire.StatusError{Status: wire.StatusTryAgain, RetryAfter: time.Minute}
	if !strings.Contains(err.Error(), "1m0s") {
		t.Errorf("%q does not say when", err)
	}
}
