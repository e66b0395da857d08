package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"communicator/client/directory"
	"communicator/client/lookup"
	"communicator/client/store"
	"communicator/directory/proof"
	"communicator/directory/vend"
)

// Requests for contact that were not granted yet are kept, and asked again by passes: the
// owner of the name may still decide.

// AskLife is how long a request for contact is repeated.
const AskLife = 14 * 24 * time.Hour

const (
	// minAskAgain is the least time between two requests with one id, maxAskAgain the
	// longest: in between they are asked again after a quarter of the time that has passed,
	// since an owner who has just been asked may be at it.
	minAskAgain = time.Minute
	maxAskAgain = time.Hour
	askPatience = 4
)

// askedRow is a request that has no answer yet: with the same id the directory
// gives the same answer, or a better one.
type askedRow struct {
	Name  string    `json:"name"`
	As    string    `json:"as"`
	Claim string    `json:"claim,omitempty"`
	ID    []byte    `json:"id"`
	Token []byte    `json:"token,omitempty"`
	Note  []byte    `json:"note,omitempty"` // sealed
	Doc   []byte    `json:"doc"`            // whom the name attested when we asked
	Peers []string  `json:"peers,omitempty"`
	Until time.Time `json:"until"`
	Next  time.Time `json:"next"`
}

const askSetting = "ask/"

func (a askedRow) setting() string { return askSetting + a.Name }

func (a askedRow) save(tx *store.Tx) error {
	b, err := json.Marshal(a)
	if err != nil {
		return err
	}
	return tx.SetSetting(a.setting(), b)
}

// Asked is a request for contact that has no answer yet.
type Asked struct {
	Name string
	As   string
	Next time.Time // when the directory is asked again
}

// again is when a request that was not granted is asked again; least is what the directory
// demands.
func (a askedRow) again(now time.Time, least time.Duration) time.Time {
	since := now.Sub(a.Until.Add(-AskLife))
	return now.Add(max(least, min(max(since/askPatience, minAskAgain), maxAskAgain)))
}

func (c *Client) askedBefore(ctx context.Context, setting string) (row askedRow, err error) {
	err = c.st.View(ctx, func(tx *store.Tx) error {
		row, err = askedRowIn(tx, setting)
		return err
	})
	return row, err
}

func askedRowIn(tx *store.Tx, setting string) (row askedRow, err error) {
	b, err := tx.Setting(setting)
	if err != nil {
		return row, err
	}
	if err := json.Unmarshal(b, &row); err != nil || len(row.ID) != len(vend.RequestID{}) {
		return row, fmt.Errorf("%w: %s", store.ErrDamaged, setting)
	}
	return row, nil
}

// askAnew has the next request be another one: with the id of this one the directory
// would give the same unusable package again.
func (c *Client) askAnew(ctx context.Context, row askedRow) error {
	id, err := directory.NewRequestID(c.opts.Rand)
	if err != nil {
		return err
	}
	next := c.now().Add(minAskAgain)
	return c.changeAsked(ctx, row, func(now *askedRow) { now.ID, now.Next = id[:], next })
}

// changeAsked changes a request that still waits, and is the same one.
func (c *Client) changeAsked(ctx context.Context, row askedRow, change func(*askedRow)) error {
	return c.st.Update(ctx, func(tx *store.Tx) error {
		now, err := askedRowIn(tx, row.setting())
		if errors.Is(err, store.ErrNotFound) || err == nil && !bytes.Equal(now.ID, row.ID) {
			return nil
		}
		if err != nil {
			return err
		}
		change(&now)
		return now.save(tx)
	})
}

// Asking lists the requests for contact that have no answer yet.
func (c *Client) Asking(ctx context.Context) (out []Asked, err error) {
	rows, err := c.asking(ctx)
	for _, row := range rows {
		out = append(out, Asked{row.Name, row.As, row.Next})
	}
	return out, err
}

func (c *Client) asking(ctx context.Context) (out []askedRow, err error) {
	err = c.st.View(ctx, func(tx *store.Tx) error {
		keys, err := tx.SettingKeys(askSetting)
		for _, key := range keys {
			row, err := askedRowIn(tx, key)
			if err != nil {
				return err
			}
			out = append(out, row)
		}
		return err
	})
	return out, err
}

// tendAsking repeats requests for contact.
func (c *Client) tendAsking(ctx context.Context) error {
	rows, err := c.asking(ctx)
	if err != nil {
		return err
	}
	for _, row := range rows {
		now := c.now()
		if !now.Before(row.Until) {
			if err := c.endAsking(ctx, row); err != nil {
				return err
			}
			continue
		}
		if now.Before(row.Next) || !c.mayTry(row.setting()) {
			continue
		}
		contact, err := c.repeatAsk(ctx, row)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		switch {
		case err == nil || errors.Is(err, ErrNoRoute):
			c.events.emit(ContactAdded{Contact: contact})
		case errors.Is(err, errOtherHolder):
			c.events.emit(Alarm{Contact: row.Name, Kind: AlarmName})
			if err := c.endAsking(ctx, row); err != nil {
				return err
			}
		case errors.Is(err, ErrNotGranted):
			c.health.worked(row.setting())
		default:
			c.opts.Logger.Debug("contact not asked for", "err", err)
		}
	}
	return nil
}

// errOtherHolder says that a name is somebody else's, or nobody's, since we asked.
var errOtherHolder = errors.New("client: the name has another holder by now")

// passedOn is whether the key of whom we asked has passed the name on to whom it stands for
// now: the same person, who reads the note with the old key.
func (a askedRow) passedOn(res lookup.Result) bool {
	doc, err := proof.ParseIdDoc(a.Doc)
	return err == nil && res.PassedOn(doc.Key())
}

// repeatAsk asks once more, if the name still is the person's whom we asked.
func (c *Client) repeatAsk(ctx context.Context, row askedRow) (Contact, error) {
	resolver, err := c.Names(ctx, row.Peers...)
	if err != nil {
		return Contact{}, err
	}
	res, err := holderOf(ctx, resolver, row.Name, row.Peers)
	if err != nil && !errors.Is(err, errNobody) {
		return Contact{}, err
	}
	if string(res.IdDoc[:]) != string(row.Doc) {
		if !row.passedOn(res) {
			return Contact{}, errOtherHolder
		}
		row.Doc = res.IdDoc[:]
		if err := c.changeAsked(ctx, row, func(now *askedRow) { now.Doc = row.Doc }); err != nil {
			return Contact{}, err
		}
	}
	return c.askOnce(ctx, row)
}

func (c *Client) endAsking(ctx context.Context, row askedRow) error {
	return c.st.Update(ctx, func(tx *store.Tx) error { return forgetAsking(tx, row) })
}

func forgetAsking(tx *store.Tx, row askedRow) error {
	if err := tx.DeleteSetting(row.setting()); !errors.Is(err, store.ErrNotFound) {
		return err
	}
	return nil
}
