package store

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
)

// within runs fn in an Update whose changes stay.
func within(t *testing.T, fn func(*Tx)) {
	t.Helper()
	update(t, newStore(t), func(tx *Tx) error { fn(tx); return nil })
}

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func same[T any](t testing.TB, got, want T) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("got  %+v\nwant %+v", got, want)
	}
}

func TestContacts(t *testing.T) {
	within(t, func(tx *Tx) {
		want := Contact{ID: testID(1), Name: "Ádám Straße", State: ContactPending, Particle: []byte{0, 1},
			Trust: 5, Evidence: []byte("e"), Degraded: true, Created: noon}
		ok(t, tx.AddContact(want))
		got, err := tx.ContactByName("  áDÁM   STRAßE ")
		ok(t, err)
		same(t, got, want)
		wantErr(t, addContact(tx, 1, "other"), ErrExists)
		wantErr(t, addContact(tx, 2, "ádám straße"), ErrExists)
		for _, bad := range []string{"", " \t", "a\x00b", "\xff", strings.Repeat("x", MaxName+1), "a\u202eb"} {
			wantErr(t, addContact(tx, 3, bad), ErrInvalid)
		}
		ok(t, addContact(tx, 2, "Blair"))
		wantErr(t, tx.RenameContact(testID(2), "ÁDÁM straße"), ErrExists)
		ok(t, tx.RenameContact(testID(2), "BLAIR"))
		ok(t, tx.SetParticle(testID(2), []byte("p2")))
		ok(t, tx.SetContactState(testID(2), ContactRevoked))
		ok(t, tx.SetTrust(testID(2), 9, []byte("seen")))
		ok(t, tx.SetDegraded(testID(2), true))
		got, err = tx.Contact(testID(2))
		ok(t, err)
		same(t, got, Contact{ID: testID(2), Name: "BLAIR", State: ContactRevoked, Particle: []byte("p2"), Trust: 9,
			Evidence: []byte("seen"), Degraded: true, Created: noon})
		all, err := tx.Contacts()
		ok(t, err)
		if len(all) != 2 || len(all[0].Particle) > 0 {
			t.Errorf("list: %+v", all)
		}
		for _, err := range []error{tx.SetParticle(testID(7), nil), tx.DeleteContact(testID(7)),
			tx.RenameContact(testID(7), "x"), tx.SetTrust(testID(7), 0, nil)} {
			wantErr(t, err, ErrNotFound)
		}
		wantErr(t, tx.SetParticle(testID(2), make([]byte, MaxBlob+1)), ErrInvalid)
	})
}

func TestAgentsAndDescriptors(t *testing.T) {
	within(t, func(tx *Tx) {
		want := Agent{URI: "/dns4/a.example/tcp/1/p2p/x", Token: []byte("tok"), Roles: RoleSending | RoleReceiving,
			Credential: []byte{}, Descriptor: []byte{}, Added: noon}
		id, err := tx.AddAgent(want)
		ok(t, err)
		want.ID = id
		got, err := tx.AgentByURI(want.URI)
		ok(t, err)
		got.Credential, got.Descriptor = []byte{}, []byte{}
		same(t, got, want)
		_, err = tx.AddAgent(want)
		wantErr(t, err, ErrExists)
		ok(t, tx.SetAgentAccount(id, []byte("cred")))
		ok(t, tx.SetAgentDescriptor(id, 4, []byte("d4")))
		ok(t, tx.SetAgentDescriptor(id, 4, []byte("other")))
		wantErr(t, tx.SetAgentDescriptor(id, 3, []byte("d3")), ErrStale)
		ok(t, tx.SetAgentState(id, AgentDraining))
		got, err = tx.Agent(id)
		ok(t, err)
		if string(got.Descriptor) != "d4" || string(got.Credential) != "cred" || len(got.Token) != 0 || got.State != AgentDraining {
			t.Errorf("agent: %+v", got)
		}

		peer := bytes32(1)
		_, err = tx.Descriptor(peer)
		wantErr(t, err, ErrNotFound)
		ok(t, tx.PutDescriptor(Descriptor{Agent: peer, Bytes: []byte("s7"), Sequence: 7}))
		wantErr(t, tx.PutDescriptor(Descriptor{Agent: peer, Bytes: []byte("s6"), Sequence: 6}), ErrStale)
		ok(t, tx.PutDescriptor(Descriptor{Agent: peer, Bytes: []byte("forged"), Sequence: 7}))
		d, err := tx.Descriptor(peer)
		ok(t, err)
		same(t, d, Descriptor{Agent: peer, Bytes: []byte("s7"), Sequence: 7, Fetched: noon})
		n, err := tx.PruneDescriptors(noon.Add(time.Second))
		ok(t, err)
		same(t, n, 1)
	})
}

func TestMailboxes(t *testing.T) {
	within(t, func(tx *Tx) {
		agent, err := tx.AddAgent(Agent{URI: "a"})
		ok(t, err)
		ok(t, addContact(tx, 1, "Blair"))
		inv := Invitation{ID: testID(5), Secret: []byte("s"), BlobID: []byte("b"), Host: "h", Private: []byte("p"),
			Name: "Casey", Created: noon, Expiry: noon.Add(time.Hour)}
		ok(t, tx.AddInvitation(inv))
		box := func(b byte, expiry time.Duration) Mailbox {
			return Mailbox{ID: MailboxKey(testID(b)), Agent: agent, Seed: bytes32(b), Address: []byte{b},
				Created: noon, Expiry: noon.Add(expiry)}
		}
		ok(t, tx.AddMailbox(box(10, time.Hour)))
		ok(t, tx.AddMailbox(box(11, 2*time.Hour)))
		wantErr(t, tx.AddMailbox(box(11, time.Hour)), ErrExists)
		stray := box(12, time.Hour)
		stray.Agent = 99
		wantErr(t, tx.AddMailbox(stray), ErrReference)

		pooled, err := tx.PooledMailbox(agent, noon.Add(time.Hour))
		ok(t, err)
		same(t, pooled, box(11, 2*time.Hour))
		wantErr(t, tx.SetMailboxState(pooled.ID, MailboxActive, time.Time{}), ErrTransition)
		wantErr(t, tx.AssignMailbox(pooled.ID, testID(1), testID(5), 1), ErrInvalid)
		wantErr(t, tx.AssignMailbox(pooled.ID, testID(77), ID{}, 1), ErrReference)
		ok(t, tx.AssignMailbox(pooled.ID, ID{}, testID(5), 1))
		wantErr(t, tx.AssignMailbox(pooled.ID, testID(1), ID{}, 1), ErrTransition)
		wantErr(t, tx.DeleteInvitation(testID(5)), ErrReference)
		n, err := tx.AdoptMailboxes(testID(5), testID(1))
		ok(t, err)
		same(t, n, 1)

		ok(t, tx.AdvanceCursor(pooled.ID, 8))
		ok(t, tx.AdvanceCursor(pooled.ID, 8))
		wantErr(t, tx.AdvanceCursor(pooled.ID, 7), ErrStale)
		wantErr(t, tx.AdvanceCursor(MailboxKey{}, 7), ErrNotFound)
		ok(t, tx.CountPuts(pooled.ID, 3))
		ok(t, tx.CountPuts(pooled.ID, 2))
		until := noon.Add(7 * 24 * time.Hour)
		ok(t, tx.SetMailboxState(pooled.ID, MailboxGrace, until))
		wantErr(t, tx.SetMailboxState(pooled.ID, MailboxActive, time.Time{}), ErrTransition)
		want := box(11, 2*time.Hour)
		want.Contact, want.Generation, want.State = testID(1), 1, MailboxGrace
		want.Cursor, want.Puts, want.GraceUntil = 8, 5, until
		got, err := tx.Mailboxes(MailboxFilter{Contact: testID(1), Agent: agent, States: []MailboxState{MailboxGrace}})
		ok(t, err)
		same(t, got, []Mailbox{want})
		got, err = tx.Mailboxes(MailboxFilter{States: []MailboxState{MailboxActive, MailboxClosed}})
		ok(t, err)
		same(t, len(got), 0)
		got, err = tx.Mailboxes(MailboxFilter{})
		ok(t, err)
		same(t, len(got), 2)

		wantErr(t, tx.DeleteContact(testID(1)), ErrReference)
		wantErr(t, tx.DeleteAgent(agent), ErrReference)
		wantErr(t, tx.DeleteMailbox(pooled.ID), ErrTransition)
		ok(t, tx.SetMailboxState(pooled.ID, MailboxClosed, time.Time{}))
		ok(t, tx.DeleteMailbox(pooled.ID))
		ok(t, tx.DeleteContact(testID(1)))
	})
}

func TestInvitations(t *testing.T) {
	within(t, func(tx *Tx) {
		v := Invitation{ID: testID(1), Secret: []byte("s"), BlobID: []byte("b"), Host: "h", Private: []byte("p"),
			Name: "Casey", Created: noon, Expiry: noon.Add(time.Hour)}
		ok(t, tx.AddInvitation(v))
		wantErr(t, tx.AddInvitation(v), ErrExists)
		got, err := tx.Invitation(v.ID)
		ok(t, err)
		same(t, got, v)
		ok(t, tx.FinishInvitation(v.ID, InvitationAccepted))
		wantErr(t, tx.FinishInvitation(v.ID, InvitationAccepted), ErrTransition)
		got, err = tx.Invitation(v.ID)
		ok(t, err)
		if got.State != InvitationAccepted || len(got.Secret)+len(got.Private) != 0 {
			t.Errorf("spent invitation keeps its secrets: %+v", got)
		}
		open, err := tx.Invitations(InvitationOpen)
		ok(t, err)
		done, err := tx.Invitations(InvitationAccepted, InvitationExpired)
		ok(t, err)
		same(t, [2]int{len(open), len(done)}, [2]int{0, 1})
		ok(t, tx.DeleteInvitation(v.ID))
	})
}

func TestHistory(t *testing.T) {
	within(t, func(tx *Tx) {
		ok(t, addContact(tx, 1, "Blair"))
		ok(t, addContact(tx, 2, "Casey"))
		for i := range 6 {
			m := Message{ID: testID(byte(i / 2)), Contact: testID(1), Incoming: i%2 == 1, Sent: noon, Text: fmt.Sprint(i)}
			if i == 5 {
				m.Contact = testID(2)
			}
			seq, err := tx.AddMessage(m)
			ok(t, err)
			same(t, seq, int64(i+1))
		}
		_, err := tx.AddMessage(Message{ID: testID(0), Contact: testID(1)})
		wantErr(t, err, ErrExists)
		_, err = tx.AddMessage(Message{ID: testID(9), Contact: testID(9)})
		wantErr(t, err, ErrReference)
		for _, bad := range []string{"\xff", strings.Repeat("x", MaxText+1)} {
			_, err = tx.AddMessage(Message{ID: testID(9), Contact: testID(1), Text: bad})
			wantErr(t, err, ErrInvalid)
		}
		texts := func(ms []Message, err error) (s string) {
			ok(t, err)
			for _, m := range ms {
				s += m.Text
			}
			return s
		}
		same(t, texts(tx.MessagesAfter(ID{}, 1, 10)), "12345")
		same(t, texts(tx.MessagesAfter(testID(1), 1, 2)), "12")
		same(t, texts(tx.MessagesBefore(testID(1), 0, 2)), "43")
		same(t, texts(tx.MessagesBefore(testID(1), 4, 10)), "210")
		ok(t, tx.SetMessageState(testID(1), false, testID(1), MessageStored))
		ok(t, tx.SetMessageReceipt(testID(1), testID(1), []byte("proof")))
		wantErr(t, tx.SetMessageReceipt(testID(2), testID(1), nil), ErrNotFound)
		m, err := tx.Message(testID(1), false, testID(1))
		ok(t, err)
		same(t, m, Message{Seq: 3, ID: testID(1), Contact: testID(1), Sent: noon, Text: "2", State: MessageStored, Receipt: []byte("proof")})
		n, err := tx.DeleteMessages(testID(1), 3)
		ok(t, err)
		same(t, n, 3)
		same(t, texts(tx.MessagesAfter(ID{}, 0, 10)), "345")
		ok(t, tx.DeleteContact(testID(1)))
		same(t, texts(tx.MessagesAfter(ID{}, 0, 10)), "5")
		seq, err := tx.AddMessage(Message{ID: testID(50), Contact: testID(2)})
		ok(t, err)
		same(t, seq, 7) // numbers are never given twice
	})
}

func TestDeliveriesAndQuarantine(t *testing.T) {
	s := newStore(t)
	now := noon
	s.opts.Now = func() time.Time { return now }
	update(t, s, func(tx *Tx) error {
		ok(t, tx.MarkDelivered(bytes32(1)))
		wantErr(t, tx.MarkDelivered(bytes32(1)), ErrExists)
		now = noon.Add(time.Hour)
		return tx.MarkDelivered(bytes32(2))
	})
	update(t, s, func(tx *Tx) error {
		n, err := tx.PruneDelivered(noon.Add(DeliveredRetention))
		ok(t, err)
		same(t, n, 0)
		n, err = tx.PruneDelivered(noon.Add(DeliveredRetention + time.Minute))
		ok(t, err)
		same(t, n, 1)
		for b, want := range map[byte]bool{1: false, 2: true, 3: false} {
			got, err := tx.Delivered(bytes32(b))
			ok(t, err)
			same(t, got, want)
		}
		q := Quarantined{Mailbox: MailboxKey(testID(4)), Hash: bytes32(9), Ciphertext: []byte("junk"), Reason: "no key", At: now}
		id, err := tx.Quarantine(q)
		ok(t, err)
		q.ID = id
		_, err = tx.Quarantine(q)
		wantErr(t, err, ErrExists)
		all, err := tx.QuarantineAfter(0, 10)
		ok(t, err)
		same(t, all, []Quarantined{q})
		ok(t, tx.DeleteQuarantined(id))
		wantErr(t, tx.DeleteQuarantined(id), ErrNotFound)
		return nil
	})
}

func TestCountersAndSettings(t *testing.T) {
	s := newStore(t)
	for want := uint64(1); want <= 3; want++ {
		update(t, s, func(tx *Tx) error {
			got, err := tx.NextCounter([]byte("addr"))
			same(t, got, want)
			return err
		})
		err := s.Update(t.Context(), func(tx *Tx) error { tx.NextCounter([]byte("addr")); return errors.New("undo") })
		if err == nil {
			t.Fatal("undo")
		}
	}
	update(t, s, func(tx *Tx) error {
		other, err := tx.NextCounter(nil)
		same(t, other, 1)
		ok(t, tx.SetSetting("k", []byte("1")))
		ok(t, tx.SetSetting("k", []byte("2")))
		v, gerr := tx.Setting("k")
		if !bytes.Equal(v, []byte("2")) {
			t.Errorf("setting: %q", v)
		}
		ok(t, tx.DeleteSetting("k"))
		wantErr(t, tx.DeleteSetting("k"), ErrNotFound)
		return errors.Join(err, gerr)
	})
}
