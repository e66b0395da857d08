package directory

import (
	"encoding/json"
	"errors"

	"communicator/directory/proof"
)

// Draft is a statement that waits for the authority's signature, as its subject hands it
// over: a JSON file that any medium may carry, and that says nothing secret.
type Draft struct {
	Statement []byte `json:"statement"` // proof.Statement.MarshalDraft
	Identity  []byte `json:"identity"`  // the identity document, 129 bytes
	Opening   []byte `json:"opening"`   // 32 bytes
}

// ErrDraft: not a draft.
var ErrDraft = errors.New("directory: not a draft of a statement")

// ParseDraft reads one.
func ParseDraft(b []byte) (Draft, error) {
	var d Draft
	if err := json.Unmarshal(b, &d); err != nil {
		return d, errors.Join(ErrDraft, err)
	}
	_, err := d.entry()
	return d, err
}

func (d Draft) entry() (Entry, error) {
	s, err := proof.ParseDraft(d.Statement)
	if err != nil || len(d.Opening) != len(proof.Opening{}) {
		return Entry{}, errors.Join(ErrDraft, err)
	}
	doc, err := proof.ParseIdDoc(d.Identity)
	if err != nil || doc.Hash() != s.Identity {
		return Entry{}, errors.Join(ErrDraft, err)
	}
	return Entry{Statement: s, Identity: d.Identity, Opening: proof.Opening(d.Opening)}, nil
}

// Entry returns what the draft would have logged, for the authority to sign; secret is
// the name's.
func (d Draft) Entry(secret func(proof.NSID, proof.Name) proof.NameSecret) (Entry, error) {
	e, err := d.entry()
	if err == nil {
		e.Secret = secret(e.Statement.NS, e.Statement.Name)
	}
	return e, err
}
