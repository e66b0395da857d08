package client

import (
	"encoding/base64"
	"slices"
	"time"

	"communicator/client/lookup"
	"communicator/client/store"
	"communicator/directory/proof"
)

// Kin is what successions and equivalences say of a contact. It is found anew whenever it
// is shown, from what both keys of each have signed and from what is known of the other
// contacts now: what is taken back there is gone here.
type Kin struct {
	// Follows, FollowedBy and Same are contacts, names or keys.
	Follows, FollowedBy, Same []string
	// Contradictions say in words what cannot all be true; until a person has decided,
	// nothing is inherited by way of it.
	Contradictions []string
	// From is the contact from whom trust is inherited, if more is known of that one than
	// of this: Trust and Words are what is known there. Empty for none.
	From  string
	Trust Trust
	Words string
}

// Lines says it as a person reads it.
func (k Kin) Lines() (lines []string) {
	for _, said := range []struct {
		words string
		of    []string
	}{{"CONTRADICTION: ", k.Contradictions}, {"follows ", k.Follows}, {"is followed by ", k.FollowedBy}, {"is the same person as ", k.Same}} {
		for _, of := range said.of {
			lines = append(lines, said.words+of)
		}
	}
	return lines
}

// kinship is what a profile knows of how identities are related.
type kinship struct {
	contacts  []relation
	relations []proof.Relation
	conflicts []proof.Conflict
	rows      profileRows
}

// kinshipIn reads it; without relations it is empty.
func kinshipIn(tx *store.Tx) (k kinship, err error) {
	k.rows = profileRows{tx}
	if k.relations, err = relationsUnder(tx, relationIn); err != nil || len(k.relations) == 0 {
		return k, err
	}
	k.conflicts = proof.Conflicts(k.relations)
	for r, err := range everyContact(tx) {
		if err != nil {
			return k, err
		}
		k.contacts = append(k.contacts, r)
	}
	return k, nil
}

// parties are the identities that a contact has: the one of the conversation, those of
// names that it has shown to hold, and those that have passed such a name on.
func (r relation) parties() []proof.Party {
	out := []proof.Party{proof.PartyOf(proof.IdDoc(r.particle.Peer()))}
	e := r.evidence()
	for _, past := range e.Past {
		e.Parties = append(e.Parties, past.Party)
	}
	for _, b := range e.Parties {
		if p, ok := parseParty(b); ok && !slices.Contains(out, p) {
			out = append(out, p)
		}
	}
	return out
}

// parseParty reads identity 32 ‖ key 32; nothing for one that is not known.
func parseParty(b []byte) (p proof.Party, ok bool) {
	if len(b) != len(p.Identity)+len(p.Key) {
		return p, false
	}
	return proof.Party{Identity: proof.Hash(b[:32]), Key: proof.Key(b[32:])}, true
}

func partyBytes(p proof.Party) []byte {
	if p == (proof.Party{}) {
		return nil
	}
	return append(p.Identity[:], p.Key[:]...)
}

// of says how a contact is related to others.
func (k kinship) of(r relation) (kin Kin) {
	own := r.parties()
	for _, rel := range k.relations {
		for _, side := range []struct {
			is, other proof.Party
			of        *[]string
		}{{rel.B, rel.A, &kin.Follows}, {rel.A, rel.B, &kin.FollowedBy}} {
			if !slices.Contains(own, side.is) || slices.Contains(own, side.other) {
				continue
			}
			if rel.Kind == proof.Equivalence {
				side.of = &kin.Same
			}
			if name := k.called(side.other); !slices.Contains(*side.of, name) {
				*side.of = append(*side.of, name)
			}
		}
	}
	for _, c := range k.conflicts {
		if slices.Contains(own, c.Of) || slices.ContainsFunc(c.Claims, func(p proof.Party) bool { return slices.Contains(own, p) }) {
			kin.Contradictions = append(kin.Contradictions, lookup.ConflictWords(c))
		}
	}
	k.inherit(&kin, r, own)
	return kin
}

// inherit finds the contact of whom most is known and who leads to this one. What a
// person has to look at, here or there, is passed on to nobody.
func (k kinship) inherit(kin *Kin, r relation, own []proof.Party) {
	known := r.trust()
	if known == TrustReset || len(kin.Contradictions) > 0 {
		return
	}
	for _, s := range k.contacts {
		trust := s.trust()
		if s.ID == r.ID || trust == TrustReset || trust <= known || !k.leads(s.parties(), own) {
			continue
		}
		known = trust
		kin.From, kin.Trust, kin.Words = s.Name, trust, s.dated(k).TrustWords()
	}
}

// leads is whether successions and equivalences lead from one of some identities to one
// of others, past none that is in a contradiction.
func (k kinship) leads(from, to []proof.Party) bool {
	odd := map[proof.Party]bool{}
	for _, c := range k.conflicts {
		odd[c.Of] = true
	}
	seen := map[proof.Party]bool{}
	for queue := slices.Clone(from); len(queue) > 0; queue = queue[1:] {
		at := queue[0]
		if seen[at] || odd[at] {
			continue
		}
		seen[at] = true
		for _, rel := range k.relations {
			var next proof.Party
			switch {
			case rel.A == at:
				next = rel.B
			case rel.B == at && rel.Kind == proof.Equivalence:
				next = rel.A
			default:
				continue
			}
			if slices.Contains(to, next) {
				return !odd[next]
			}
			queue = append(queue, next)
		}
	}
	return false
}

// followed are the contacts whose conversation a contact's goes on with.
func (k kinship) followed(r relation) (list []relation) {
	own := r.parties()
	for _, s := range k.contacts {
		past := s.parties()
		leads := func(a proof.Party) bool {
			return slices.ContainsFunc(own, func(b proof.Party) bool { return proof.Leads(k.relations, a, b) })
		}
		if s.ID != r.ID && slices.ContainsFunc(past, leads) {
			list = append(list, s)
		}
	}
	return list
}

// called is what a person knows an identity by: the contact, a name that was looked up,
// or its key.
func (k kinship) called(p proof.Party) string {
	for _, r := range k.contacts {
		if slices.Contains(r.parties(), p) {
			return r.Name
		}
	}
	if name, err := lookup.NameOf(k.rows, p); err == nil {
		return name
	}
	return "the key " + base64.StdEncoding.EncodeToString(p.Key[:])
}

// absorbRelation keeps what a contact says of two identities: whoever brings it, both keys
// have signed it. What cannot all be true is told at once.
func (c *Client) absorbRelation(tx *store.Tx, in *arrival, r *relation, raw []byte) error {
	rel, err := proof.ParseRelation(raw)
	if err == nil {
		err = rel.Verify()
	}
	if err != nil {
		c.opts.Logger.Debug("relation of a contact refused", "err", err)
		return nil
	}
	before, err := kinshipIn(tx)
	if err != nil {
		return err
	}
	known := slices.ContainsFunc(before.relations, func(said proof.Relation) bool { return said.ID() == rel.ID() })
	fresh, err := keepRelation(tx, r.ID, rel)
	if err != nil || !fresh || known {
		return err
	}
	events, err := toldOf(tx, before, rel)
	in.events = append(in.events, events...)
	return err
}

// toldOf makes the events of a relation that was just kept: one for each contact whom it
// concerns, and an alarm for each that stands in a contradiction now and did not before.
func toldOf(tx *store.Tx, before kinship, rel proof.Relation) (events []Event, err error) {
	now, err := kinshipIn(tx)
	if err != nil {
		return nil, err
	}
	for _, r := range now.contacts {
		kin := now.of(r)
		if len(kin.Contradictions) > len(before.of(r).Contradictions) {
			events = append(events, Alarm{Contact: r.Name, Kind: AlarmRelation})
			continue
		}
		if slices.ContainsFunc(r.parties(), rel.Names) && len(kin.Lines()) > 0 {
			events = append(events, IdentityRelated{Contact: r.Name, Kin: kin})
		}
	}
	return events, nil
}

// passed is by whose word a name has another key.
type passed uint8

const (
	notPassed  passed = iota
	byRelation        // successions lead to it
	byRotation        // the key that the contact is known by has passed the name on
)

// succeeded passes a name that a contact is known by on to the identity that it stands for
// now, if the key that the contact has shown to hold says so: in successions that are known
// and lead there, or by signing the rotation. It says which.
func (r *relation) succeeded(tx *store.Tx, k kinship, res lookup.Result, at time.Time) (passed, error) {
	e := r.evidence()
	i := r.named(tx, res)
	if i < 0 || i >= len(e.Parties) || i >= len(e.Keys) || res.IdDoc == (proof.IdDoc{}) {
		return notPassed, nil
	}
	past, ok := parseParty(e.Parties[i])
	if !ok {
		return notPassed, nil
	}
	by := notPassed
	switch {
	case proof.Leads(k.relations, past, proof.PartyOf(res.IdDoc)):
		by = byRelation
	case res.PassedOn(past.Key, e.undoers(at)...):
		by = byRotation
	default:
		return notPassed, nil
	}
	e.pass(i, res.IdDoc, laterOf(res.Settles, at.Add(res.Hold())))
	return by, r.setTrust(tx, r.particle.Trust(), e)
}
