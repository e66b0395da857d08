package proof

import (
	"encoding/base32"
	"fmt"
	"strings"

	"communicator/wire"
)

// NSID names a namespace by its first manifest: H("comm/1/namespace" ‖ body). Whoever
// has the id can check every manifest, and needs to trust nobody for it.
type NSID [hashSize]byte

const (
	nsidPrefix = "ns1"
	nsidLength = len(nsidPrefix) + 52
)

var lowerBase32 = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// String returns "ns1" and 52 characters of lower-case base32.
func (n NSID) String() string { return nsidPrefix + lowerBase32.EncodeToString(n[:]) }

// ParseNSID reads the form of [NSID.String], in no other spelling.
func ParseNSID(s string) (NSID, error) {
	if len(s) != nsidLength || !strings.HasPrefix(s, nsidPrefix) {
		return NSID{}, fmt.Errorf("%w: namespace id", wire.ErrMalformed)
	}
	b, err := lowerBase32.DecodeString(s[len(nsidPrefix):])
	if err != nil || len(b) != hashSize || lowerBase32.EncodeToString(b) != s[len(nsidPrefix):] {
		return NSID{}, fmt.Errorf("%w: namespace id", wire.ErrMalformed)
	}
	return NSID(b), nil
}
