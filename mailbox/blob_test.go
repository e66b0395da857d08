package mailbox

import (
	"bytes"
	"context"
	"testing"
	"testing/synctest"
	"time"

	"communicator/internal/budget"
	"communicator/wire"
	"communicator/wire/mux"
	"communicator/wire/pb"
)

// blobUser is a stream of the blob protocol.
type blobUser struct {
	a *agent
	c *mux.Client
}

func (a *agent) blobs(account byte) *blobUser {
	a.t.Helper()
	u := &blobUser{a, a.dial(a.ServeBlob, "a-client")}
	h := &pb.Hello{}
	if account != 0 {
		h.Credential = credential(account)
	}
	if _, status := u.do(&pb.BlobRequest{Op: &pb.BlobRequest_Hello{Hello: h}}); status != wire.StatusOK {
		a.t.Fatalf("hello: %v", status)
	}
	return u
}

func (u *blobUser) do(req *pb.BlobRequest) (*pb.BlobResponse, wire.Status) {
	u.a.t.Helper()
	resp := &pb.BlobResponse{}
	if err := u.c.Call(context.Background(), req, resp); err != nil {
		u.a.t.Fatalf("blob: %v", err)
	}
	return resp, wire.Status(resp.Status)
}

func (u *blobUser) put(b *pb.PutBlob) wire.Status {
	u.a.t.Helper()
	_, status := u.do(&pb.BlobRequest{Op: &pb.BlobRequest_Put{Put: b}})
	return status
}

func (u *blobUser) get(id []byte) (string, wire.Status) {
	u.a.t.Helper()
	resp, status := u.do(&pb.BlobRequest{Op: &pb.BlobRequest_Get{Get: id}})
	return string(resp.Content), status
}

func (u *blobUser) delete(id, key []byte) wire.Status {
	u.a.t.Helper()
	_, status := u.do(&pb.BlobRequest{Op: &pb.BlobRequest_Delete{Delete: &pb.DeleteBlob{Id: id, DeleteKey: key}}})
	return status
}

var deleteKey = bytes.Repeat([]byte{9}, 32)

func exampleBlob(id byte) *pb.PutBlob {
	hash := wire.Hash(wire.LabelBlobDelete, deleteKey)
	return &pb.PutBlob{
		Id: bytes.Repeat([]byte{id}, 32), Content: []byte("sealed package"),
		Expires: uint64(time.Now().Add(wire.MaxBlobLife).Unix()), DeleteHash: hash[:],
	}
}

func TestBlobJourney(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAgent(t)
		b := exampleBlob(1)
		host, guest := a.blobs(1), a.blobs(0)
		if status := guest.put(b); status != wire.StatusPermission {
			t.Errorf("put without an account: %v", status)
		}
		if _, status := guest.get(b.Id); status != wire.StatusNotFound {
			t.Errorf("get before the put: %v", status)
		}
		if status := host.put(b); status != wire.StatusOK {
			t.Fatalf("put: %v", status)
		}
		before := a.events()
		if status := host.put(b); status != wire.StatusOK || a.events() != before {
			t.Errorf("put again: %v, %d events", status, a.events()-before)
		}
		other := exampleBlob(1)
		other.Content = []byte("another package")
		if status := host.put(other); status != wire.StatusConflict {
			t.Errorf("other content: %v", status)
		}
		if got, status := guest.get(b.Id); status != wire.StatusOK || got != "sealed package" {
			t.Errorf("got %q, %v", got, status)
		}
		if status := guest.delete(b.Id, make([]byte, 32)); status != wire.StatusAuth {
			t.Errorf("delete with another key: %v", status)
		}
		if status := guest.delete(b.Id, deleteKey); status != wire.StatusOK {
			t.Errorf("delete: %v", status)
		}
		if status := guest.delete(b.Id, deleteKey); status != wire.StatusNotFound {
			t.Errorf("delete again: %v", status)
		}
		if _, status := guest.get(b.Id); status != wire.StatusNotFound {
			t.Errorf("get after the delete: %v", status)
		}
		host.put(exampleBlob(2))
		time.Sleep(wire.MaxBlobLife + time.Hour) // no sweep runs here
		if _, status := guest.get(exampleBlob(2).Id); status != wire.StatusNotFound {
			t.Errorf("get after its time: %v", status)
		}
	})
}

func TestBadBlobs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAgent(t, func(c *Config) { c.Limits.BadRequests = 100 })
		u := a.blobs(1)
		for name, test := range map[string]struct {
			change func(*pb.PutBlob)
			want   wire.Status
		}{
			"short id":          {func(b *pb.PutBlob) { b.Id = b.Id[1:] }, wire.StatusMalformed},
			"short delete hash": {func(b *pb.PutBlob) { b.DeleteHash = nil }, wire.StatusMalformed},
			"no content":        {func(b *pb.PutBlob) { b.Content = nil }, wire.StatusMalformed},
			"large":             {func(b *pb.PutBlob) { b.Content = make([]byte, wire.MaxBlob+1) }, wire.StatusTooLarge},
			"largest":           {func(b *pb.PutBlob) { b.Content = make([]byte, wire.MaxBlob) }, wire.StatusOK},
			"past":              {func(b *pb.PutBlob) { b.Expires = uint64(time.Now().Unix()) }, wire.StatusExpired},
			"too far":           {func(b *pb.PutBlob) { b.Expires++ }, wire.StatusMalformed},
			"out of range":      {func(b *pb.PutBlob) { b.Expires = 1 << 63 }, wire.StatusMalformed},
		} {
			b := exampleBlob(1)
			test.change(b)
			if status := u.put(b); status != test.want {
				t.Errorf("%s: %v, want %v", name, status, test.want)
			}
		}
		if _, status := u.get([]byte("short")); status != wire.StatusMalformed {
			t.Errorf("get with a short id: %v", status)
		}
		if status := u.delete(exampleBlob(1).Id, nil); status != wire.StatusMalformed {
			t.Errorf("delete without a key: %v", status)
		}
		if _, status := u.do(&pb.BlobRequest{}); status != wire.StatusUnsupported {
			t.Errorf("an empty request: %v", status)
		}
	})
}

func TestBlobsAreBoundedAndExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAgent(t, func(c *Config) {
			c.Limits.Blobs = 2
			c.Limits.BlobPuts = budget.Rate{Burst: 4, PerHour: 60}
		})
		defer a.run()()
		u := a.blobs(1)
		for id := range byte(2) {
			if status := u.put(exampleBlob(id)); status != wire.StatusOK {
				t.Fatalf("put %d: %v", id, status)
			}
		}
		if status := u.put(exampleBlob(2)); status != wire.StatusTryAgain {
			t.Errorf("one too many: %v", status)
		}
		u.put(exampleBlob(2))
		if status := u.put(exampleBlob(0)); status != wire.StatusTryAgain {
			t.Errorf("over the account's rate: %v", status)
		}
		time.Sleep(wire.MaxBlobLife - time.Minute)
		if _, status := u.get(exampleBlob(0).Id); status != wire.StatusOK {
			t.Errorf("before it expires: %v", status)
		}
		time.Sleep(2 * time.Hour)
		if _, status := u.get(exampleBlob(0).Id); status != wire.StatusNotFound {
			t.Errorf("after it expired: %v", status)
		}
		if status := u.put(exampleBlob(2)); status != wire.StatusOK {
			t.Errorf("when there is room again: %v", status)
		}
	})
}
