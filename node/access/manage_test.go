package access

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"communicator/eventlog"
	"communicator/wire"
)

func TestTokensAreListedAndRevoked(t *testing.T) {
	w := newWorld(t, nil)
	first, second := w.token(3), w.token(1)
	if got := w.try("p", hello(1, &first)); got != wire.StatusOK {
		t.Fatal(got)
	}
	id := fmt.Sprintf("%x", first.Hash())
	for _, c := range []struct {
		id   string
		want error
	}{
		{"", ErrNotFound},
		{"not hexadecimal", ErrNotFound},
		{id + "00", ErrNotFound},
		{otherThan(id[:6]), ErrNotFound},
		{id[:7], nil}, // an odd number of digits
		{id, ErrNotFound},
	} {
		if err := w.RevokeToken(t.Context(), c.id); !errors.Is(err, c.want) {
			t.Errorf("revoke %q: %v, want %v", c.id, err, c.want)
		}
	}
	list, err := w.Tokens()
	if want := []IssuedToken{{second.Hash(), 1}}; err != nil || !slices.Equal(list, want) {
		t.Errorf("left are %v, %v", list, err)
	}
	if got := w.try("p", hello(2, &first)); got != wire.StatusPermission {
		t.Errorf("a revoked token: %v", got)
	}
	if got := w.try("p", hello(1, nil)); got != wire.StatusOK {
		t.Errorf("an account that it had opened: %v", got)
	}
}

// otherThan is another id of the same length.
func otherThan(id string) string {
	if id[0] == '0' {
		return "1" + id[1:]
	}
	return "0" + id[1:]
}

func TestAmbiguousIdsRemoveNothing(t *testing.T) {
	w := newWorld(t, nil)
	token := w.token(40)
	for i := range 40 { // more than there are first digits
		w.try("p", hello(byte(i+1), &token))
	}
	accounts, err := w.Accounts()
	if err != nil || len(accounts) != 40 {
		t.Fatalf("%d accounts, %v", len(accounts), err)
	}
	several := ""
	for i := 1; i < len(accounts); i++ {
		if a, b := fmt.Sprintf("%x", accounts[i-1]), fmt.Sprintf("%x", accounts[i]); a[0] == b[0] {
			several = a[:1]
		}
	}
	if err := w.RemoveAccount(t.Context(), several); !errors.Is(err, ErrAmbiguous) {
		t.Errorf("an id of %d digit: %v", len(several), err)
	}
	if again, err := w.Accounts(); err != nil || !slices.Equal(again, accounts) {
		t.Errorf("%d accounts are left, %v", len(again), err)
	}
}

func TestRemovedAccountIsNotServed(t *testing.T) {
	w := newWorld(t, nil)
	token := w.token(2)
	w.try("p", hello(1, &token))
	account := wire.Credential(hello(1, nil).Credential).Account()
	if err := w.RemoveAccount(t.Context(), fmt.Sprintf("%x", account[:6])); err != nil {
		t.Fatal(err)
	}
	if got := w.try("p", hello(1, nil)); got != wire.StatusPermission {
		t.Errorf("its credential: %v", got)
	}
	if got := w.try("p", hello(1, &token)); got != wire.StatusOK {
		t.Errorf("its credential with what is left of the token: %v", got)
	}
	counts, err := w.Counts()
	if err != nil || counts != (Counts{Accounts: 1}) {
		t.Errorf("counts %+v, %v", counts, err)
	}
}

// TestLayoutsAreFixed: logs that exist hold these headers.
func TestLayoutsAreFixed(t *testing.T) {
	hash, account := [32]byte{1, 2}, wire.AccountID{3, 4}
	h, a := fmt.Sprintf("%x", hash), fmt.Sprintf("%x", account)
	for i, c := range []struct {
		event eventlog.Event
		kind  eventlog.Kind
		want  string
	}{
		{tokenIssued(hash, 5), wire.KindsNode + 1, h + "00000005"},
		{accountOpened(hash, account), wire.KindsNode + 2, h + a},
		{drainChanged(true), wire.KindsNode + 3, "01"},
		{tokenRevoked(hash), wire.KindsNode + 4, h},
		{accountRemoved(account), wire.KindsNode + 5, a},
	} {
		if got := fmt.Sprintf("%x", c.event.Header); got != c.want || c.event.Kind != c.kind || c.event.Version != 1 {
			t.Errorf("layout %d: kind %#x version %d %s, want %s", i, c.event.Kind, c.event.Version, got, c.want)
		}
	}
}
