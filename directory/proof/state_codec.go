package proof

import (
	"fmt"
	"time"

	"communicator/wire"
)

// stateRoom fits a state without open steps.
const stateRoom = 384

// Bits of a stored holder and step.
const (
	flagRevoked = 1
	flagHeld    = 1
)

// Marshal encodes the state, for a table that is rebuilt from statements:
//
//	"comm/1/name-state" ‖ u8 version (1) ‖ namespace 32 ‖ u8 length ≤ 63 ‖ name ‖
//	u32 version of the name ‖ head 32 ‖ u64 issued ‖ u64 dispute, 0 if none ‖ holder ‖
//	u8 count ≤ 4 ‖ count × (holder ‖ u8 flags (bit 0 held) ‖ u64 settles)
//	holder = u8 kind ‖ identity 32 ‖ key 32 ‖ revocation 32 ‖ u8 flags (bit 0 revoked) ‖
//	         delegate 32 ‖ u32 version ‖ statement 32 ‖ u64 since
//
// Times are cut to whole seconds; give [Apply] whole seconds if that matters.
func (st NameState) Marshal() []byte {
	w := writer{make([]byte, 0, stateRoom)}
	w.raw([]byte(wire.LabelNameState))
	w.u8(layoutVersion)
	w.raw(st.NS[:])
	w.var8([]byte(st.Name))
	w.u32(st.Version)
	w.raw(st.Head[:])
	w.optionalTime(st.Issued)
	w.optionalTime(st.Dispute)
	w.holder(st.Base)
	w.u8(uint8(len(st.Open)))
	for _, step := range st.Open {
		w.holder(step.Holder)
		w.flag(step.Held, flagHeld)
		w.optionalTime(step.Settles)
	}
	return w.b
}

// ParseNameState decodes what [NameState.Marshal] encoded.
func ParseNameState(b []byte) (NameState, error) {
	r := reader{s: b}
	r.magic(wire.LabelNameState)
	r.version()
	st := NameState{NS: r.hash(), Name: Name(r.var8(MaxName)), Version: r.u32(), Head: r.hash(),
		Issued: r.optionalTime(), Dispute: r.optionalTime(), Base: r.holder()}
	for range r.count(MaxOpenSteps) {
		st.Open = append(st.Open, Step{Holder: r.holder(), Held: r.flag(flagHeld), Settles: r.optionalTime()})
	}
	if err := r.end(); err != nil {
		return NameState{}, err
	}
	if !st.Name.canonical() {
		return NameState{}, ErrName
	}
	return st, nil
}

func (w *writer) holder(h Holder) {
	w.u8(uint8(h.Kind))
	w.raw(h.Identity[:])
	w.raw(h.Key[:])
	w.raw(h.Revocation[:])
	w.flag(h.Revoked, flagRevoked)
	w.raw(h.Delegate[:])
	w.u32(h.Version)
	w.raw(h.Statement[:])
	w.optionalTime(h.Since)
}

func (r *reader) holder() Holder {
	h := Holder{Kind: HolderKind(r.u8()), Identity: r.hash(), Key: r.hash(), Revocation: r.hash(),
		Revoked: r.flag(flagRevoked), Delegate: r.hash(), Version: r.u32(), Statement: r.hash(), Since: r.optionalTime()}
	if h.Kind > Namespace {
		r.fail(fmt.Errorf("%w: holder", wire.ErrVersion))
	}
	return h
}

func (w *writer) flag(set bool, bit uint8) {
	if !set {
		bit = 0
	}
	w.u8(bit)
}

func (r *reader) flag(bit uint8) bool {
	v := r.u8()
	if v&^bit != 0 {
		r.fail(fmt.Errorf("%w: flags", wire.ErrVersion))
	}
	return v == bit
}

// optionalTime writes the zero time as 0.
func (w *writer) optionalTime(t time.Time) {
	if t.IsZero() {
		w.u64(0)
		return
	}
	w.time(t)
}

func (r *reader) optionalTime() time.Time {
	t := r.time()
	if t.Unix() == 0 {
		return time.Time{}
	}
	return t
}
