package client

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"communicator/client/directory"
	"communicator/client/store"
	"communicator/directory/proof"
	"communicator/wire"
)

// A person who has two identities can say so: that one follows the other, or that both
// are the same person (docs/namespace.md). Both keys sign it, so it proves itself whoever
// brings it; whoever is told learns that the two belong together, so nobody is told who
// need not be.
//
//	"relation-own/", "relation-tell/" → what we said, and who was told: see [told]
//	"relation/" contact "/" id        → what a contact told us; contact zeros: a directory

// Errors of [Client.Relate].
var (
	// ErrSameIdentity: both are the same identity already.
	ErrSameIdentity = errors.New("client: these are one identity")
	// ErrContradiction: it contradicts what was said before about these identities.
	ErrContradiction = errors.New("client: that contradicts what you said of these identities before")
)

// RelateOptions are the choices of [Client.Relate].
type RelateOptions struct {
	// To are contacts who are told besides those who know one of the two.
	To []string
	// Private keeps it from directories, where both identities are names.
	Private bool
}

// Related is what a person said of two identities.
type Related struct {
	Relation proof.Relation
	Told     []string // contacts, now or as soon as they can be reached
	Sent     int      // directories that have it
}

// persona is one identity of ours: a name's, or the one that a contact knows.
type persona struct {
	doc     proof.IdDoc
	key     func(message []byte) proof.Signature // signs a relation's message
	contact store.ID
	name    *ownName
}

// Relate says that b follows a, or that a and b are the same person. Each of them is a
// name of ours, or a contact, and then who we are towards it. Told are the contacts who
// know either; where both are names their directories have it too, so that whoever looks
// one up finds the other. Saying it again reaches those that were not reached.
//
// Errors: [ErrNoSuchContact], [ErrNoName], [ErrNotAttested], [ErrRevoked],
// [ErrSameIdentity], [ErrContradiction]; those of client/directory if both are names and no
// directory took it.
func (c *Client) Relate(ctx context.Context, kind proof.RelationKind, a, b string, o RelateOptions) (out Related, err error) {
	var names []ownName
	var audience []store.ID
	err = c.st.Update(ctx, func(tx *store.Tx) error {
		out, names, audience = Related{}, nil, nil
		one, err := personaIn(tx, a)
		if err != nil {
			return err
		}
		two, err := personaIn(tx, b)
		if err != nil {
			return err
		}
		if out.Relation, err = c.say(tx, kind, one, two); err != nil {
			return err
		}
		if audience, err = audienceOf(tx, o.To, one, two); err != nil {
			return err
		}
		if out.Told, err = willTell(tx, toldContacts[0], relationText(out.Relation), audience); err != nil {
			return err
		}
		if one.name != nil && two.name != nil && !o.Private {
			names = []ownName{*one.name, *two.name}
		}
		return nil
	})
	if err != nil {
		return out, err
	}
	if err := c.pushTold(ctx, audience); err != nil {
		return out, err
	}
	out.Sent, err = c.publishRelation(ctx, out.Relation, names)
	return out, err
}

// personaIn finds an identity of ours.
func personaIn(tx *store.Tx, who string) (persona, error) {
	if strings.Contains(who, "@") {
		row, err := findNameIn(tx, who)
		if err != nil {
			return persona{}, err
		}
		if len(row.Statement) == 0 {
			return persona{}, ErrNotAttested
		}
		id, key, err := row.identity()
		sign := func(message []byte) proof.Signature { return proof.Signature(ed25519.Sign(key, message)) }
		return persona{doc: proof.IdDoc(id.Doc()), key: sign, name: &row}, err
	}
	r, err := loadByName(tx, who)
	if err != nil {
		return persona{}, err
	}
	if r.State == store.ContactRevoked {
		return persona{}, ErrRevoked
	}
	return persona{doc: proof.IdDoc(r.particle.Identity()), key: r.signRelation, contact: r.ID}, nil
}

// signRelation signs a message that begins with the label of relations.
func (r relation) signRelation(message []byte) proof.Signature {
	return r.particle.SignRelation(message[len(wire.LabelRelation):]) // which it puts there itself
}

// say makes what is said, or returns it as it was made before.
func (c *Client) say(tx *store.Tx, kind proof.RelationKind, a, b persona) (rel proof.Relation, err error) {
	if a.doc == b.doc {
		return rel, ErrSameIdentity
	}
	now := c.now().UTC().Truncate(time.Second)
	rel = proof.Follows(a.doc, b.doc, now)
	if kind == proof.Equivalence {
		rel = proof.Equivalent(a.doc, b.doc, now)
	}
	before, err := relationsUnder(tx, relationOwn)
	if err != nil {
		return rel, err
	}
	for _, said := range before {
		if said.Kind == rel.Kind && said.A == rel.A && said.B == rel.B {
			return said, nil
		}
	}
	if len(proof.Conflicts(append(before, rel))) > len(proof.Conflicts(before)) {
		return rel, ErrContradiction
	}
	message, err := rel.Message()
	if err != nil {
		return rel, err
	}
	for _, p := range []persona{a, b} {
		if err := rel.AddSignature(p.doc.Key(), p.key(message)); err != nil {
			return rel, err
		}
	}
	raw, err := rel.Marshal()
	if err != nil {
		return rel, err
	}
	return rel, tx.SetSetting(relationOwn+relationText(rel), raw)
}

// audienceOf are the contacts who know one of the identities, and those who are named.
func audienceOf(tx *store.Tx, named []string, personas ...persona) (ids []store.ID, err error) {
	for _, name := range named {
		r, err := loadByName(tx, name)
		if err != nil {
			return nil, fmt.Errorf("%w: %s", err, name)
		}
		if r.State == store.ContactRevoked {
			return nil, ErrRevoked
		}
		ids = append(ids, r.ID)
	}
	for r, err := range everyContact(tx) {
		if err != nil {
			return nil, err
		}
		if r.State == store.ContactRevoked {
			continue
		}
		knows, err := r.knows(tx, personas)
		if err != nil {
			return nil, err
		}
		if knows && !slices.Contains(ids, r.ID) {
			ids = append(ids, r.ID)
		}
	}
	return ids, nil
}

// knows is whether a contact has met us as one of these, or was claimed its name to.
func (r relation) knows(tx *store.Tx, personas []persona) (bool, error) {
	claims, err := tx.Claims(r.ID)
	for _, p := range personas {
		if proof.IdDoc(r.particle.Identity()) == p.doc {
			return true, err
		}
		claimed := func(v store.Claim) bool { return v.Ours && slices.Equal(v.Statement[:], p.name.Statement) }
		if p.name != nil && slices.ContainsFunc(claims, claimed) {
			return true, err
		}
	}
	return false, err
}

// publishRelation brings a relation of two names to the directories of both.
func (c *Client) publishRelation(ctx context.Context, rel proof.Relation, names []ownName) (sent int, err error) {
	if len(names) == 0 {
		return 0, nil
	}
	network, resolver, err := c.named(ctx, nil)
	if err != nil {
		return 0, err
	}
	var problems error
	reached := map[string]bool{}
	for _, row := range names {
		id, err := proof.ParseNSID(row.NSID)
		if err != nil {
			return len(reached), err
		}
		space, err := resolver.Namespace(ctx, row.NSID, row.Peers...)
		if err != nil {
			problems = errors.Join(problems, err)
			continue
		}
		_, key, err := row.identity()
		if err != nil {
			return len(reached), err
		}
		peers := slices.Concat(row.Peers, space.Peers)
		slices.Sort(peers)
		for _, uri := range slices.Compact(peers) {
			dir, _, err := reachDirectory(ctx, network, uri, id)
			if err == nil {
				owner := directory.Owner{Client: dir, NS: id, Name: proof.Name(row.Label), Key: key}
				err = errors.Join(owner.Relate(ctx, rel), dir.Close())
			}
			if err != nil {
				problems = errors.Join(problems, err)
				continue
			}
			reached[uri] = true
		}
	}
	if len(reached) > 0 {
		problems = nil
	}
	return len(reached), problems
}
