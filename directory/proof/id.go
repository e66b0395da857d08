package proof

// IDOf returns the id of the namespace that a first manifest begins, for files that do
// not say which it is. Errors: those of [ParseManifest], [ErrManifest] for a later one.
func IDOf(first []byte) (NSID, error) {
	m, err := ParseManifest(first)
	if err != nil {
		return NSID{}, err
	}
	if m.Number != 1 {
		return NSID{}, ErrManifest
	}
	return m.nsid(), nil
}
