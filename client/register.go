package client

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"communicator/client/directory"
	"communicator/client/lookup"
	"communicator/client/store"
	"communicator/dht/record"
	"communicator/directory/proof"
	"communicator/directory/vend"
	"communicator/particle"
	"communicator/wire"
)

// OwnName is a name of ours in a namespace.
type OwnName struct {
	Name      string // as it was registered: alice@club
	Namespace proof.NSID
	Label     proof.Name
	Attested  bool       // the namespace has logged it
	Statement proof.Hash // of the newest statement, once attested
	Identity  particle.IdDoc
}

// ownName is the row of a name of ours.
type ownName struct {
	Name      string    `json:"name"`
	NSID      string    `json:"nsid"`
	Label     string    `json:"label"`
	Identity  []byte    `json:"identity"` // private keys
	Revoke    []byte    `json:"revoke"`   // the code that revokes the key, whoever has it
	Draft     []byte    `json:"draft"`    // the statement, perhaps without the attesting signature
	Opening   []byte    `json:"opening"`
	Statement []byte    `json:"statement,omitempty"` // hash, once it is attested
	Records   [][]byte  `json:"records,omitempty"`   // for the overlay, sealed
	Published time.Time `json:"published"`
	Stocked   time.Time `json:"stocked"`
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
	out := OwnName{Name: o.Name, Namespace: ns, Label: proof.Name(o.Label), Attested: len(o.Statement) > 0, Identity: id.Doc()}
	copy(out.Statement[:], o.Statement)
	return out, err
}

func ownNames(tx *store.Tx) ([]ownName, error) {
	keys, err := tx.SettingKeys(nameSetting)
	var out []ownName
	for _, key := range keys {
		b, err := tx.Setting(key)
		if err != nil {
			return nil, err
		}
		var o ownName
		if err := json.Unmarshal(b, &o); err != nil {
			return nil, fmt.Errorf("%w: %s", store.ErrDamaged, key)
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

// Errors of names.
var (
	// ErrNameTaken: somebody else holds the name.
	ErrNameTaken = errors.New("client: the name is taken")
	// ErrNotAttested: the namespace has not attested the name yet: its authority attests
	// what DraftOf returns.
	ErrNotAttested = errors.New("client: the namespace has not attested the name yet")
	// ErrNoAttester: the namespace has no attesting key that is valid now.
	ErrNoAttester = errors.New("client: the namespace attests nothing at the moment")
	// ErrNoName: no name of ours.
	ErrNoName = errors.New("client: no name of yours")
)

// RegisterOptions are the choices of a registration.
type RegisterOptions struct {
	Token *vend.Token // of the namespace's authority; nil if it attests by hand
	Peers []string    // directories to ask beside the namespace's own
}

// Register takes a name in a namespace: a new identity is made and kept, and its consent
// handed to a directory of the namespace. Where the directory attests by itself, which
// takes a token, the name is ours when this returns; otherwise the error is
// [ErrNotAttested] and the authority attests the [Client.Draft]. Asking again goes on
// where it ended.
//
// Errors: [ErrNameTaken], [ErrNotAttested], [ErrNoAttester], those of lookup.Lookup and
// client/directory.
func (c *Client) Register(ctx context.Context, name string, o RegisterOptions) (OwnName, error) {
	p, err := c.placeOf(ctx, name, o.Peers)
	if err != nil {
		return OwnName{}, err
	}
	defer p.dir.Close()
	row, err := c.draftName(ctx, name, p)
	if err != nil {
		return OwnName{}, err
	}
	if len(row.Statement) == 0 {
		if err := c.submitName(ctx, row, p, o.Token); err != nil {
			return OwnName{}, err
		}
		if row, err = c.confirmName(ctx, row, p); err != nil {
			return OwnName{}, err
		}
	}
	if err := c.stockName(ctx, &row, p); err != nil {
		return OwnName{}, err
	}
	if err := c.publishName(ctx, row, p); err != nil {
		c.opts.Logger.Debug("name not published", "err", err) // a later pass does
	}
	return row.public()
}

// draftName returns the row of the name, made and saved if it is new, so that a crash
// at any later point goes on with the same identity and the same statement.
func (c *Client) draftName(ctx context.Context, name string, p place) (ownName, error) {
	row := ownName{NSID: p.space.ID.String(), Label: string(p.label), Name: name}
	known, err := c.ownRow(ctx, row.setting())
	if err == nil {
		return known, nil
	}
	if !errors.Is(err, store.ErrNotFound) {
		return row, err
	}
	now := c.now().UTC().Truncate(time.Second)
	attesting, err := attestingKey(p.space.Manifest, now)
	if err != nil {
		return row, err
	}
	history, _, err := p.dir.Statements(ctx, p.space.ID, p.label, 0)
	var refused *wire.StatusError
	if err != nil && !(errors.As(err, &refused) && refused.Status == wire.StatusNotFound) {
		return row, err
	}
	state := proof.NewName(p.space.ID, p.label)
	for _, l := range history {
		if state, err = proof.Apply(state, l.Statement, p.space.Manifest, l.Statement.Issued); err != nil {
			return row, err
		}
	}
	if holder, _ := state.Current(now); holder.Kind != proof.Nobody {
		return row, fmt.Errorf("%w: %s", ErrNameTaken, name)
	}
	id, err := particle.NewIdentity(c.opts.Rand)
	if err != nil {
		return row, err
	}
	var code, opening [32]byte
	for _, b := range [][]byte{code[:], opening[:]} {
		if _, err := io.ReadFull(c.opts.Rand, b); err != nil {
			return row, err
		}
	}
	row.Identity, row.Revoke, row.Opening = id.Marshal(), code[:], opening[:]
	s := state.FirstBind(proof.IdDoc(id.Doc()), proof.RevokeCommitment(code), proof.By{Attesting: attesting, Issued: now})
	_, key, err := row.identity()
	if err != nil {
		return row, err
	}
	if err := s.Sign(key); err != nil {
		return row, err
	}
	if row.Draft, err = s.MarshalDraft(); err != nil {
		return row, err
	}
	return row, c.st.Update(ctx, row.save)
}

func (c *Client) ownRow(ctx context.Context, setting string) (row ownName, err error) {
	err = c.st.View(ctx, func(tx *store.Tx) error {
		b, err := tx.Setting(setting)
		if err != nil {
			return err
		}
		return json.Unmarshal(b, &row)
	})
	return row, err
}

// attestingKey picks the key that will attest: the one that is valid longest.
func attestingKey(m proof.Manifest, now time.Time) (key proof.Key, err error) {
	var until time.Time
	for _, a := range m.Attesting {
		if !now.Before(a.NotBefore) && now.Before(a.NotAfter) && a.NotAfter.After(until) {
			key, until = a.Key, a.NotAfter
		}
	}
	if until.IsZero() {
		err = ErrNoAttester
	}
	return key, err
}

// submitName hands the draft to the directory.
func (c *Client) submitName(ctx context.Context, row ownName, p place, token *vend.Token) error {
	s, err := proof.ParseDraft(row.Draft)
	if err != nil {
		return err
	}
	id, key, err := row.identity()
	if err != nil {
		return err
	}
	doc := id.Doc()
	_, err = p.dir.Register(ctx, key, directory.Entry{
		Statement: s, Identity: doc[:], Opening: proof.Opening(row.Opening),
		Secret: proof.NameSecret(record.Secret(row.Label, p.space.ID)),
	}, token)
	var refused *wire.StatusError
	if !errors.As(err, &refused) {
		return err
	}
	switch {
	case refused.Status == wire.StatusPermission && token == nil:
		return nil // the authority may have attested it by hand: see what is logged
	case refused.Status == wire.StatusMalformed:
		// Too old: the statement says when it was made, and a directory takes fresh ones.
		return errors.Join(err, c.dropName(ctx, row))
	case refused.Status == wire.StatusConflict:
		return errors.Join(ErrNameTaken, c.dropName(ctx, row))
	}
	return err
}

// dropName forgets a draft that will never be attested: the next Register makes another.
func (c *Client) dropName(ctx context.Context, row ownName) error {
	return c.st.Update(ctx, func(tx *store.Tx) error { return tx.DeleteSetting(row.setting()) })
}

// confirmName looks the name up as anybody would.
func (c *Client) confirmName(ctx context.Context, row ownName, p place) (ownName, error) {
	_, resolver, err := c.named(ctx, nil)
	if err != nil {
		return row, err
	}
	res, err := resolver.FromDirectories(ctx, row.Label+"@"+row.NSID)
	if errors.Is(err, lookup.ErrNotFound) {
		return row, ErrNotAttested
	}
	if err != nil {
		return row, err
	}
	id, _, err := row.identity()
	if err != nil {
		return row, err
	}
	if particle.IdDoc(res.IdDoc) != id.Doc() {
		return row, fmt.Errorf("%w: %s", ErrNameTaken, row.Name)
	}
	hash := res.Statement.Hash()
	row.Statement = hash[:]
	return row, c.st.Update(ctx, row.save)
}

// Draft is what a namespace's authority attests by hand: the statement that lacks its
// signature, the identity document, and the opening of the log's commitment. It is no
// secret.
//
// Errors: [ErrNoName].
func (c *Client) Draft(ctx context.Context, name string) (directory.Draft, error) {
	row, err := c.findName(ctx, name)
	if err != nil {
		return directory.Draft{}, err
	}
	id, _, err := row.identity()
	doc := id.Doc()
	return directory.Draft{Statement: row.Draft, Identity: doc[:], Opening: row.Opening}, err
}

// findName returns a name of ours.
func (c *Client) findName(ctx context.Context, name string) (ownName, error) {
	full, err := proof.ParseFullName(name)
	if err != nil {
		return ownName{}, err
	}
	var found ownName
	err = c.st.View(ctx, func(tx *store.Tx) error {
		rows, err := ownNames(tx)
		for _, row := range rows {
			if row.Name == full.String() || row.Label+"@"+row.NSID == full.String() {
				found = row
				return nil
			}
		}
		return errors.Join(err, fmt.Errorf("%w: %s", ErrNoName, name))
	})
	return found, err
}
