package agenturi

import (
	"crypto/ed25519"
	"errors"
	"strings"
	"testing"

	"communicator/wire"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multiaddr"
)

var root = ed25519.NewKeyFromSeed([]byte("0123456789abcdef0123456789abcdef")).Public().(ed25519.PublicKey)

func peerOf(t testing.TB) peer.ID {
	t.Helper()
	id, err := PeerOf(root)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func TestParse(t *testing.T) {
	id := peerOf(t)
	token := wire.Token{1, 2, 3}
	for _, addr := range []string{
		"/ip4/203.0.113.7/tcp/4001", "/ip6/2001:db8::1/udp/4001/quic-v1", "/dnsaddr/relay.example.org",
		"/dns4/relay.example.org/tcp/443/tls/ws",
	} {
		plain := addr + "/p2p/" + id.String()
		for _, text := range []string{plain, plain + "?token=" + token.String()} {
			u, err := Parse(text)
			if err != nil {
				t.Errorf("%s: %v", text, err)
				continue
			}
			if u.Peer != id || !u.Root.Equal(root) || u.Agent != wire.AgentIDOf(root) || u.Addr.String() != addr {
				t.Errorf("%s: read as %+v", text, u)
			}
			if u.String() != plain {
				t.Errorf("%s: written as %s", text, u)
			}
			if withToken := text != plain; withToken != (u.Token != nil) || withToken && u.WithToken(*u.Token) != text {
				t.Errorf("%s: token %v", text, u.Token)
			}
			if info := u.AddrInfo(); info.ID != id || len(info.Addrs) != 1 || info.Addrs[0].String() != addr {
				t.Errorf("%s: dialled as %v", text, info)
			}
		}
	}
}

func TestParseRefuses(t *testing.T) {
	p2p := "/p2p/" + peerOf(t).String()
	token := wire.Token{}.String()
	// Peer ids of other kinds of keys.
	_, secp, err := crypto.GenerateSecp256k1Key(sevens{})
	if err != nil {
		t.Fatal(err)
	}
	secpID, err := peer.IDFromPublicKey(secp)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		text string
		want error
	}{
		{"", ErrSyntax},
		{"relay.example.org:4001", ErrSyntax},
		{"/ip4/203.0.113.7/tcp/4001", ErrNoPeer},
		{"/ip4/203.0.113.7/tcp/4001/p2p/QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N", ErrNoPeer},
		{"/ip4/203.0.113.7/tcp/4001/p2p/" + secpID.String(), ErrNoPeer},
		{"/ip4/203.0.113.7/tcp/4001/p2p/12D3KooW", ErrSyntax},
		{p2p, ErrSyntax},
		{"/ip4/203.0.113.7/tcp/4001" + p2p + "/p2p-circuit" + p2p, ErrCircuit},
		{"/ip4/203.0.113.7/tcp/4001" + p2p + p2p, ErrCircuit},
		{"/ip4/203.0.113.7/tcp/4001" + p2p + "/p2p-circuit", ErrNoPeer},
		{"/ip4/203.0.113.7/tcp/4001" + p2p + "?token=", ErrToken},
		{"/ip4/203.0.113.7/tcp/4001" + p2p + "?token=" + token + "a", ErrToken},
		{"/ip4/203.0.113.7/tcp/4001" + p2p + "?token=" + strings.ToUpper(token), ErrToken},
		{"/ip4/203.0.113.7/tcp/4001" + p2p + "?" + token, ErrToken},
		{"/ip4/203.0.113.7/tcp/4001" + p2p + "?x=1&token=" + token, ErrToken},
		{"/ip4/203.0.113.7/tcp/4001" + p2p + "?", ErrToken},
		{"/dns4/" + strings.Repeat("x", wire.MaxURI) + p2p, ErrTooLong},
		{strings.Repeat("/", 10000), ErrTooLong},
	} {
		if u, err := Parse(test.text); !errors.Is(err, test.want) {
			t.Errorf("%.80s: %v (%v), want %v", test.text, err, u.Peer, test.want)
		}
	}
}

// sevens is randomness that needs none.
type sevens struct{}

func (sevens) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = 7
	}
	return len(b), nil
}

func TestErrorsDoNotRepeatTheInput(t *testing.T) {
	token := wire.Token{9, 9, 9}.String()
	for _, text := range []string{"/ip4/203.0.113.7/tcp/4001?token=" + token, "nonsense?token=" + token, token} {
		_, err := Parse(text)
		if err == nil || strings.Contains(err.Error(), token) || strings.Contains(err.Error(), "203") {
			t.Errorf("%q", err)
		}
	}
}

func TestOf(t *testing.T) {
	id := peerOf(t)
	addr := multiaddr.StringCast("/ip4/203.0.113.7/tcp/4001")
	want := "/ip4/203.0.113.7/tcp/4001/p2p/" + id.String()
	for _, a := range []multiaddr.Multiaddr{addr, multiaddr.StringCast(want)} {
		if u, err := Of(a, id); err != nil || u.String() != want {
			t.Errorf("%v: %v, %v", a, u, err)
		}
	}
	other := ed25519.NewKeyFromSeed(make([]byte, 32)).Public().(ed25519.PublicKey)
	stranger, err := PeerOf(other)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Of(multiaddr.StringCast(want), stranger); !errors.Is(err, ErrCircuit) {
		t.Errorf("an address of another peer: %v", err)
	}
	if _, err := Of(nil, id); !errors.Is(err, ErrSyntax) {
		t.Errorf("no address: %v", err)
	}
	if _, err := PeerOf(root[1:]); err == nil {
		t.Error("a short root key has a peer id")
	}
	if back, err := RootOf(id); err != nil || !back.Equal(root) {
		t.Errorf("root of a peer: %v", err)
	}
	if _, err := RootOf("nonsense"); !errors.Is(err, ErrNoPeer) {
		t.Errorf("root of nonsense: %v", err)
	}
}

// FuzzParse checks that what parses is written in a form that parses to the same agent
// and is then written alike: multiaddrs have several spellings.
func FuzzParse(f *testing.F) {
	f.Add("/ip4/203.0.113.7/tcp/4001/p2p/" + peerOf(f).String() + "?token=" + wire.Token{}.String())
	f.Add("/dnsaddr/relay.example.org/p2p/" + peerOf(f).String())
	f.Fuzz(func(t *testing.T, s string) {
		u, err := Parse(s)
		if err != nil {
			return
		}
		again, err := Parse(u.String())
		if err != nil || again.String() != u.String() || again.Agent != u.Agent || again.Token != nil {
			t.Errorf("%q is written %q and read %v, %v", s, u, again, err)
		}
	})
}
