package client

import (
	"context"
	"encoding/hex"
	"errors"
	"slices"
	"time"

	"communicator/client/lookup"
	"communicator/client/store"
	"communicator/dht"
	"communicator/dht/record"
	"communicator/directory/proof"
)

// A veto takes ways that the namespace does not control: our contacts, inside our
// conversations, and the overlay. What contacts bring is remembered where lookups look, so
// a directory that hides it from us hides nothing.
//
//	"veto-own/", "veto-tell/" → what we said, and who was told: see [told]
//	"veto/" contact "/" id    → one that a contact brought; the veto itself is with the lookups'
const (
	vetoOwn     = "veto-own/"
	vetoTell    = "veto-tell/"
	vetoBrought = "veto/"
)

// maxVetoes is how many vetoes of one contact are listened to.
const maxVetoes = 8

func vetoText(s proof.Statement) string {
	hash := s.Hash()
	return hex.EncodeToString(hash[:])
}

// keepVeto makes a veto of ours, and the records that carry it, durable before anybody has
// it: so that what is published twice is the same bytes.
func (c *Client) keepVeto(ctx context.Context, row ownName, veto proof.Statement, hold time.Duration) (ownName, error) {
	raw, err := veto.Marshal()
	if err != nil {
		return row, err
	}
	if slices.ContainsFunc(row.Vetoes, func(b []byte) bool { return slices.Equal(b, raw) }) {
		return row, nil
	}
	list, others, err := vetoesBy(row, veto)
	if err != nil {
		return row, err
	}
	_, key, err := row.identity()
	if err != nil {
		return row, err
	}
	bits := c.opts.Overlay.WorkBits
	if bits == 0 {
		bits = record.WorkBits
	}
	records, err := lookup.SaidRecords(key, list, c.now(), c.now().Add(hold), bits)
	if err != nil {
		return row, err
	}
	if others && len(list) == 1 { // those of another identity that the name had stand beside them
		records = append(records, row.VetoRecords...)
	}
	return c.changeName(ctx, row.setting(), func(now *ownName) {
		now.Vetoes, now.VetoRecords, now.Objected = append(now.Vetoes, raw), records, time.Time{}
	})
}

// vetoesBy are a veto and those that its key said before, as many as a record has room for.
// Others says whether former keys of the name have said some, too.
func vetoesBy(row ownName, veto proof.Statement) (list []proof.Statement, others bool, err error) {
	list = []proof.Statement{veto}
	for _, b := range slices.Backward(row.Vetoes) {
		s, err := proof.ParseStatement(b)
		if err != nil {
			return nil, false, errors.Join(store.ErrDamaged, err)
		}
		if s.Key != veto.Key {
			others = true
		} else if len(list) < proof.MaxSaid {
			list = append(list, s)
		}
	}
	return list, others, nil
}

// spread takes a veto that directories were asked to keep to the overlay and to contacts.
func (c *Client) spread(ctx context.Context, row ownName, p place, veto proof.Statement, o Objection, problems error) (Objection, error) {
	row, err := c.publishVetoes(ctx, row, p.space.Peers)
	if err != nil {
		problems = errors.Join(problems, err)
	}
	o.InOverlay = !row.Objected.IsZero()
	var audience []store.ID
	err = c.st.Update(ctx, func(tx *store.Tx) error {
		o.Told = nil
		raw, err := veto.Marshal()
		if err != nil {
			return err
		}
		if err := tx.SetSetting(vetoOwn+vetoText(veto), raw); err != nil {
			return err
		}
		us, err := personaIn(tx, row.Name)
		if err != nil {
			return err
		}
		if audience, err = audienceOf(tx, nil, us); err != nil {
			return err
		}
		o.Told, err = willTell(tx, toldContacts[1], vetoText(veto), audience)
		return err
	})
	if err != nil {
		return o, err
	}
	if o.Sent > 0 || o.InOverlay {
		problems = nil
	}
	return o, errors.Join(problems, c.pushTold(ctx, audience))
}

// publishVetoes has the records of a name's vetoes put into the overlay, if they were not
// just now.
func (c *Client) publishVetoes(ctx context.Context, row ownName, directories []string) (ownName, error) {
	now := c.now()
	due := validNow(row.VetoRecords, now)
	if len(due) == 0 || now.Sub(row.Objected).Abs() < dht.RepublishEvery {
		return row, nil
	}
	if err := c.publishRecords(ctx, due, directories, true); err != nil {
		return row, err
	}
	return c.changeName(ctx, row.setting(), func(at *ownName) { at.Objected = now })
}

// tendObjections publishes vetoes again, which peers forget, for as long as records of
// them were made.
func (c *Client) tendObjections(ctx context.Context) error {
	var rows []ownName
	err := c.st.View(ctx, func(tx *store.Tx) (err error) {
		rows, err = ownNames(tx)
		return err
	})
	if err != nil {
		return err
	}
	for _, row := range rows {
		what := "veto/" + row.setting()
		due := len(validNow(row.VetoRecords, c.now())) > 0 && c.now().Sub(row.Objected).Abs() >= dht.RepublishEvery
		if !due || !c.mayTry(what) {
			continue
		}
		if _, err := c.publishVetoes(ctx, row, row.Peers); err != nil {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			c.opts.Logger.Debug("veto not published", "err", err)
			continue
		}
		c.health.worked(what)
	}
	return nil
}

// absorbVeto remembers a veto that a contact brings: whoever brings it, its key has signed
// it. If the key is one that the name is known to have had, it is told.
func (c *Client) absorbVeto(tx *store.Tx, in *arrival, r *relation, raw []byte) error {
	s, err := proof.ParseStatement(raw)
	if err == nil {
		err = s.Verify(proof.Manifest{}) // what others than its key sign does not
	}
	if err != nil {
		c.opts.Logger.Debug("veto of a contact refused", "err", err)
		return nil
	}
	prefix := vetoBrought + idText(r.ID) + "/"
	brought, err := tx.SettingKeys(prefix)
	if err != nil || len(brought) >= maxVetoes || slices.Contains(brought, prefix+vetoText(s)) {
		return err
	}
	rows := profileRows{tx}
	fresh, err := lookup.Heard(rows, s, c.now())
	if errors.Is(err, lookup.ErrUnknownNamespace) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := tx.SetSetting(prefix+vetoText(s), []byte{}); err != nil || !fresh || s.Kind != proof.Veto {
		return err
	}
	holds, err := lookup.HolderOf(rows, s.NS, s.Name, s.Key)
	if err != nil {
		return err
	}
	if !holds && !slices.ContainsFunc(r.parties(), func(p proof.Party) bool { return p.Key == s.Key }) {
		return nil // of a name that we do not know by this key: lookups judge it
	}
	space := s.NS.String()
	if petname, err := lookup.Petname(rows, s.NS); err == nil && petname != "" {
		space = petname
	}
	in.events = append(in.events, NameVetoed{Contact: r.Name, Name: string(s.Name) + "@" + space, Version: s.Version})
	return nil
}
