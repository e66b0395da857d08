package admit

import (
	"reflect"
	"testing"
	"time"

	"communicator/wire"
)

var quotas = Quotas{Deliveries: 4, Bytes: 100, LifelineDeliveries: 2, FullRetry: time.Hour}

func TestAdmit(t *testing.T) {
	put := Put{Mailbox: wire.MailboxID{1}, Replay: ReplayID{2}, NotAfter: 3, Size: 10}
	fact := &Delivered{Mailbox: put.Mailbox, Replay: put.Replay, NotAfter: 3}
	stored := Verdict{Result: Stored, Fact: fact, Notify: true}
	dropped := Verdict{Result: Stored, Fact: fact}
	full := Verdict{Result: Full, RetryAfter: time.Hour}
	closed := Verdict{Result: Refused}
	again := Verdict{Result: Duplicate, Earlier: 9}
	for _, c := range []struct {
		name    string
		mailbox *Mailbox
		earlier uint64
		want    Verdict
	}{
		{"open", &Mailbox{Mode: Open}, 0, stored},
		{"one place left", &Mailbox{Mode: Open, Count: 3}, 0, stored},
		{"full by count", &Mailbox{Mode: Open, Count: 4}, 0, full},
		{"bytes just fit", &Mailbox{Mode: Open, Bytes: 90}, 0, stored},
		{"full by bytes", &Mailbox{Mode: Open, Bytes: 91}, 0, full},
		{"lifeline", &Mailbox{Mode: Open, Caps: wire.CapLifeline, Count: 1}, 0, stored},
		{"lifeline full", &Mailbox{Mode: Open, Caps: wire.CapLifeline, Count: 2}, 0, full},
		{"none", nil, 0, closed},
		{"closed", &Mailbox{Mode: Closed, Count: 1}, 0, closed},
		{"silent", &Mailbox{Mode: Silent}, 0, dropped},
		{"silent is never full", &Mailbox{Mode: Silent, Count: 4, Bytes: 100}, 0, dropped},
		{"repeat", &Mailbox{Mode: Open}, 9, again},
		{"repeat to a full one", &Mailbox{Mode: Open, Count: 4}, 9, again},
		{"repeat after closing", &Mailbox{Mode: Closed}, 9, again},
		{"repeat after removal", nil, 9, again},
		{"repeat to a silent one", &Mailbox{Mode: Silent}, 9, again},
	} {
		if got := Admit(State{c.mailbox, c.earlier}, put, quotas); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
	}
}

func TestTerms(t *testing.T) {
	now := time.Date(2026, 11, 23, 10, 20, 30, 0, time.UTC)
	weekEnd := wire.EpochAt(now).End()
	for _, c := range []struct {
		name      string
		caps      wire.Caps
		requested time.Time
		expires   time.Time
		status    wire.Status
	}{
		{"all of it", 0, time.Time{}, weekEnd.Add(wire.EpochGrace), wire.StatusOK},
		{"shorter", 0, now.Add(time.Hour), now.Add(time.Hour), wire.StatusOK},
		{"shortened", 0, now.Add(5 * wire.EpochGrace), weekEnd.Add(wire.EpochGrace), wire.StatusOK},
		{"contact", wire.CapContact, time.Time{}, time.Date(2026, 11, 30, 11, 0, 0, 0, time.UTC), wire.StatusOK},
		{"lifeline", wire.CapLifeline, time.Time{}, time.Date(2028, 11, 22, 10, 0, 0, 0, time.UTC), wire.StatusOK},
		{"past", 0, now, time.Time{}, wire.StatusExpired},
		{"both", wire.CapContact | wire.CapLifeline, time.Time{}, time.Time{}, wire.StatusMalformed},
		{"unknown bit", 1 << 9, time.Time{}, time.Time{}, wire.StatusMalformed},
	} {
		terms, status := TermsFor(now, c.caps, c.requested)
		if status != c.status || !terms.Expires.Equal(c.expires) {
			t.Errorf("%s: %v %v, want %v %v", c.name, terms.Expires, status, c.expires, c.status)
		}
		epoch := wire.EpochAt(now)
		if c.caps == wire.CapLifeline {
			epoch = wire.LifelineYearAt(now)
		}
		if status == wire.StatusOK && terms.Epoch != epoch {
			t.Errorf("%s: epoch %d, want %d", c.name, terms.Epoch, epoch)
		}
	}
}

func TestCreate(t *testing.T) {
	id := wire.MailboxID{7}
	at := time.Unix(3600*100+1, 0)
	free := func() (Slot, bool) { return Slot{5}, true }
	none := func() (Slot, bool) { return Slot{}, false }
	for _, c := range []struct {
		name     string
		existing *Mailbox
		slot     func() (Slot, bool)
		want     *MailboxCreated
		status   wire.Status
	}{
		{"new", nil, free, &MailboxCreated{id, 0, 101, Slot{5}}, wire.StatusOK},
		{"account full", nil, none, nil, wire.StatusTryAgain},
		{"again", &Mailbox{Mode: Open, Expires: 101, Slot: Slot{6}}, none, nil, wire.StatusOK},
		{"longer", &Mailbox{Mode: Open, Expires: 90, Slot: Slot{6}}, none, &MailboxCreated{id, 0, 101, Slot{6}}, wire.StatusOK},
		{"other capabilities", &Mailbox{Mode: Open, Caps: wire.CapContact, Expires: 101}, free, nil, wire.StatusConflict},
		{"closed", &Mailbox{Mode: Closed, Count: 1}, free, nil, wire.StatusConflict},
		{"silent", &Mailbox{Mode: Silent}, free, nil, wire.StatusConflict},
	} {
		got, status := Create(c.existing, id, Terms{Expires: at}, c.slot)
		if status != c.status || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %+v %v, want %+v %v", c.name, got, status, c.want, c.status)
		}
	}
}

func TestAcknowledge(t *testing.T) {
	id := wire.MailboxID{7}
	got := Acknowledge(id, []uint64{2, 8})
	if want := []Collected{{id, []uint64{2, 8}}}; !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
	if got := Acknowledge(id, nil); len(got) != 0 {
		t.Errorf("nothing stored, yet %+v", got)
	}
	var many []uint64
	for p := range uint64(200) {
		many = append(many, p+1)
	}
	total := 0
	for _, f := range Acknowledge(id, many) {
		total += len(f.Positions)
		if _, err := ParseFact(f.Kind(), Version, f.Stream(), f.Header()); err != nil {
			t.Error(err)
		}
	}
	if total != 200 {
		t.Errorf("%d of 200 positions", total)
	}
}

func TestRevoke(t *testing.T) {
	id := wire.MailboxID{7}
	fact := func(m Mode, purge bool) *AddressRevoked { return &AddressRevoked{id, m, purge} }
	open, closed, silent := &Mailbox{Mode: Open}, &Mailbox{Mode: Closed, Count: 1}, &Mailbox{Mode: Silent, Count: 1}
	for _, c := range []struct {
		name     string
		existing *Mailbox
		mode     Mode
		purge    bool
		want     *AddressRevoked
		status   wire.Status
	}{
		{"close", open, Closed, false, fact(Closed, false), wire.StatusOK},
		{"silence", open, Silent, true, fact(Silent, true), wire.StatusOK},
		{"close again", closed, Closed, false, nil, wire.StatusOK},
		{"purge later", closed, Closed, true, fact(Closed, true), wire.StatusOK},
		{"purge a silent one", silent, Silent, true, fact(Silent, true), wire.StatusOK},
		{"silence again", silent, Silent, false, nil, wire.StatusOK},
		{"loud after silent", silent, Closed, false, fact(Closed, false), wire.StatusOK},
		{"close what is gone", nil, Closed, true, nil, wire.StatusOK},
		{"silent after loud", closed, Silent, false, nil, wire.StatusConflict},
		{"silence what is gone", nil, Silent, false, nil, wire.StatusConflict},
		{"no mode", open, 0, false, nil, wire.StatusMalformed},
	} {
		got, status := Revoke(c.existing, id, c.mode, c.purge)
		if status != c.status || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %+v %v, want %+v %v", c.name, got, status, c.want, c.status)
		}
	}
}

func TestBlobDecisions(t *testing.T) {
	id := BlobID{1}
	key := [32]byte{2}
	put := BlobPut{ID: id, Expires: 9, DeleteHash: wire.Hash(wire.LabelBlobDelete, key[:]), Content: [32]byte{4}}
	same := &Blob{DeleteHash: put.DeleteHash, Content: put.Content}
	other := &Blob{DeleteHash: put.DeleteHash, Content: [32]byte{5}}
	for _, c := range []struct {
		name     string
		existing *Blob
		blobs    uint64
		fact     bool
		status   wire.Status
	}{
		{"new", nil, 9, true, wire.StatusOK},
		{"too many", nil, 10, false, wire.StatusTryAgain},
		{"again", same, 10, false, wire.StatusOK},
		{"other content", other, 1, false, wire.StatusConflict},
	} {
		f, status := StoreBlob(c.existing, put, c.blobs, 10)
		if status != c.status || (f != nil) != c.fact {
			t.Errorf("put %s: %v %v", c.name, f, status)
		}
	}
	if _, status := DeleteBlob(nil, id, key); status != wire.StatusNotFound {
		t.Errorf("delete nothing: %v", status)
	}
	if _, status := DeleteBlob(same, id, [32]byte{3}); status != wire.StatusAuth {
		t.Errorf("delete with another key: %v", status)
	}
	if f, status := DeleteBlob(same, id, key); status != wire.StatusOK || f.ID != id {
		t.Errorf("delete: %v %v", f, status)
	}
}

func TestHours(t *testing.T) {
	at := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	if h := HourAfter(at); !h.Time().Equal(at) || h != HourAt(at.Add(time.Hour-1)) || HourAfter(at.Add(1)) != h+1 {
		t.Errorf("hour %d of %v", h, at)
	}
	if w := HourAt(at).Week(); w != wire.EpochAt(at) {
		t.Errorf("week %d, want %d", w, wire.EpochAt(at))
	}
	if HourAt(time.Unix(-5, 0)) != 0 || HourAt(time.Unix(1<<60, 0)) != ^Hour(0) {
		t.Error("times out of range do not map to the ends")
	}
}
