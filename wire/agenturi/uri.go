// Package agenturi reads and writes the URI of an agent: a multiaddr that ends in the
// agent's Ed25519 peer id, such as
//
//	/dnsaddr/relay.example.org/p2p/12D3KooW…
//	/ip4/203.0.113.7/tcp/4001/p2p/12D3KooW…?token=2tsq…
//
// The second form, with an invitation token of 26 base32 characters appended, is what
// an operator hands to a client; an address that travels to a peer never has one. The
// peer id holds the agent's root key, so a URI says where an agent was last known and
// who it is, and whoever dials it can tell an impostor.
package agenturi

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"strings"

	"communicator/wire"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multiaddr"
)

// tokenMark begins an appended token.
const tokenMark = "?token="

// Errors of Parse and Of. None repeats the input: a URI may hold a token.
var (
	// ErrSyntax: not a multiaddr, or nothing to dial before the peer id.
	ErrSyntax = errors.New("agent URI: not a multiaddr with a transport")
	// ErrNoPeer: it does not end in /p2p/ and an Ed25519 peer id.
	ErrNoPeer = errors.New("agent URI: must end in /p2p/ and an Ed25519 peer id")
	// ErrCircuit: it leads through a circuit relay or names two peers.
	ErrCircuit = errors.New("agent URI: must not lead through another peer")
	// ErrToken: what follows the question mark is not a token.
	ErrToken = errors.New("agent URI: malformed token")
	// ErrTooLong: over wire.MaxURI bytes without the token.
	ErrTooLong = errors.New("agent URI: too long")
)

// URI names an agent and where it can be reached.
type URI struct {
	Addr  multiaddr.Multiaddr // without /p2p/…
	Peer  peer.ID
	Root  ed25519.PublicKey // what Peer holds
	Agent wire.AgentID      // what Root hashes to
	Token *wire.Token       // nil unless one was appended
}

// Parse reads a URI with or without a token.
func Parse(s string) (URI, error) {
	// A bound on the whole before anything is parsed.
	if len(s) > wire.MaxURI+len(tokenMark)+2*wire.TokenSize {
		return URI{}, ErrTooLong
	}
	var token *wire.Token
	if text, appended, found := strings.Cut(s, "?"); found {
		t, err := wire.ParseToken(strings.TrimPrefix("?"+appended, tokenMark))
		if err != nil {
			return URI{}, ErrToken
		}
		s, token = text, &t
	}
	if len(s) > wire.MaxURI {
		return URI{}, ErrTooLong
	}
	whole, err := multiaddr.NewMultiaddr(s)
	if err != nil {
		return URI{}, ErrSyntax
	}
	addr, last := multiaddr.SplitLast(whole)
	if last == nil || last.Protocol().Code != multiaddr.P_P2P {
		return URI{}, ErrNoPeer
	}
	id, err := peer.IDFromBytes(last.RawValue())
	if err != nil {
		return URI{}, ErrNoPeer
	}
	u, err := of(addr, id)
	u.Token = token
	return u, err
}

// Of makes the URI of the agent with this peer id at addr, which may itself end in the
// same /p2p/….
func Of(addr multiaddr.Multiaddr, id peer.ID) (URI, error) {
	if before, last := multiaddr.SplitLast(addr); last != nil && last.Protocol().Code == multiaddr.P_P2P {
		if string(last.RawValue()) != string(id) {
			return URI{}, ErrCircuit
		}
		addr = before
	}
	return of(addr, id)
}

func of(addr multiaddr.Multiaddr, id peer.ID) (URI, error) {
	if len(addr) == 0 {
		return URI{}, ErrSyntax
	}
	for _, c := range addr {
		if code := c.Protocol().Code; code == multiaddr.P_CIRCUIT || code == multiaddr.P_P2P {
			return URI{}, ErrCircuit
		}
	}
	root, err := rootOf(id)
	if err != nil {
		return URI{}, err
	}
	u := URI{Addr: addr, Peer: id, Root: root, Agent: wire.AgentIDOf(root)}
	if len(u.String()) > wire.MaxURI {
		return URI{}, ErrTooLong
	}
	return u, nil
}

// String is the URI without a token: what an Address carries.
func (u URI) String() string { return u.Addr.String() + "/p2p/" + u.Peer.String() }

// WithToken is the form that an operator hands to a client.
func (u URI) WithToken(t wire.Token) string { return u.String() + tokenMark + t.String() }

// AddrInfo is what a libp2p host dials.
func (u URI) AddrInfo() peer.AddrInfo {
	return peer.AddrInfo{ID: u.Peer, Addrs: []multiaddr.Multiaddr{u.Addr}}
}

// PeerOf returns the libp2p peer id of an agent's root key.
func PeerOf(root ed25519.PublicKey) (peer.ID, error) {
	key, err := crypto.UnmarshalEd25519PublicKey(root)
	if err != nil {
		return "", fmt.Errorf("agent URI: %w", err)
	}
	return peer.IDFromPublicKey(key)
}

// RootOf returns the root key that an agent's peer id holds, or [ErrNoPeer].
func RootOf(id peer.ID) (ed25519.PublicKey, error) { return rootOf(id) }

func rootOf(id peer.ID) (ed25519.PublicKey, error) {
	key, err := id.ExtractPublicKey()
	if err != nil || key.Type() != crypto.Ed25519 {
		return nil, ErrNoPeer
	}
	raw, err := key.Raw()
	if err != nil || len(raw) != ed25519.PublicKeySize {
		return nil, ErrNoPeer
	}
	return raw, nil
}
