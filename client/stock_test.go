package client

import (
	"context"
	"errors"
	"io"
	"testing"

	"communicator/client/directory"
	"communicator/client/store"
	"communicator/directory/proof"
	"communicator/particle"
	"communicator/wire"

	"github.com/libp2p/go-libp2p/core/peer"
)

type nobodyThere struct{}

func (nobodyThere) Open(context.Context) (io.ReadWriteCloser, peer.ID, error) {
	return nil, "", errNobodyThere
}

var errNobodyThere = errors.New("nobody there")

// ownNameOf gives a person a name that a namespace has attested.
func ownNameOf(t *testing.T, p *person) ownName {
	t.Helper()
	identity, err := particle.NewIdentity(p.Client.opts.Rand)
	check(t, err)
	row := ownName{
		Name: "alice@club", NSID: proof.NSID{1}.String(), Label: "alice",
		Identity: identity.Marshal(), Statement: make([]byte, len(proof.Hash{})),
	}
	check(t, p.st.Update(t.Context(), row.save))
	return row
}

// TestPackagesWaitForTheirUpload: one that no directory has taken is not made again.
func TestPackagesWaitForTheirUpload(t *testing.T) {
	n := newFakeNet(t)
	p := n.person(n.agent(), n.agent())
	ctx := t.Context()
	before := ownNameOf(t, p)
	row, err := p.vendable(ctx, before, true)
	check(t, err)
	at := place{label: "alice", dir: directory.New(wire.AgentID{}, nobodyThere{})}
	for range 3 {
		if row, err = p.stockName(ctx, row, at); err == nil {
			t.Fatal("uploaded to nobody")
		}
	}
	saved, err := p.ownRow(ctx, row.setting())
	check(t, err)
	open, err := p.openVended(ctx, row)
	check(t, err)
	if len(saved.Pending) != 1 || open != 1 {
		t.Errorf("%d wait, %d are open", len(saved.Pending), open)
	}

	// Whoever has read the row before changes single fields of it.
	if _, err := p.changeName(ctx, before.setting(), func(now *ownName) { now.Stocked = n.now() }); err != nil {
		t.Fatal(err)
	}
	if saved, err = p.ownRow(ctx, row.setting()); err != nil || len(saved.Pending) != 1 || saved.Stocked.IsZero() {
		t.Errorf("%d wait after a change of something else, %v", len(saved.Pending), err)
	}
	n.pass(InvitationLife)
	if _, err = p.uploadPending(ctx, saved, directory.Owner{Client: at.dir}); err != nil {
		t.Errorf("what has expired was uploaded: %v", err)
	}
	if saved, err = p.ownRow(ctx, row.setting()); err != nil || len(saved.Pending) != 0 {
		t.Errorf("%d that have expired wait, %v", len(saved.Pending), err)
	}
}

// TestRequestThatEndedStaysEnded: an answer that comes late brings no request back.
func TestRequestThatEndedStaysEnded(t *testing.T) {
	p := newFakeNet(t).person()
	ctx := t.Context()
	row := askedRow{Name: "alice@club"}
	id, err := directory.NewRequestID(p.Client.opts.Rand)
	check(t, err)
	row.ID = id[:]
	check(t, p.st.Update(ctx, row.save))
	check(t, p.askAnew(ctx, row))
	now, err := p.askedBefore(ctx, row.setting())
	check(t, err)
	if string(now.ID) == string(row.ID) || now.Next.IsZero() {
		t.Error("the next request is the same one")
	}
	check(t, p.endAsking(ctx, now))
	check(t, p.askAnew(ctx, now))
	if _, err := p.askedBefore(ctx, row.setting()); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("came back: %v", err)
	}
}
