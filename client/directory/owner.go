package directory

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"time"

	"communicator/directory/proof"
	"communicator/directory/vend"
	"communicator/wire/pb"
)

// Entry is a statement with what belongs to it in the log.
type Entry struct {
	Statement proof.Statement
	Identity  []byte           // the document that it is about; nothing if there is none
	Secret    proof.NameSecret // the name's
	Opening   proof.Opening    // random
}

func (e Entry) message(draft bool) (*pb.Entry, error) {
	marshal := e.Statement.Marshal
	if draft {
		marshal = e.Statement.MarshalDraft
	}
	raw, err := marshal()
	if err != nil {
		return nil, err
	}
	if k := e.Statement.Kind; k == proof.Veto || k == proof.Revoke {
		return &pb.Entry{Statement: raw}, nil
	}
	return &pb.Entry{Statement: raw, Identity: e.Identity, Secret: e.Secret[:], Opening: e.Opening[:]}, nil
}

// Register brings a statement about a name, signed with one of the keys that sign it. The
// attesting key's signature may be missing where the directory attests by itself
// ([Space.Registers]); a first bind or a reset then needs a token. It returns the leaf of
// the log. Asking again with the same statement is harmless.
func (c *Client) Register(ctx context.Context, key ed25519.PrivateKey, e Entry, token *vend.Token) (leaf uint64, err error) {
	entry, err := e.message(true)
	if err != nil {
		return 0, err
	}
	req := &pb.Register{Namespace: e.Statement.NS[:], Entry: entry}
	if token != nil {
		req.Token = token[:]
	}
	resp, err := c.signed(ctx, key, pb.DirectoryOp_REGISTER, req)
	return resp.GetLeaf(), err
}

// Owner is the holder of a name, at one directory.
type Owner struct {
	Client *Client
	NS     proof.NSID
	Name   proof.Name
	Key    ed25519.PrivateKey // the identity's
}

// Stock is how a name stands.
type Stock struct {
	OneTime    int         // packages that would be vended now
	Room       int         // one-time packages that may still be added
	LastResort time.Time   // when the last-resort package expires; zero without one
	Drained    time.Time   // since when no one-time package was left; zero if there were always some
	Shared     int         // how often the last-resort package was vended since
	Waiting    int         // requests
	Policy     vend.Policy // [vend.Default]: the namespace's
}

// Stock asks how the name stands.
func (o Owner) Stock(ctx context.Context) (Stock, error) {
	resp, err := o.Client.signed(ctx, o.Key, pb.DirectoryOp_STOCK, &pb.OwnName{Namespace: o.NS[:], Name: string(o.Name)})
	if err != nil {
		return Stock{}, err
	}
	s := resp.GetStock()
	if s == nil || s.Rule > uint32(vend.Open) || s.LastResortExpires > maxUnix || s.Drained > maxUnix {
		return Stock{}, fmt.Errorf("%w: stock", ErrProtocol)
	}
	return Stock{
		OneTime: int(s.OneTime), Room: int(s.Room), LastResort: unix(s.LastResortExpires), Drained: unix(s.Drained),
		Shared: int(s.Shared), Waiting: int(s.Waiting), Policy: vend.Policy{Rule: vend.Rule(s.Rule), PerHour: s.PerHour},
	}, nil
}

func unix(seconds uint64) time.Time {
	if seconds == 0 {
		return time.Time{}
	}
	return time.Unix(int64(seconds), 0).UTC()
}

// Records fetches the sealed records under which the name is found in the overlay, one
// for each week from this one on. A directory without the zone key makes none:
// wire.StatusUnsupported.
func (o Owner) Records(ctx context.Context) ([][]byte, error) {
	resp, err := o.Client.signed(ctx, o.Key, pb.DirectoryOp_RECORDS, &pb.OwnName{Namespace: o.NS[:], Name: string(o.Name)})
	if err != nil {
		return nil, err
	}
	if len(resp.Records) == 0 || len(resp.Records) > maxRecords {
		return nil, fmt.Errorf("%w: records", ErrProtocol)
	}
	for _, r := range resp.Records {
		if len(r) > maxRecordSize {
			return nil, fmt.Errorf("%w: records", ErrProtocol)
		}
	}
	return resp.Records, nil
}

// Relate brings a succession or an equivalence of the identity that holds the name, signed
// by both; the key is either's. Repeating it is harmless.
func (o Owner) Relate(ctx context.Context, rel proof.Relation) error {
	raw, err := rel.Marshal()
	if err != nil {
		return err
	}
	_, err = o.Client.signed(ctx, o.Key, pb.DirectoryOp_RELATE, &pb.Relate{Namespace: o.NS[:], Name: string(o.Name), Relation: raw})
	return err
}

// Upload adds key packages, signed by the name's identity, as many as there are, some at
// a time. One that was added before is passed over, so an upload may be repeated.
func (o Owner) Upload(ctx context.Context, packages ...[]byte) error {
	for len(packages) > 0 {
		n, size := 0, 0
		for n < min(len(packages), vend.MaxPackages) {
			if size += len(packages[n]); n > 0 && size > uploadSize {
				break
			}
			n++
		}
		_, err := o.Client.signed(ctx, o.Key, pb.DirectoryOp_UPLOAD, &pb.Upload{
			Namespace: o.NS[:], Name: string(o.Name), Packages: packages[:n],
		})
		if err != nil {
			return err
		}
		packages = packages[n:]
	}
	return nil
}

// SetRule sets the rule of contact; [vend.Default] takes the namespace's.
func (o Owner) SetRule(ctx context.Context, p vend.Policy) error {
	_, err := o.Client.signed(ctx, o.Key, pb.DirectoryOp_SET_RULE, &pb.SetRule{
		Namespace: o.NS[:], Name: string(o.Name), Rule: uint32(p.Rule), PerHour: p.PerHour,
	})
	return err
}

// Waiting is a request that waits for the owner.
type Waiting struct {
	Request  vend.Digest
	Note     []byte
	Position uint64
}

// Requests lists those that wait, after a position, one page of them.
func (o Owner) Requests(ctx context.Context, after uint64) (list []Waiting, more bool, err error) {
	page, more, err := o.Client.page(ctx, func(s *stream) (*pb.DirectoryRequest, error) {
		return o.Client.sign(s, o.Key, pb.DirectoryOp_REQUESTS, &pb.ListRequests{
			Namespace: o.NS[:], Name: string(o.Name), After: after,
		})
	}, maxPage)
	if err != nil {
		return nil, false, err
	}
	for _, item := range page {
		w := item.GetWaiting()
		if w == nil || len(w.Request) != len(vend.Digest{}) || len(w.Note) > vend.MaxNote || w.Position <= after {
			return nil, false, fmt.Errorf("%w: requests", ErrProtocol)
		}
		after = w.Position
		list = append(list, Waiting{vend.Digest(w.Request), w.Note, w.Position})
	}
	return list, more, nil
}

// Decide approves or declines requests that wait, at most [vend.MaxDecisions]. Approved
// ones take packages at once: without any the directory says to try again later.
func (o Owner) Decide(ctx context.Context, approve bool, requests ...vend.Digest) error {
	if len(requests) > vend.MaxDecisions {
		return ErrTooMany
	}
	req := &pb.Decide{Namespace: o.NS[:], Name: string(o.Name), Approve: approve}
	for _, r := range requests {
		req.Requests = append(req.Requests, r[:])
	}
	_, err := o.Client.signed(ctx, o.Key, pb.DirectoryOp_DECIDE, req)
	return err
}

// Invite makes tokens valid, each for one package under the rule [vend.Invited].
// Identity is the hash of the owner's identity document, to which they are bound.
func (o Owner) Invite(ctx context.Context, identity proof.Hash, expires time.Time, tokens ...vend.Token) error {
	return o.tokens(ctx, pb.DirectoryOp_INVITE, identity, uint64(expires.Unix()), tokens)
}

// Uninvite makes tokens void.
func (o Owner) Uninvite(ctx context.Context, identity proof.Hash, tokens ...vend.Token) error {
	return o.tokens(ctx, pb.DirectoryOp_UNINVITE, identity, 0, tokens)
}

func (o Owner) tokens(ctx context.Context, op pb.DirectoryOp_Op, identity proof.Hash, expires uint64, tokens []vend.Token) error {
	scope := vend.OwnerScope(vend.NameIDOf(o.NS, string(o.Name)), vend.Identity(identity))
	req, err := tokenList(vend.Contact, scope, tokens)
	if err != nil {
		return err
	}
	req.Namespace, req.Name, req.Expires = o.NS[:], string(o.Name), expires
	_, err = o.Client.signed(ctx, o.Key, op, req)
	return err
}

// tokenList names tokens by their digests.
func tokenList(kind vend.TokenKind, scope vend.Scope, tokens []vend.Token) (*pb.Tokens, error) {
	if len(tokens) == 0 || len(tokens) > vend.MaxTokens {
		return nil, ErrTooMany
	}
	req := &pb.Tokens{Kind: uint32(kind)}
	for _, t := range tokens {
		d := vend.TokenDigest(kind, scope, t)
		req.Digests = append(req.Digests, d[:])
	}
	return req, nil
}
