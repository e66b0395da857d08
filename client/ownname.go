package client

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"communicator/client/store"
	"communicator/directory/proof"
	"communicator/directory/vend"
	"communicator/particle"
)

// OwnName is a name of ours in a namespace.
type OwnName struct {
	Name      string // as it was registered: alice@club
	Namespace proof.NSID
	Label     proof.Name
	Attested  bool       // the namespace has logged it
	Statement proof.Hash // of the newest statement, once attested
	Identity  particle.IdDoc
	// Published is when its records were last put into the overlay; zero if they never
	// were, and the namespace's directories alone know the name.
	Published time.Time
	// Objected is when vetoes of ours were last put into the overlay; zero if they never
	// were.
	Objected time.Time
	// Undo is until when the key that this identity's replaced may take the name back, by
	// [Client.Object]; zero if it replaced none.
	Undo time.Time
}

// ownName is the row of a name of ours. Several calls and processes may work on one name,
// so whoever changes it reads it again in the transaction: [Client.changeName]. It is
// never deleted: its private keys may be attested.
type ownName struct {
	Name      string    `json:"name"`
	NSID      string    `json:"nsid"`
	Label     string    `json:"label"`
	Identity  []byte    `json:"identity"` // private keys
	Revoke    []byte    `json:"revoke"`   // the code that revokes the key, whoever has it
	Opening   []byte    `json:"opening"`
	Draft     []byte    `json:"draft,omitempty"`     // the statement, perhaps without the attesting signature; none if it was refused
	Statement []byte    `json:"statement,omitempty"` // hash, once it is attested
	Peers     []string  `json:"peers,omitempty"`     // directories to ask beside the namespace's own
	Pending   [][]byte  `json:"pending,omitempty"`   // packages that no directory has taken yet
	Records   [][]byte  `json:"records,omitempty"`   // for the overlay, sealed
	Manifest  uint32    `json:"manifest,omitempty"`  // of the namespace, when the records were fetched
	Published time.Time `json:"published"`
	Stocked   time.Time `json:"stocked"`
	// Vetoes are ours, Objected when their records were last put into the overlay.
	Vetoes      [][]byte  `json:"vetoes,omitempty"`
	VetoRecords [][]byte  `json:"veto_records,omitempty"`
	Objected    time.Time `json:"objected,omitzero"`
	Told        uint32    `json:"told,omitempty"` // the version of somebody else's that we were told of
	// Next is this row as it will be, under the identity that is to take the place of this
	// one, until the namespace has logged that. Former are the identities that were replaced,
	// the newest last, while they may be of use. Moving is what is still to be brought under
	// this identity, and Renewed when that was done, until Rekey has said so.
	Next    *ownName    `json:"next,omitempty"`
	Former  []formerKey `json:"former,omitempty"`
	Moving  *moving     `json:"moving,omitempty"`
	Renewed time.Time   `json:"renewed,omitzero"`
	Rule    vend.Policy `json:"rule,omitzero"` // as we set it last
}

const nameSetting = "own-name/"

func (o ownName) setting() string { return nameSetting + o.NSID + "/" + o.Label }

func (o ownName) identity() (particle.Identity, ed25519.PrivateKey, error) {
	id, err := particle.ParseIdentity(o.Identity)
	if err != nil {
		return id, nil, err
	}
	return id, ed25519.NewKeyFromSeed(o.Identity[:ed25519.SeedSize]), nil
}

func (o ownName) save(tx *store.Tx) error {
	b, err := json.Marshal(o)
	if err != nil {
		return err
	}
	return tx.SetSetting(o.setting(), b)
}

func (o ownName) public() (OwnName, error) {
	ns, err := proof.ParseNSID(o.NSID)
	if err != nil {
		return OwnName{}, err
	}
	id, _, err := o.identity()
	out := OwnName{Name: o.Name, Namespace: ns, Label: proof.Name(o.Label), Attested: len(o.Statement) > 0, Identity: id.Doc(),
		Objected: o.Objected, Undo: o.undoUntil()}
	if len(o.Records) > 0 { // a directory without the zone key makes none
		out.Published = o.Published
	}
	copy(out.Statement[:], o.Statement)
	return out, err
}

func ownNames(tx *store.Tx) ([]ownName, error) {
	keys, err := tx.SettingKeys(nameSetting)
	var out []ownName
	for _, key := range keys {
		o, err := ownRowIn(tx, key)
		if err != nil {
			return nil, err
		}
		out = append(out, o)
	}
	return out, err
}

// OwnNames lists our names.
func (c *Client) OwnNames(ctx context.Context) (out []OwnName, err error) {
	err = c.st.View(ctx, func(tx *store.Tx) error {
		rows, err := ownNames(tx)
		for _, row := range rows {
			o, err := row.public()
			if err != nil {
				return err
			}
			out = append(out, o)
		}
		return err
	})
	return out, err
}

func ownRowIn(tx *store.Tx, setting string) (row ownName, err error) {
	b, err := tx.Setting(setting)
	if err != nil {
		return row, err
	}
	if err := json.Unmarshal(b, &row); err != nil {
		return row, fmt.Errorf("%w: %s", store.ErrDamaged, setting)
	}
	return row, nil
}

func (c *Client) ownRow(ctx context.Context, setting string) (row ownName, err error) {
	err = c.st.View(ctx, func(tx *store.Tx) error {
		row, err = ownRowIn(tx, setting)
		return err
	})
	return row, err
}

// changeName changes fields of a row as it is now, and returns it.
func (c *Client) changeName(ctx context.Context, setting string, change func(*ownName)) (row ownName, err error) {
	err = c.st.Update(ctx, func(tx *store.Tx) error {
		if row, err = ownRowIn(tx, setting); err != nil {
			return err
		}
		change(&row)
		return row.save(tx)
	})
	return row, err
}

// changeHeld is changeName for what belongs to the identity of a row: nothing, if the name
// has another one by now.
func (c *Client) changeHeld(ctx context.Context, row ownName, change func(*ownName)) (ownName, error) {
	return c.changeName(ctx, row.setting(), func(now *ownName) {
		if slices.Equal(now.Identity, row.Identity) {
			change(now)
		}
	})
}

// findName returns a name of ours.
func (c *Client) findName(ctx context.Context, name string) (row ownName, err error) {
	err = c.st.View(ctx, func(tx *store.Tx) error {
		row, err = findNameIn(tx, name)
		return err
	})
	return row, err
}

func findNameIn(tx *store.Tx, name string) (ownName, error) {
	full, err := proof.ParseFullName(name)
	if err != nil {
		return ownName{}, err
	}
	rows, err := ownNames(tx)
	for _, row := range rows {
		if row.Name == full.String() || row.Label+"@"+row.NSID == full.String() {
			return row, nil
		}
	}
	return ownName{}, errors.Join(err, fmt.Errorf("%w: %s", ErrNoName, name))
}
