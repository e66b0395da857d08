package store

import (
	"bytes"
	"context"
	"reflect"
	"testing"
	"time"
)

func TestIntroductionRows(t *testing.T) {
	s := newStore(t)
	now := time.Date(2026, 4, 1, 12, 0, 0, 0, time.UTC)
	update(t, s, func(tx *Tx) error {
		for i, name := range []string{"Ira", "Reed", "Result"} {
			if err := addContact(tx, byte(i+1), name); err != nil {
				return err
			}
		}
		return nil
	})
	side := Introduction{ID: testID(9), Role: RoleIntroducer, Contact: testID(1), Via: "Ira", Name: "Reed",
		Note: "meet", State: IntroductionAsked, Due: 1, Session: []byte{}, Package: []byte{},
		Created: now, Expiry: now.Add(time.Hour)}
	other := side
	other.Contact, other.Via, other.Name = testID(2), "Reed", "Ira"
	update(t, s, func(tx *Tx) (err error) {
		if side.Seq, err = tx.AddIntroduction(side); err != nil {
			return err
		}
		if _, err := tx.AddIntroduction(side); err != ErrExists {
			t.Errorf("the same side twice: %v", err)
		}
		other.Seq, err = tx.AddIntroduction(other)
		return err
	})
	side.State, side.Due, side.Session, side.Invitation = IntroductionAccepted, 4, []byte("sid"), testID(5)
	side.Package, side.Result, side.Expiry = []byte("package"), testID(3), now.Add(2*time.Hour)
	update(t, s, func(tx *Tx) error { return tx.SetIntroduction(side) })
	view(t, s, func(tx *Tx) error {
		for name, read := range map[string]func() (Introduction, error){
			"number":     func() (Introduction, error) { return tx.Introduction(side.Seq) },
			"contact":    func() (Introduction, error) { return tx.IntroductionOf(testID(1), testID(9)) },
			"other":      func() (Introduction, error) { return tx.OtherIntroduction(other) },
			"invitation": func() (Introduction, error) { return tx.IntroductionByInvitation(testID(5)) },
		} {
			got, err := read()
			if err != nil || !reflect.DeepEqual(got, side) {
				t.Errorf("by %s: %+v, %v", name, got, err)
			}
		}
		_, err := tx.IntroductionOf(testID(1), testID(8))
		wantErr(t, err, ErrNotFound)
		return nil
	})
	// Contacts may go, the row stays with their names.
	update(t, s, func(tx *Tx) error {
		if err := tx.DeleteContact(testID(1)); err != nil {
			return err
		}
		return tx.DeleteContact(testID(3))
	})
	view(t, s, func(tx *Tx) error {
		all, err := tx.Introductions()
		if err != nil || len(all) != 2 || all[0].Contact != (ID{}) || all[0].Result != (ID{}) || all[0].Via != "Ira" {
			t.Errorf("after the contacts have gone: %+v, %v", all, err)
		}
		return nil
	})
	update(t, s, func(tx *Tx) error {
		side.State, side.Result = IntroductionExpired, ID{}
		if err := tx.SetIntroduction(side); err != nil {
			return err
		}
		n, err := tx.PruneIntroductions(now.Add(3 * time.Hour))
		if n != 1 {
			t.Errorf("pruned %d: only one has ended", n)
		}
		return err
	})
}

func TestClaimRows(t *testing.T) {
	s := newStore(t)
	theirs := Claim{Contact: testID(1), Statement: bytes32(4), Session: []byte("sid"), Value: []byte("mac"),
		At: time.Date(2026, 4, 1, 12, 0, 0, 0, time.UTC)}
	ours := theirs
	ours.Ours, ours.Value = true, []byte("key")
	update(t, s, func(tx *Tx) error {
		if err := addContact(tx, 1, "Ira"); err != nil {
			return err
		}
		if err := tx.SetClaim(theirs); err != nil {
			return err
		}
		return tx.SetClaim(ours)
	})
	theirs.State, theirs.Name = ClaimHolds, "ira@example"
	update(t, s, func(tx *Tx) error { return tx.SetClaim(theirs) })
	view(t, s, func(tx *Tx) error {
		all, err := tx.Claims(ID{})
		if err != nil || !reflect.DeepEqual(all, []Claim{theirs, ours}) {
			t.Errorf("all: %+v, %v", all, err)
		}
		none, err := tx.Claims(testID(2))
		if len(none) != 0 {
			t.Errorf("another contact's: %+v", none)
		}
		return err
	})
	update(t, s, func(tx *Tx) error { return tx.DeleteClaim(ours) })
	update(t, s, func(tx *Tx) error { return tx.DeleteContact(testID(1)) })
	view(t, s, func(tx *Tx) error {
		all, err := tx.Claims(ID{})
		if len(all) != 0 {
			t.Errorf("claims outlive their contact: %+v", all)
		}
		return err
	})
}

// TestFirstFormatIsCarriedOn opens a profile that the first format's program made.
func TestFirstFormatIsCarriedOn(t *testing.T) {
	s := newStore(t)
	update(t, s, func(tx *Tx) error {
		if err := addContact(tx, 1, "Ira"); err != nil {
			return err
		}
		return tx.conn.db.Exec(`DROP TABLE introductions; DROP TABLE claims;
			ALTER TABLE contacts DROP COLUMN origin; ALTER TABLE contacts DROP COLUMN via; PRAGMA user_version = 1`)
	})
	var export bytes.Buffer
	if err := s.Export(context.Background(), &export, secret); err != nil {
		t.Fatal(err)
	}
	s.Close()
	again, err := Open(s.path, secret, testOptions())
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	moved, err := Import(context.Background(), s.path+"-moved", &export, secret, secret, testOptions())
	if err != nil {
		t.Fatal(err)
	}
	defer moved.Close()
	for _, s := range []*Store{again, moved} {
		view(t, s, func(tx *Tx) error {
			c, err := tx.ContactByName("ira")
			if err != nil || c.Origin != OriginLink || c.Via != "" {
				t.Errorf("%+v, %v", c, err)
			}
			_, err = tx.Introductions()
			return err
		})
	}
}
