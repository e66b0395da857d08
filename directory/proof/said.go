package proof

import (
	"bytes"
	"fmt"
	"slices"

	"communicator/wire"
)

// MarshalSaid encodes what one key has said outside of the log, its vetoes and its
// revocation, as a record of the overlay carries it:
//
//	u8 count (1 to 8) ‖ count × (u16 length ≤ 1,024 ‖ statement with its signatures)
//
// All are by one key, and in ascending order of their hashes. Errors: wire.ErrMalformed,
// wire.ErrTooLarge for more than [MaxSaid], and those of [Statement.Marshal].
func MarshalSaid(list []Statement) ([]byte, error) {
	if len(list) > MaxSaid {
		return nil, wire.ErrTooLarge
	}
	list = slices.Clone(list)
	slices.SortFunc(list, compareStatements)
	if err := validateSaid(list); err != nil {
		return nil, err
	}
	var w writer
	w.u8(uint8(len(list)))
	for _, s := range list {
		raw, err := s.Marshal()
		if err != nil {
			return nil, err
		}
		w.var16(raw)
	}
	return w.b, nil
}

// ParseSaid decodes it; [Statement.Verify] checks the signatures.
// Errors: wire.ErrMalformed, wire.ErrTooLarge, and those of [ParseStatement].
func ParseSaid(b []byte) ([]Statement, error) {
	r := reader{s: b}
	var list []Statement
	for range r.count(MaxSaid) {
		raw := r.var16(MaxStatement)
		if r.err != nil {
			break
		}
		s, err := ParseStatement(raw)
		if err != nil {
			return nil, err
		}
		list = append(list, s)
	}
	if err := r.end(); err != nil {
		return nil, err
	}
	return list, validateSaid(list)
}

func validateSaid(list []Statement) error {
	if len(list) == 0 {
		return fmt.Errorf("%w: nothing is said", wire.ErrMalformed)
	}
	for i, s := range list {
		if s.Kind != Veto && s.Kind != Revoke || s.Key != list[0].Key {
			return fmt.Errorf("%w: not of one key, outside of the log", wire.ErrMalformed)
		}
		if i > 0 && compareStatements(list[i-1], s) >= 0 {
			return fmt.Errorf("%w: order", wire.ErrMalformed)
		}
	}
	return nil
}

func compareStatements(a, b Statement) int {
	x, y := a.Hash(), b.Hash()
	return bytes.Compare(x[:], y[:])
}
