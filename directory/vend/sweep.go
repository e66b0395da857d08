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
func someStocked(r Reader, n NameID, generation uint32, now Hour, max int) (found []stocked, err error) {
	prefix := stockPrefix(n, generation)
	start := append(prefix[:len(prefix):len(prefix)], be32(uint32(now+minLeft))...)
	err = r.Scan(prefix, start, func(k, _ []byte) bool {
		if len(found) == max || len(k) != len(prefix)+12 {
			return false
		}
		found = append(found, stocked{Hour(binary.BigEndian.Uint32(k[len(prefix):])), positionOf(k)})
		return true
	})
	return found, err
}
