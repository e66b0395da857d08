package invite

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"
	"unicode/utf8"

	"communicator/wire"
	"communicator/wire/agenturi"

	"github.com/multiformats/go-multiaddr"
)

func hostAt(t testing.TB, addr string) agenturi.URI {
	t.Helper()
	root := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{3}, 32)).Public().(ed25519.PublicKey)
	id, err := agenturi.PeerOf(root)
	if err != nil {
		t.Fatal(err)
	}
	m, err := multiaddr.NewMultiaddr(addr)
	if err != nil {
		t.Fatal(err)
	}
	u, err := agenturi.Of(m, id)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

var hosts = []string{
	"/ip4/203.0.113.7/tcp/4001",
	"/ip6/2001:db8::1/tcp/4001",
	"/dns4/" + strings.Repeat("a", 32) + ".org/tcp/4001", // 36 characters
	"/dnsaddr/relay.example.org",
	"/ip4/203.0.113.7/udp/4001/quic-v1",
}

func TestLinkAndCodeFit(t *testing.T) {
	for _, addr := range hosts {
		l, err := New(bytes.NewReader(make([]byte, 100)), hostAt(t, addr))
		if err != nil {
			t.Fatalf("%s: %v", addr, err)
		}
		s := l.String()
		if len(s) > MaxLink {
			t.Errorf("%s: %d characters", addr, len(s))
		}
		for _, form := range []string{s, " " + s + "\n", strings.Replace(s, "communicator", "COMMUNICATOR", 1)} {
			back, err := Parse(form)
			if err != nil || back.Secret != l.Secret || back.Host.String() != l.Host.String() {
				t.Errorf("%s: %v", addr, err)
			}
		}
		code, err := QR(s, false)
		if err != nil {
			t.Fatal(err)
		}
		rows := strings.Split(strings.TrimSuffix(code, "\n"), "\n")
		if len(rows) > QRHeight {
			t.Errorf("%s: %d rows", addr, len(rows))
		}
		for _, row := range rows {
			if w := utf8.RuneCountInString(row); w > QRWidth {
				t.Fatalf("%s: %d columns", addr, w)
			}
		}
	}
	if MaxHost != 41 {
		t.Errorf("MaxHost is %d", MaxHost)
	}
	if _, err := New(bytes.NewReader(make([]byte, 16)), hostAt(t, "/dns4/"+strings.Repeat("a", 37)+"/tcp/4001")); !errors.Is(err, ErrHostTooLong) {
		t.Errorf("long host: %v", err)
	}
}

func TestInverseCodeIsTheOpposite(t *testing.T) {
	a, err := QR("communicator:x", false)
	if err != nil {
		t.Fatal(err)
	}
	b, err := QR("communicator:x", true)
	if err != nil {
		t.Fatal(err)
	}
	opposite := map[rune]rune{'█': ' ', ' ': '█', '▀': '▄', '▄': '▀', '\n': '\n'}
	last := strings.LastIndex(strings.TrimSuffix(a, "\n"), "\n") // half of the last row is no module
	if got := strings.Map(func(r rune) rune { return opposite[r] }, a[:last]); got != b[:len(got)] {
		t.Error("not the opposite")
	}
}

// TestVectors reads testdata/links.json: links that parse, with what they hold, and
// links that do not.
func TestVectors(t *testing.T) {
	content, err := os.ReadFile("testdata/links.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors []struct {
		Name, Link, Error                           string
		Secret, Host, BlobID, DeleteKey, DeleteHash string
	}
	if err := json.Unmarshal(content, &vectors); err != nil || len(vectors) == 0 {
		t.Fatal(err)
	}
	kinds := map[string]error{"bad link": ErrBadLink, "version": ErrVersion}
	for _, v := range vectors {
		l, err := Parse(v.Link)
		if v.Error != "" {
			if !errors.Is(err, kinds[v.Error]) {
				t.Errorf("%s: %v", v.Name, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", v.Name, err)
			continue
		}
		b := l.Blob()
		key, hash := b.DeleteKey(), b.DeleteHash()
		if hex.EncodeToString(l.Secret[:]) != v.Secret || l.Host.String() != v.Host || hex.EncodeToString(b.ID[:]) != v.BlobID ||
			hex.EncodeToString(key[:]) != v.DeleteKey || hex.EncodeToString(hash[:]) != v.DeleteHash {
			t.Errorf("%s: %x %s %x %x %x", v.Name, l.Secret, l.Host, b.ID, key, hash)
		}
	}
}

func TestBlobOpensOnlyWithItsLink(t *testing.T) {
	l, err := New(bytes.NewReader(bytes.Repeat([]byte{1}, 16)), hostAt(t, hosts[0]))
	if err != nil {
		t.Fatal(err)
	}
	pkg := []byte("a key package")
	sealed, err := l.Blob().Seal(bytes.NewReader(bytes.Repeat([]byte{2}, 24)), pkg)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := l.Blob().Open(sealed); err != nil || !bytes.Equal(got, pkg) {
		t.Errorf("open: %v", err)
	}
	for i := range sealed {
		broken := bytes.Clone(sealed)
		broken[i] ^= 1
		if _, err := l.Blob().Open(broken); !errors.Is(err, ErrBlob) {
			t.Fatalf("byte %d changed: %v", i, err)
		}
	}
	other := l
	other.Secret[0]++
	if _, err := other.Blob().Open(sealed); !errors.Is(err, ErrBlob) {
		t.Errorf("another link: %v", err)
	}
	if _, err := l.Blob().Open(nil); !errors.Is(err, ErrBlob) {
		t.Errorf("nothing: %v", err)
	}
	if _, err := l.Blob().Seal(bytes.NewReader(make([]byte, 24)), make([]byte, wire.MaxBlob)); !errors.Is(err, wire.ErrTooLarge) {
		t.Errorf("too large: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	for _, addr := range hosts {
		l, err := New(bytes.NewReader(make([]byte, 100)), hostAt(f, addr))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(l.String())
	}
	f.Fuzz(func(t *testing.T, s string) {
		l, err := Parse(s)
		if err != nil {
			return
		}
		s = strings.TrimSpace(s)
		if again := l.String(); again != scheme+s[len(scheme):] {
			t.Errorf("%q encodes back to %q", s, again)
		}
	})
}
