package client

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"communicator/client/store"
)

// TestSomeNameIsAlwaysFree: a delivery never fails for the name of who sent it.
func TestSomeNameIsAlwaysFree(t *testing.T) {
	p := newFakeNet(t).person()
	for _, wanted := range []string{"via alice@club", strings.Repeat("x", store.MaxName), strings.Repeat("\u00e9", 300), "a\x00b", ""} {
		err := p.st.Update(t.Context(), func(tx *store.Tx) error {
			for i := range maxNameTries + 20 {
				name, err := p.freeName(tx, wanted)
				if err != nil {
					return err
				}
				if !utf8.ValidString(name) {
					t.Errorf("%q", name)
				}
				var id store.ID
				copy(id[:], fmt.Sprintf("%d %d %s", len(wanted), i, wanted))
				if err := tx.AddContact(store.Contact{ID: id, Name: name}); err != nil {
					return fmt.Errorf("%d %q: %w", i, name, err)
				}
			}
			return errRolledBack
		})
		if !errors.Is(err, errRolledBack) {
			t.Errorf("%.20q: %v", wanted, err)
		}
	}
}

var errRolledBack = errors.New("rolled back")
