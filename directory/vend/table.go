package vend

import (
	"errors"
	"fmt"
	"time"

	"communicator/wire"
)

// ErrInvariant: a fact contradicts the rows. Steps exclude it.
var ErrInvariant = errors.New("vend: a fact contradicts the rows")

func broken(what string) error { return fmt.Errorf("%w: %s", ErrInvariant, what) }

// Apply folds a fact into the rows: a function of both, of the fact's position and of
// the time that the log gave it.
func Apply(w Writer, position uint64, at time.Time, f Fact) error {
	switch f := f.(type) {
	case SpaceSet:
		return w.Set(key(rowSpace, f.ID[:]), f.Space.Marshal())
	case RuleSet:
		return change(w, f.Name, func(n *Name) error { n.Policy = f.Policy; return nil })
	case StockVoided:
		era, err := loadEra(w)
		if err != nil {
			return err
		}
		return change(w, f.Name, func(n *Name) error {
			*n = Name{Identity: f.Identity, Era: era, Generation: n.Generation + 1, Waiting: n.Waiting, Window: n.Window, Used: n.Used}
			return nil
		})
	case PackageAdded:
		return added(w, position, f)
	case PackageVended:
		return vend(w, HourAt(at), f)
	case ContactAsked:
		return contactAsked(w, position, HourAt(at), f)
	case ContactDeclined:
		return declined(w, f)
	case TokensIssued:
		return issued(w, f)
	case TokensRevoked:
		for _, d := range f.Digests {
			if err := dropToken(w, f.Token, f.Scope, d); err != nil {
				return err
			}
		}
		return nil
	case TokenSpent:
		return dropToken(w, f.Token, f.Scope, f.Digest)
	case Forgotten:
		return forgotten(w, f)
	case EraBegun:
		return w.Set([]byte{rowEra}, be32(f.Era))
	}
	return fmt.Errorf("vend: %T: %w", f, wire.ErrVersion)
}

// change rewrites a name's row, making it if there is none.
func change(w Writer, id NameID, do func(*Name) error) error {
	n, err := loadName(w, id)
	if err != nil {
		return err
	}
	if n == nil {
		n = new(Name)
	}
	if err := do(n); err != nil {
		return err
	}
	return w.Set(key(rowName, id[:]), n.Marshal())
}

func set(w Writer, keys ...[]byte) error {
	for _, k := range keys {
		if err := w.Set(k, []byte{}); err != nil {
			return err
		}
	}
	return nil
}

func remove(w Writer, keys ...[]byte) error {
	for _, k := range keys {
		if err := w.Delete(k); err != nil {
			return err
		}
	}
	return nil
}

func added(w Writer, position uint64, f PackageAdded) error {
	return change(w, f.Name, func(n *Name) error {
		row := packageRow{kind: f.Package, generation: n.Generation, name: f.Name, digest: f.Digest}
		if err := w.Set(packageKey(f.Expires, position), row.marshal()); err != nil {
			return err
		}
		n.Drained, n.Shared = 0, 0
		if f.Package == LastResort {
			n.LastResort, n.LastResortExpires = position, f.Expires
			return set(w, key(rowKnown, f.Name[:], f.Digest[:]))
		}
		n.Stock++
		if at := (stocked{f.Expires, position}); at.before(n.from) {
			n.from = at
		}
		return set(w, key(rowKnown, f.Name[:], f.Digest[:]), stockKey(f.Name, n.Generation, f.Expires, position))
	})
}

// vend takes a package out of stock, if it was a one-time one, for a request that is new
// or waited.
func vend(w Writer, now Hour, f PackageVended) error {
	return change(w, f.Name, func(n *Name) error {
		earlier, err := loadRequest(w, f.Name, f.Request)
		if err != nil {
			return err
		}
		switch {
		case earlier == nil:
			count(n, now)
		case earlier.state != stateWaiting:
			return broken("a second package for one request")
		default:
			if err := leave(w, f.Name, f.Request, n, *earlier); err != nil {
				return err
			}
		}
		if err := take(w, now, n, f); err != nil {
			return err
		}
		if f.Token != (Digest{}) {
			if err := dropToken(w, Contact, f.Scope, f.Token); err != nil {
				return err
			}
		}
		return remember(w, f.Name, f.Request, requestRow{stateVended, n.Generation, f.Position, f.Expires})
	})
}

// take checks that the package is there to be vended.
func take(w Writer, now Hour, n *Name, f PackageVended) error {
	if f.Package == LastResort {
		if n.LastResort != f.Position {
			return broken("a last-resort package that is not the name's")
		}
		if n.Drained == 0 {
			n.Drained = now
		}
		n.Shared++
		return nil
	}
	k := stockKey(f.Name, n.Generation, f.Expires, f.Position)
	row, err := w.Get(k)
	if err != nil {
		return err
	}
	if row == nil || n.Stock == 0 {
		return broken("a package vended twice")
	}
	n.Stock--
	n.from = stocked{f.Expires, f.Position}
	return w.Delete(k)
}

// count uses up one of the hour's number.
func count(n *Name, now Hour) {
	if n.Window != now {
		n.Window, n.Used = now, 0
	}
	n.Used++
}

func remember(w Writer, name NameID, d Digest, r requestRow) error {
	if err := w.Set(requestKey(name, d), r.marshal()); err != nil {
		return err
	}
	return set(w, forgetKey(r.forget, name, d))
}

// leave takes a request that waits out of the owner's list, and erases its note.
func leave(w Writer, name NameID, d Digest, n *Name, r requestRow) error {
	if n.Waiting == 0 {
		return broken("a request waits that is not counted")
	}
	n.Waiting--
	if err := w.EraseBody(r.position); err != nil {
		return err
	}
	return remove(w, waitingKey(name, r.position), forgetKey(r.forget, name, d))
}

func contactAsked(w Writer, position uint64, now Hour, f ContactAsked) error {
	return change(w, f.Name, func(n *Name) error {
		count(n, now)
		n.Waiting++
		if err := w.Set(waitingKey(f.Name, position), f.Request[:]); err != nil {
			return err
		}
		return remember(w, f.Name, f.Request, requestRow{stateWaiting, n.Generation, position, f.Forget})
	})
}

func declined(w Writer, f ContactDeclined) error {
	return change(w, f.Name, func(n *Name) error {
		r, err := loadRequest(w, f.Name, f.Request)
		if err != nil {
			return err
		}
		if r == nil || r.state != stateWaiting {
			return broken("a request declined that did not wait")
		}
		if err := leave(w, f.Name, f.Request, n, *r); err != nil {
			return err
		}
		return remember(w, f.Name, f.Request, requestRow{stateDeclined, r.generation, 0, r.forget})
	})
}

func issued(w Writer, f TokensIssued) error {
	for _, d := range f.Digests {
		if err := w.Set(tokenKey(f.Token, f.Scope, d), be32(uint32(f.Expires))); err != nil {
			return err
		}
		if err := set(w, expiryKey(f.Expires, f.Token, f.Scope, d)); err != nil {
			return err
		}
	}
	return addCount(w, countKey(f.Token, f.Scope), uint32(len(f.Digests)))
}

func dropToken(w Writer, k TokenKind, s Scope, d Digest) error {
	at := tokenKey(k, s, d)
	expires, err := getCount(w, at)
	if err != nil {
		return err
	}
	if expires == 0 {
		return broken("a token dropped that is not valid")
	}
	if err := remove(w, at, expiryKey(Hour(expires), k, s, d)); err != nil {
		return err
	}
	return addCount(w, countKey(k, s), ^uint32(0))
}

// addCount changes a counter, whose row goes at 0; the largest number takes one away.
func addCount(w Writer, k []byte, by uint32) error {
	n, err := getCount(w, k)
	if err != nil {
		return err
	}
	if n += by; n == 0 {
		return w.Delete(k)
	}
	return w.Set(k, be32(n))
}
