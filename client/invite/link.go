package invite

import (
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"

	"communicator/wire"
	"communicator/wire/agenturi"

	"github.com/multiformats/go-multiaddr"
	"golang.org/x/crypto/chacha20poly1305"
)

// Errors of this package. None repeats the link, which is a secret.
var (
	// ErrBadLink: not an invitation, or one that was damaged on its way.
	ErrBadLink = errors.New("invite: not an invitation link")
	// ErrVersion: an invitation of a newer kind; upgrade.
	ErrVersion = errors.New("invite: an invitation of an unknown version")
	// ErrHostTooLong: the host's address does not fit into a link; use a shorter name.
	ErrHostTooLong = errors.New("invite: the host's address is too long for a link")
	// ErrBlob: the blob is not what the link's author stored.
	ErrBlob = errors.New("invite: the invitation's package does not open")
)

// Link is an invitation's link.
type Link struct {
	Host   agenturi.URI // where the blob lies; without a token
	Secret [SecretSize]byte
}

// New draws a secret for an invitation at host.
func New(random io.Reader, host agenturi.URI) (Link, error) {
	l := Link{Host: host}
	l.Host.Token = nil
	if len(host.Addr.Bytes()) > MaxHost {
		return Link{}, ErrHostTooLong
	}
	if _, err := io.ReadFull(random, l.Secret[:]); err != nil {
		return Link{}, fmt.Errorf("invite: reading randomness: %w", err)
	}
	return l, nil
}

var encoding = base64.RawURLEncoding.Strict()

// String is the link as text.
func (l Link) String() string {
	b := append([]byte{version}, l.Secret[:]...)
	b = append(b, l.Host.Root...)
	return scheme + encoding.EncodeToString(append(b, l.Host.Addr.Bytes()...))
}

// Parse reads a link. White space around it is not part of it; the scheme may be in
// upper case, as some scanners have it.
func Parse(s string) (Link, error) {
	s = strings.TrimSpace(s)
	if len(s) > MaxLink || len(s) < len(scheme) || !strings.EqualFold(s[:len(scheme)], scheme) {
		return Link{}, ErrBadLink
	}
	text := s[len(scheme):]
	b, err := encoding.DecodeString(text)
	// The decoder passes over line breaks, which a link does not have.
	if err != nil || encoding.EncodeToString(b) != text || len(b) == 0 {
		return Link{}, ErrBadLink
	}
	if b[0] != version {
		return Link{}, ErrVersion
	}
	if len(b) <= 1+SecretSize+rootSize {
		return Link{}, ErrBadLink
	}
	l := Link{Secret: [SecretSize]byte(b[1:])}
	if l.Host, err = parseHost(b[1+SecretSize:]); err != nil {
		return Link{}, ErrBadLink
	}
	return l, nil
}

// parseHost reads root key ‖ multiaddr and accepts only what encodes to the same bytes.
func parseHost(b []byte) (agenturi.URI, error) {
	root, raw := b[:rootSize], b[rootSize:]
	addr, err := multiaddr.NewMultiaddrBytes(raw)
	if err != nil || string(addr.Bytes()) != string(raw) {
		return agenturi.URI{}, ErrBadLink
	}
	id, err := agenturi.PeerOf(root)
	if err != nil {
		return agenturi.URI{}, err
	}
	u, err := agenturi.Of(addr, id)
	if err != nil {
		return agenturi.URI{}, err
	}
	if string(u.Addr.Bytes()) != string(raw) { // it ended in a /p2p/… of its own
		return agenturi.URI{}, ErrBadLink
	}
	// The text form is what travels on; one that does not lead back is refused.
	if again, err := agenturi.Parse(u.String()); err != nil || string(again.Addr.Bytes()) != string(raw) {
		return agenturi.URI{}, ErrBadLink
	}
	return u, nil
}

const labelDeleteKey wire.Label = "comm/1/blob-delete-key" // H(label ‖ key): deletes the blob

// Blob is how a link's package lies at its host.
type Blob struct {
	ID  [32]byte
	key [32]byte
}

// Blob derives where the package lies and what opens it.
func (l Link) Blob() Blob {
	okm, err := hkdf.Key(sha256.New, l.Secret[:], nil, string(wire.LabelInviteBlob), 64)
	if err != nil {
		panic("invite: HKDF: " + err.Error()) // 64 bytes are always to be had
	}
	return Blob{ID: [32]byte(okm[:32]), key: [32]byte(okm[32:])}
}

// DeleteKey is what deletes the blob, DeleteHash what its host compares it with.
func (b Blob) DeleteKey() [32]byte { return wire.Hash(labelDeleteKey, b.key[:]) }

// DeleteHash is H(label ‖ delete key).
func (b Blob) DeleteHash() [32]byte {
	key := b.DeleteKey()
	return wire.Hash(wire.LabelBlobDelete, key[:])
}

// Seal encrypts a key package: at most wire.MaxBlob bytes with what is added.
func (b Blob) Seal(random io.Reader, pkg []byte) ([]byte, error) {
	aead, err := chacha20poly1305.NewX(b.key[:])
	if err != nil {
		return nil, err
	}
	if len(pkg)+aead.NonceSize()+aead.Overhead() > wire.MaxBlob {
		return nil, wire.ErrTooLarge
	}
	nonce := make([]byte, aead.NonceSize(), aead.NonceSize()+len(pkg)+aead.Overhead())
	if _, err := io.ReadFull(random, nonce); err != nil {
		return nil, fmt.Errorf("invite: reading randomness: %w", err)
	}
	return aead.Seal(nonce, nonce, pkg, b.ID[:]), nil
}

// Open decrypts what the host gave, or fails with [ErrBlob].
func (b Blob) Open(sealed []byte) ([]byte, error) {
	aead, err := chacha20poly1305.NewX(b.key[:])
	if err != nil {
		return nil, err
	}
	if len(sealed) < aead.NonceSize()+aead.Overhead() || len(sealed) > wire.MaxBlob {
		return nil, ErrBlob
	}
	pkg, err := aead.Open(nil, sealed[:aead.NonceSize()], sealed[aead.NonceSize():], b.ID[:])
	if err != nil {
		return nil, ErrBlob
	}
	return pkg, nil
}
