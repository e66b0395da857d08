package directory

import (
	"context"
	"crypto/ed25519"
	"time"

	"communicator/directory/proof"
	"communicator/directory/vend"
	"communicator/wire/pb"
)

// Authority is who attests for a namespace, at one directory.
type Authority struct {
	Client *Client
	NS     proof.NSID
	Key    ed25519.PrivateKey // one of the manifest's attesting keys
}

// Submit logs statements, complete and in order, as many as there are, in batches that
// are logged whole or not at all. It returns how many are logged: where one is refused,
// those of the batches before it. Submitting again is harmless.
func (a Authority) Submit(ctx context.Context, entries ...Entry) (logged int, err error) {
	for logged < len(entries) {
		req := &pb.Submit{Namespace: a.NS[:]}
		size := 0
		for _, e := range entries[logged:] {
			m, err := e.message(false)
			if err != nil {
				return logged, err
			}
			size += len(m.Statement) + len(m.Identity) + entryOverhead
			if len(req.Entries) == maxEntries || len(req.Entries) > 0 && size > uploadSize {
				break
			}
			req.Entries = append(req.Entries, m)
		}
		if _, err := a.Client.signed(ctx, a.Key, pb.DirectoryOp_SUBMIT, req); err != nil {
			return logged, err
		}
		logged += len(req.Entries)
	}
	return logged, nil
}

// Issue makes tokens valid: [vend.Registration] or [vend.Member].
func (a Authority) Issue(ctx context.Context, kind vend.TokenKind, expires time.Time, tokens ...vend.Token) error {
	return a.tokens(ctx, pb.DirectoryOp_ISSUE, kind, uint64(expires.Unix()), tokens)
}

// Withdraw makes tokens void.
func (a Authority) Withdraw(ctx context.Context, kind vend.TokenKind, tokens ...vend.Token) error {
	return a.tokens(ctx, pb.DirectoryOp_WITHDRAW, kind, 0, tokens)
}

func (a Authority) tokens(ctx context.Context, op pb.DirectoryOp_Op, kind vend.TokenKind, expires uint64, tokens []vend.Token) error {
	req, err := tokenList(kind, vend.SpaceScope(a.NS), tokens)
	if err != nil {
		return err
	}
	req.Namespace, req.Expires = a.NS[:], expires
	_, err = a.Client.signed(ctx, a.Key, op, req)
	return err
}

// SetSpace sets what holds for names that say nothing else.
func (a Authority) SetSpace(ctx context.Context, s vend.Space) error {
	_, err := a.Client.signed(ctx, a.Key, pb.DirectoryOp_SET_SPACE, &pb.SetSpace{
		Namespace: a.NS[:], Rule: uint32(s.Rule), PerHour: s.PerHour, WorkBits: uint32(s.WorkBits),
	})
	return err
}
