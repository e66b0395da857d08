package proof

import (
	"communicator/wire"

	"golang.org/x/mod/sumdb/tlog"
)

// Staple is a statement together with what proves it, offline: one QR code.
//
//	"comm/1/staple" ‖ u8 version (1) ‖ u32 manifest number ‖ manifest hash 32 ‖
//	u16 length ≤ 1,024 ‖ statement ‖ u8 length (0 or 129) ‖ identity document ‖
//	opening 32 ‖ u64 index ‖ u8 count ≤ 40 ‖ count × hash 32 ‖
//	u16 length ≤ 1,152 ‖ checkpoint
type Staple struct {
	Statement  []byte           // as signed
	IdDoc      []byte           // the identity document, or nothing if the statement has none
	Opening    Opening          // of the log entry's commitment
	Index      int64            // of the log entry
	Inclusion  tlog.RecordProof // that it is in the checkpoint's tree
	Checkpoint []byte           // signed note with cosignatures
	Manifest   uint32           // number of the manifest that was in force when the staple was made
	ManifestID Hash             // [Manifest.Hash] of it
}

// Marshal encodes the staple. Errors: wire.ErrTooLarge over [MaxStaple] bytes,
// wire.ErrMalformed.
func (st Staple) Marshal() ([]byte, error) {
	if len(st.Inclusion) > MaxProof || len(st.Statement) > MaxStatement || len(st.Checkpoint) > MaxCheckpoint {
		return nil, wire.ErrTooLarge
	}
	if len(st.IdDoc) != 0 && len(st.IdDoc) != MaxIdentity || st.Index < 0 {
		return nil, wire.ErrMalformed
	}
	w := writer{make([]byte, 0, MaxStaple)}
	w.raw([]byte(wire.LabelStaple))
	w.u8(layoutVersion)
	w.u32(st.Manifest)
	w.raw(st.ManifestID[:])
	w.var16(st.Statement)
	w.var8(st.IdDoc)
	w.raw(st.Opening[:])
	w.u64(uint64(st.Index))
	w.hashes(st.Inclusion)
	w.var16(st.Checkpoint)
	if len(w.b) > MaxStaple {
		return nil, wire.ErrTooLarge
	}
	return w.b, nil
}

// ParseStaple decodes a staple; [VerifyStaple] says what it is worth.
// Errors: wire.ErrMalformed, wire.ErrTooLarge, wire.ErrVersion.
func ParseStaple(b []byte) (Staple, error) {
	if len(b) > MaxStaple {
		return Staple{}, wire.ErrTooLarge
	}
	r := reader{s: b}
	r.magic(wire.LabelStaple)
	r.version()
	st := Staple{Manifest: r.u32(), ManifestID: r.hash(), Statement: r.var16(MaxStatement), IdDoc: r.var8(MaxIdentity),
		Opening: r.hash(), Index: int64(r.u64()), Inclusion: r.hashes(MaxProof), Checkpoint: r.var16(MaxCheckpoint)}
	if len(st.IdDoc) != 0 && len(st.IdDoc) != MaxIdentity || st.Index < 0 {
		r.fail(wire.ErrMalformed)
	}
	if err := r.end(); err != nil {
		return Staple{}, err
	}
	return st, nil
}

// hashes writes a count and a proof's hashes.
func (w *writer) hashes(hashes []tlog.Hash) {
	w.u8(uint8(len(hashes)))
	for _, h := range hashes {
		w.raw(h[:])
	}
}

func (r *reader) hashes(limit int) []tlog.Hash {
	var hashes []tlog.Hash
	for range r.count(limit) {
		hashes = append(hashes, r.hash())
	}
	return hashes
}
