package destination

import (
	"encoding/json"
	"errors"
	"net/netip"
	"os"
	"testing"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multiaddr"

	"communicator/wire/agenturi"
)

// vector is one line of testdata/addresses.json; reason is empty where the address
// may be dialled, private whether allowing private destinations lifts it.
type vector struct {
	Addr    string `json:"addr"`
	Reason  string `json:"reason"`
	Private bool   `json:"private"`
}

func vectors(t testing.TB) []vector {
	t.Helper()
	b, err := os.ReadFile("testdata/addresses.json")
	if err != nil {
		t.Fatal(err)
	}
	var all []vector
	if err := json.Unmarshal(b, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

func TestVectors(t *testing.T) {
	for _, v := range vectors(t) {
		addr, err := multiaddr.NewMultiaddr(v.Addr)
		if err != nil {
			t.Errorf("%s: %v", v.Addr, err)
			continue
		}
		err = Check(addr, false)
		if got := reasonOf(t, err); got != v.Reason {
			t.Errorf("%s: %q, want %q", v.Addr, got, v.Reason)
		}
		if allowed := Check(addr, true) == nil; allowed != (v.Private || v.Reason == "") {
			t.Errorf("%s: allowed on a private network: %v", v.Addr, allowed)
		}
	}
}

func reasonOf(t testing.TB, err error) string {
	t.Helper()
	if err == nil {
		return ""
	}
	var e *Error
	if !errors.As(err, &e) || !errors.Is(err, ErrForbidden) {
		t.Fatalf("error of type %T", err)
	}
	return e.Reason.String()
}

func TestItself(t *testing.T) {
	self := peerID(t, "12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp")
	other := peerID(t, "12D3KooWHHzSeKaY8xuZVzkLbKFfvNgPPeKhFBGrMbNzbm5akpqu")
	p := Policy{Self: self, Own: func() []multiaddr.Multiaddr {
		return []multiaddr.Multiaddr{
			multiaddr.StringCast("/ip4/8.8.8.8/tcp/4001"), multiaddr.StringCast("/ip4/127.0.0.1/udp/4001/quic-v1"),
			multiaddr.StringCast("/dns4/node.example.org/tcp/443/tls/ws"),
		}
	}}
	for _, c := range []struct {
		addr    string
		id      peer.ID
		private bool
		want    string
	}{
		{"/ip4/8.8.4.4/tcp/4001", other, false, ""},
		{"/ip4/8.8.4.4/tcp/4001", self, false, "this node itself"},
		{"/ip4/8.8.8.8/tcp/4001", other, false, "this node itself"},
		{"/ip4/8.8.8.8/tcp/4001/ws", other, false, "this node itself"},
		{"/ip4/8.8.8.8/tcp/4002", other, false, ""},
		{"/dns4/node.example.org/tcp/443", other, false, "this node itself"},
		{"/ip4/127.0.0.1/udp/4001/quic-v1", other, true, "this node itself"},
		{"/ip4/127.0.0.1/udp/4002/quic-v1", other, true, ""},
	} {
		p.AllowPrivate = c.private
		addr := multiaddr.StringCast(c.addr)
		uri, err := agenturi.Of(addr, c.id)
		if err != nil {
			t.Fatal(err)
		}
		if got := reasonOf(t, p.CheckURI(uri)); got != c.want {
			t.Errorf("%s: %q, want %q", c.addr, got, c.want)
		}
		if allowed := p.InterceptAddrDial(c.id, addr); allowed != (c.want == "") {
			t.Errorf("%s: the gater answers %v", c.addr, allowed)
		}
	}
}

func peerID(t testing.TB, s string) peer.ID {
	t.Helper()
	id, err := peer.Decode(s)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func TestMalformed(t *testing.T) {
	if got := reasonOf(t, Check(nil, true)); got != "not a dialable address" {
		t.Errorf("nil: %q", got)
	}
}

// FuzzCheck looks for an address that passes though the host it names is not
// globally reachable by an independent reckoning.
func FuzzCheck(f *testing.F) {
	for _, v := range vectors(f) {
		f.Add(multiaddr.StringCast(v.Addr).Bytes(), false)
	}
	f.Fuzz(func(t *testing.T, b []byte, allowPrivate bool) {
		addr, err := multiaddr.NewMultiaddrBytes(b)
		if err != nil {
			return
		}
		if Check(addr, allowPrivate) != nil {
			if !allowPrivate && Check(addr, true) == nil && Check(addr, false) == nil {
				t.Fatalf("%v: refused and allowed", addr)
			}
			return
		}
		hosts := 0
		for _, c := range addr {
			switch c.Protocol().Code {
			case multiaddr.P_CIRCUIT, multiaddr.P_UNIX:
				t.Fatalf("%v passed", addr)
			case multiaddr.P_IP4, multiaddr.P_IP6:
				hosts++
				ip, _ := netip.AddrFromSlice(c.RawValue())
				if ip.Is4In6() || ip.IsMulticast() || ip.IsUnspecified() || ip == netip.MustParseAddr("169.254.169.254") {
					t.Fatalf("%v passed", addr)
				}
				if !allowPrivate && (ip.IsPrivate() || ip.IsLoopback() || ip.IsLinkLocalUnicast() || !ip.IsGlobalUnicast()) {
					t.Fatalf("%v passed", addr)
				}
			case multiaddr.P_DNS, multiaddr.P_DNS4, multiaddr.P_DNS6, multiaddr.P_DNSADDR, multiaddr.P_MEMORY:
				hosts++
			}
		}
		if hosts != 1 {
			t.Fatalf("%v passed with %d hosts", addr, hosts)
		}
	})
}
