package vend

import "encoding/binary"

// Sweep drops what has expired: packages, requests, tokens.
type Sweep struct{}

func (Sweep) step(s *step) error {
	due := 0
	for _, kind := range []byte{rowPackage, rowForget, rowExpiry} {
		n := 0
		err := s.rows.Scan([]byte{kind}, nil, func(k, _ []byte) bool {
			if keyHour(k) > s.hour {
				return false
			}
			n++
			return n <= forgetRows
		})
		if err != nil {
			return err
		}
		due += n
		s.out.More = s.out.More || n > forgetRows
	}
	if due > 0 {
		s.fact(Forgotten{Before: s.hour + 1, Limit: forgetRows})
	}
	return nil
}

// positionOf reads the position that keys of the kinds 'w' and 'x' end with.
func positionOf(k []byte) uint64 { return binary.BigEndian.Uint64(k[len(k)-8:]) }

// someStocked lists up to max one-time packages that may be vended, those that expire
// first in front.
func someStocked(r Reader, id NameID, n Name, now Hour, max int) (found []stocked, err error) {
	if max <= 0 {
		return nil, nil
	}
	err = scanStocked(r, id, n, now, func(s stocked) bool {
		found = append(found, s)
		return len(found) < max
	})
	return found, err
}
