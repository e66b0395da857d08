package lookup

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"

	"communicator/dht"
)

// uriOf is an agent URI of a peer.
func uriOf(t *testing.T, who, addr string) string {
	t.Helper()
	key, err := crypto.UnmarshalEd25519PublicKey(keyOf(who).Public().(ed25519.PublicKey))
	check(t, err)
	id, err := peer.IDFromPublicKey(key)
	check(t, err)
	return addr + "/p2p/" + id.String()
}

func TestEntries(t *testing.T) {
	const public, private = "/ip4/192.0.2.7/tcp/4001", "/ip4/127.0.0.1/tcp/4001"
	one, two := uriOf(t, "one", public), uriOf(t, "two", private)
	peers, only, err := entries([]string{two}, []string{"nonsense", one, uriOf(t, "two", public)})
	check(t, err)
	if len(peers) != 2 || peers[0].Addrs[0].String() != private || only {
		t.Errorf("%v, private %v", peers, only)
	}
	if _, only, err := entries([]string{two}, nil); err != nil || !only {
		t.Errorf("one of a private network: %v, %v", only, err)
	}
	if _, _, err := entries([]string{one, "/ip4/secret"}, nil); !errors.Is(err, ErrURI) || strings.Contains(err.Error(), "secret") {
		t.Errorf("named: %v", err)
	}
	if j, err := Join(t.Context(), nil, dht.Config{}, []string{"/ip4/secret"}, nil); j != nil || !errors.Is(err, ErrURI) {
		t.Errorf("joined: %v", err)
	}
	var many []string
	for i := range 2 * maxEntries {
		many = append(many, uriOf(t, fmt.Sprint(i), public))
	}
	if peers, _, err := entries(nil, many); err != nil || len(peers) != maxEntries {
		t.Errorf("%d peers, %v", len(peers), err)
	}
	if got := sources([]string{"b", "c"}, []string{"a", "b"}); !slices.Equal(got, []string{"b", "c", "a"}) {
		t.Errorf("asked in the order %q", got)
	}
}
