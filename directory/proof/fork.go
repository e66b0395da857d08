package proof

import (
	"bytes"
	"slices"

	"communicator/wire"

	"golang.org/x/mod/sumdb/tlog"
)

// Fork shows that a log has two faces: two checkpoints that its key signed and that no
// one log can have. It is one file that anyone can check.
//
//	"comm/1/fork" ‖ u8 version (1) ‖ namespace 32 ‖
//	u16 length ≤ 1,152 ‖ checkpoint A ‖ u16 length ≤ 1,152 ‖ checkpoint B ‖
//	prefix 32 ‖ u8 count ≤ 81 ‖ count × hash 32 ‖
//	u8 count ≤ 32 ‖ count × (u16 length ≤ 16,384 ‖ manifest)
//
// The checkpoints have the log's signature line alone, A is not the larger one. Of equal
// sizes the heads differ, A's being the lower; there is no proof and the prefix is
// zeros. Otherwise the hashes are an RFC 6962 consistency proof from A's size to B:
// they show that B's tree began with the head called prefix, and that is not A's.
type Fork struct {
	NS        NSID
	A, B      []byte
	Prefix    tlog.Hash
	Proof     tlog.TreeProof
	Manifests []SignedManifest // the namespace's, from the first; or none
}

// ForkFound is what a valid fork proof shows.
type ForkFound struct {
	A, B Checkpoint
	// Current is whether both are signed by the log's key in force. If they are not, the
	// key was replaced since, and may have been stolen after that: warn, do not freeze.
	Current bool
}

// NewFork makes a fork proof of two checkpoints that contradict each other. Of equal
// sizes, prefix and proof are not looked at. Otherwise prefix is the head that B's log
// says it had at A's size, and proof its consistency proof from there. All manifests of
// the chain go into it as long as they fit. Errors: those of [Fork.Verify].
func NewFork(c Chain, a, b []byte, prefix tlog.Hash, proof tlog.TreeProof) (Fork, error) {
	f := Fork{NS: c.NSID(), A: logLineAlone(a), B: logLineAlone(b), Prefix: prefix, Proof: slices.Clone(proof)}
	ca, _, err := c.anyLogCheckpoint(f.A)
	if err != nil {
		return Fork{}, err
	}
	cb, _, err := c.anyLogCheckpoint(f.B)
	if err != nil {
		return Fork{}, err
	}
	if ca.Size > cb.Size || ca.Size == cb.Size && bytes.Compare(ca.Root[:], cb.Root[:]) > 0 {
		f.A, f.B = f.B, f.A
	}
	if ca.Size == cb.Size {
		f.Prefix, f.Proof = tlog.Hash{}, nil
	}
	if _, err := f.Verify(c); err != nil {
		return Fork{}, err
	}
	f.Manifests = c.Signed()
	if b, err := f.Marshal(); err != nil || len(b) > MaxFork {
		f.Manifests = nil
	}
	return f, nil
}

// Verify checks the proof with manifests that the caller has.
// Errors: [ErrNamespace], [ErrNoFork], and those of [OpenCheckpoint].
func (f Fork) Verify(c Chain) (ForkFound, error) {
	if c.NSID() != f.NS || len(c.manifests) == 0 {
		return ForkFound{}, ErrNamespace
	}
	a, aCurrent, err := c.anyLogCheckpoint(f.A)
	if err != nil {
		return ForkFound{}, err
	}
	b, bCurrent, err := c.anyLogCheckpoint(f.B)
	if err != nil {
		return ForkFound{}, err
	}
	found := ForkFound{A: a, B: b, Current: aCurrent && bCurrent}
	switch {
	case a.Size > b.Size || len(f.Proof) > MaxTreeProof:
		return ForkFound{}, ErrNoFork
	case a.Size == b.Size:
		if bytes.Compare(a.Root[:], b.Root[:]) >= 0 || f.Prefix != (tlog.Hash{}) || len(f.Proof) != 0 {
			return ForkFound{}, ErrNoFork
		}
		return found, nil
	case a.Size == 0 || f.Prefix == a.Root:
		return ForkFound{}, ErrNoFork
	case tlog.CheckTree(f.Proof, b.Size, b.Root, a.Size, f.Prefix) != nil:
		return ForkFound{}, ErrNoFork
	}
	return found, nil
}

// VerifyAlone checks the proof from its bytes alone, with the manifests inside it.
// Errors: those of [VerifyChain] and [Fork.Verify].
func (f Fork) VerifyAlone() (ForkFound, error) {
	manifests := make([][]byte, len(f.Manifests))
	for i, m := range f.Manifests {
		manifests[i] = m
	}
	c, err := VerifyChain(f.NS, manifests...)
	if err != nil {
		return ForkFound{}, err
	}
	return f.Verify(c)
}

// anyLogCheckpoint opens a checkpoint that has the log's line alone, under the newest
// manifest whose log key has signed it. Current is whether that key is in force.
func (c Chain) anyLogCheckpoint(signed []byte) (cp Checkpoint, current bool, err error) {
	err = ErrManifest
	for i := len(c.manifests) - 1; i >= 0; i-- {
		if i < len(c.manifests)-1 && c.manifests[i].Log == c.manifests[i+1].Log {
			continue
		}
		m := Manifest{Log: c.manifests[i].Log}
		if cp, err = OpenCheckpoint(signed, c.ns, m); err == nil {
			return cp, m.Log == c.Current().Log, nil
		}
	}
	return Checkpoint{}, false, err
}

// logLineAlone cuts cosignatures off: they do not matter here.
func logLineAlone(signed []byte) []byte {
	at := bytes.Index(signed, []byte("\n\n"))
	if at < 0 {
		return signed
	}
	end := bytes.IndexByte(signed[at+2:], '\n')
	if end < 0 {
		return signed
	}
	return slices.Clone(signed[:at+2+end+1])
}

// Marshal encodes the proof. Errors: wire.ErrTooLarge.
func (f Fork) Marshal() ([]byte, error) {
	if len(f.A) > MaxCheckpoint || len(f.B) > MaxCheckpoint || len(f.Proof) > MaxTreeProof || len(f.Manifests) > MaxForkManifests {
		return nil, wire.ErrTooLarge
	}
	var w writer
	w.raw([]byte(wire.LabelFork))
	w.u8(layoutVersion)
	w.raw(f.NS[:])
	w.var16(f.A)
	w.var16(f.B)
	w.raw(f.Prefix[:])
	w.hashes(f.Proof)
	w.u8(uint8(len(f.Manifests)))
	for _, m := range f.Manifests {
		if len(m) > MaxManifest {
			return nil, wire.ErrTooLarge
		}
		w.var16(m)
	}
	if len(w.b) > MaxFork {
		return nil, wire.ErrTooLarge
	}
	return w.b, nil
}

// ParseFork decodes a proof; [Fork.Verify] says whether it is one.
// Errors: wire.ErrMalformed, wire.ErrTooLarge, wire.ErrVersion.
func ParseFork(b []byte) (Fork, error) {
	if len(b) > MaxFork {
		return Fork{}, wire.ErrTooLarge
	}
	r := reader{s: b}
	r.magic(wire.LabelFork)
	r.version()
	f := Fork{NS: r.hash(), A: r.var16(MaxCheckpoint), B: r.var16(MaxCheckpoint), Prefix: r.hash(), Proof: r.hashes(MaxTreeProof)}
	for range r.count(MaxForkManifests) {
		f.Manifests = append(f.Manifests, r.var16(MaxManifest))
	}
	if err := r.end(); err != nil {
		return Fork{}, err
	}
	return f, nil
}
