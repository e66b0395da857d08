package vend

import "bytes"

// forgotten drops the oldest of what is over, of each kind up to a number.
func forgotten(w Writer, f Forgotten) error {
	for _, do := range []struct {
		kind byte
		drop func(w Writer, k, v []byte) error
	}{
		{rowPackage, dropPackage},
		{rowForget, dropRequest},
		{rowExpiry, dropExpired},
	} {
		keys, values, err := before(w, do.kind, f)
		if err != nil {
			return err
		}
		for i, k := range keys {
			if err := do.drop(w, k, values[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

// before lists the oldest rows of a kind, which are copied since they are to be changed.
func before(w Writer, kind byte, f Forgotten) (keys, values [][]byte, err error) {
	err = w.Scan([]byte{kind}, nil, func(k, v []byte) bool {
		if keyHour(k) >= f.Before || len(keys) >= int(f.Limit) {
			return false
		}
		keys, values = append(keys, bytes.Clone(k)), append(values, bytes.Clone(v))
		return true
	})
	return keys, values, err
}

// dropPackage erases a package that has expired, vended or not.
func dropPackage(w Writer, k, v []byte) error {
	p, err := parsePackage(v)
	if err != nil {
		return err
	}
	expires, position := keyHour(k), positionOf(k)
	stock := stockKey(p.name, p.generation, expires, position)
	row, err := w.Get(stock)
	if err != nil {
		return err
	}
	err = change(w, p.name, func(n *Name) error {
		if row != nil && p.generation == n.Generation {
			n.Stock--
		}
		if n.LastResort == position {
			n.LastResort, n.LastResortExpires = 0, 0
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := w.EraseBody(position); err != nil {
		return err
	}
	return remove(w, k, stock, key(rowKnown, p.name[:], p.digest[:]))
}

// dropRequest forgets a request; one that still waited is over.
func dropRequest(w Writer, k, _ []byte) error {
	name, d := NameID(k[5:21]), Digest(k[21:])
	r, err := loadRequest(w, name, d)
	if err != nil {
		return err
	}
	if r == nil {
		return broken("a request to be forgotten that is not known")
	}
	if r.state == stateWaiting {
		if err := change(w, name, func(n *Name) error { return leave(w, name, d, n, *r) }); err != nil {
			return err
		}
	}
	return remove(w, k, requestKey(name, d))
}

func dropExpired(w Writer, k, _ []byte) error {
	return dropToken(w, TokenKind(k[5]), Scope(k[6:22]), Digest(k[22:]))
}
