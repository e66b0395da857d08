package directory

import (
	"context"
	"crypto/ed25519"
	"errors"
	"slices"
	"time"

	"communicator/directory/proof"
	"communicator/directory/vend"
	"communicator/eventlog"
	"communicator/wire"
	"communicator/wire/pb"
)

// register takes a statement that the name's own keys have a say in. Where the authority
// lets this directory attest, it adds the attesting key's signature: to a first bind and
// a reset for a token, to what the name's former key agrees with without.
func (c *session) register(ctx context.Context, op operation) (*pb.DirectoryResponse, error) {
	var req pb.Register
	if err := op.parse(&req); err != nil {
		return nil, err
	}
	s, err := c.space(req.Namespace)
	if err != nil {
		return nil, err
	}
	if c.draining.Load() {
		return nil, refuse(wire.StatusDraining, 0)
	}
	if err := c.admitting(); err != nil {
		return nil, err
	}
	if s.signer.isFrozen() {
		return nil, refuse(wire.StatusReadOnly, retryDamage)
	}
	if req.Entry == nil || len(req.Token) != 0 && len(req.Token) != len(vend.Token{}) {
		return nil, refuse(wire.StatusMalformed, 0)
	}
	if !c.registrations.Spend(c.remote, c.cfg.Now()) {
		return nil, refuse(wire.StatusTryAgain, retryQuota)
	}
	for range foldRounds {
		leaf, err := c.registerUnder(ctx, s, s.current().Current(), op.key, &req)
		if !errors.Is(err, errAmended) {
			return &pb.DirectoryResponse{Leaf: leaf}, err
		}
	}
	return nil, refuse(wire.StatusTryAgain, retryOverload)
}

func (c *session) registerUnder(ctx context.Context, s *space, m proof.Manifest, key proof.Key, req *pb.Register) (uint64, error) {
	st, err := proof.ParseDraft(req.Entry.Statement)
	if err != nil {
		return 0, judged(err)
	}
	if st.NS != s.ns || !slices.Contains(st.Keys(), key) {
		return 0, refuse(wire.StatusAuth, 0)
	}
	spend, err := c.attest(s, m, &st, req.Token)
	if err != nil {
		return 0, err
	}
	e := entry{statement: st}
	if e.raw, err = st.Marshal(); err != nil {
		return 0, refuse(wire.StatusPermission, 0) // somebody's signature is missing
	}
	if err := st.Verify(m); err != nil {
		return 0, judged(err)
	}
	if !inLog(st.Kind) {
		if len(req.Entry.Secret)+len(req.Entry.Opening)+len(req.Entry.Identity) != 0 {
			return 0, refuse(wire.StatusMalformed, 0)
		}
		return 0, c.keepRevocation(ctx, s, m, e)
	}
	if err := st.Fresh(c.seconds()); err != nil {
		return 0, judged(err)
	}
	if err := e.attachments(req.Entry); err != nil {
		return 0, err
	}
	if err := c.checkSecret(ctx, s, &e, spend); err != nil {
		return 0, err
	}
	return c.log(ctx, s, m, []entry{e}, spend)
}

// attest signs with the attesting key, if it is the only signature that is missing, if
// this directory has it, and if the change is one that it may attest. It returns the
// token that this uses up.
func (d *Directory) attest(s *space, m proof.Manifest, st *proof.Statement, token []byte) (*vend.Spend, error) {
	missing := st.Missing()
	if len(missing) != 1 || missing[0] != st.Attesting {
		return nil, nil
	}
	key, ok := d.attester(s.ns, m, d.seconds())
	if !ok || proof.KeyOf(key.Public().(ed25519.PublicKey)) != st.Attesting {
		return nil, refuse(wire.StatusPermission, 0)
	}
	change, err := st.Change()
	if err != nil {
		return nil, judged(err)
	}
	var spend *vend.Spend
	switch change {
	case proof.FirstBind, proof.HeldReset:
		if len(token) == 0 {
			return nil, refuse(wire.StatusPermission, 0)
		}
		spend = &vend.Spend{Space: s.ns, Token: vend.Token(token)}
	case proof.Rotation, proof.Undo, proof.Release:
	default:
		return nil, refuse(wire.StatusPermission, 0)
	}
	if err := st.Sign(key); err != nil {
		return nil, judged(err)
	}
	return spend, nil
}

// attester returns the attesting key that this directory holds, if it is valid now.
func (d *Directory) attester(ns proof.NSID, m proof.Manifest, now time.Time) (ed25519.PrivateKey, bool) {
	key, ok := d.cfg.Keys.Attesting(ns)
	if !ok {
		return nil, false
	}
	return key, attests(m, proof.KeyOf(key.Public().(ed25519.PublicKey)), now)
}

// attests says whether a key is one of the manifest's attesting keys, and valid.
func attests(m proof.Manifest, key proof.Key, now time.Time) bool {
	for _, a := range m.Attesting {
		if a.Key == key {
			return !now.Before(a.NotBefore) && now.Before(a.NotAfter)
		}
	}
	return false
}

// checkSecret derives the secret of a name that is new, a few at a time, once the token
// that pays for it has been looked at. Of a known name the log's writer compares it.
func (d *Directory) checkSecret(ctx context.Context, s *space, e *entry, spend *vend.Spend) error {
	if d.cfg.Secret == nil {
		return nil
	}
	var row *nameRow
	err := d.cfg.Log.View(func(tables eventlog.Tables) (err error) {
		row, err = loadName(tables.Table(wire.TableDirectory), s.number, e.statement.Name)
		if row != nil || err != nil || spend == nil {
			return err
		}
		out, err := vend.Step(d.cfg.Now(), tables.Table(wire.TableVend), d.cfg.Limits.Vend, *spend)
		if err != nil {
			return err
		}
		return stepped(out)
	})
	if row != nil || err != nil {
		return err
	}
	select {
	case d.secrets <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	defer func() { <-d.secrets }()
	secret, err := d.cfg.Secret(ctx, s.ns, e.statement.Name)
	if err != nil {
		return err
	}
	if secret != e.secret {
		return refuse(wire.StatusMalformed, 0)
	}
	return nil
}
