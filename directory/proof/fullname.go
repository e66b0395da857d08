package proof

import "strings"

// FullName is a name with the way to it: alice@sales@example is alice in the namespace
// to which sales is delegated in the namespace called example.
type FullName struct {
	Labels []Name // alice, sales: the last is looked up first; at most 5
	NS     string // example: a person's own name for a namespace, or ns1…
}

// ParseFullName splits at each "@". The last part is kept as it is; the others are
// names. Errors: [ErrName].
func ParseFullName(s string) (FullName, error) {
	parts := strings.SplitN(s, "@", MaxDelegations+3)
	if len(parts) < 2 || len(parts) > MaxDelegations+2 {
		return FullName{}, ErrName
	}
	last := len(parts) - 1
	full := FullName{NS: parts[last]}
	if _, err := ParseNSID(full.NS); err != nil {
		petname, err := ParseName(full.NS)
		if err != nil || len(petname) > MaxPetname {
			return FullName{}, ErrName
		}
		full.NS = string(petname)
	}
	for _, part := range parts[:last] {
		name, err := ParseName(part)
		if err != nil {
			return FullName{}, err
		}
		full.Labels = append(full.Labels, name)
	}
	return full, nil
}

// String is what [ParseFullName] reads.
func (f FullName) String() string {
	var b strings.Builder
	for _, label := range f.Labels {
		b.WriteString(string(label))
		b.WriteByte('@')
	}
	return b.String() + f.NS
}

// Delegation finds to which namespace a name is delegated. It returns an error if the
// name is not delegated, cannot be found, or was not proved.
type Delegation func(ns NSID, name Name) (NSID, error)

// Resolve follows the delegations of a full name from right to left, beginning in the
// namespace for which f.NS stands, and returns the namespace and the name in it that
// is to be looked up. A namespace that comes twice is refused with [ErrName].
func (f FullName) Resolve(ns NSID, delegation Delegation) (NSID, Name, error) {
	if len(f.Labels) == 0 || len(f.Labels) > MaxDelegations+1 {
		return NSID{}, "", ErrName
	}
	seen := map[NSID]bool{ns: true}
	for i := len(f.Labels) - 1; i > 0; i-- {
		next, err := delegation(ns, f.Labels[i])
		if err != nil {
			return NSID{}, "", err
		}
		if seen[next] {
			return NSID{}, "", ErrName
		}
		seen[next], ns = true, next
	}
	return ns, f.Labels[0], nil
}
