package mailbox

import (
	"encoding/binary"

	"communicator/eventlog"
	"communicator/mailbox/admit"
	"communicator/wire"
)

// blobTable holds the blobs and their number.
type blobTable struct{}

func (blobTable) Name() string { return "blobs" }
func (blobTable) ID() byte     { return wire.TableBlob }

// Apply implements [eventlog.Projection].
func (t blobTable) Apply(w eventlog.Writer, r eventlog.Record, _ []byte) error {
	f, err := fact(r)
	if err != nil {
		return err
	}
	switch f := f.(type) {
	case admit.BlobPut:
		return t.put(w, r, f)
	case admit.BlobDeleted:
		return t.erase(w, r, f.ID)
	case admit.BlobExpired:
		return t.erase(w, r, f.ID)
	}
	return nil
}

func (blobTable) put(w eventlog.Writer, r eventlog.Record, f admit.BlobPut) error {
	if b, err := loadBlob(w, f.ID); err != nil || b != nil {
		if err == nil {
			err = errInvariant(r, "put a blob whose id is taken")
		}
		return err
	}
	b := admit.Blob{
		Position: r.Seq, Size: r.BodyLen, Expires: f.Expires,
		DeleteHash: f.DeleteHash, Content: f.Content,
	}
	if err := w.Set(blobKey(f.ID), b.Marshal()); err != nil {
		return err
	}
	return addBlobs(w, 1)
}

func (blobTable) erase(w eventlog.Writer, r eventlog.Record, id admit.BlobID) error {
	b, err := loadBlob(w, id)
	if err != nil {
		return err
	}
	if b == nil {
		return errInvariant(r, "erased a blob that is not there")
	}
	if err := w.Delete(blobKey(id)); err != nil {
		return err
	}
	if err := w.EraseBody(b.Position); err != nil {
		return err
	}
	return addBlobs(w, ^uint64(0))
}

// addBlobs changes the count; the largest number takes one away.
func addBlobs(w eventlog.Writer, n uint64) error {
	count, err := countBlobs(w)
	if err != nil {
		return err
	}
	return w.Set([]byte{rowBlobs}, binary.BigEndian.AppendUint64(nil, count+n))
}
