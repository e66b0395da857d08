package proof

import (
	"crypto/ed25519"
	"runtime"
	"slices"
	"sync"

	"communicator/wire"
)

// Message is what every signer of the statement signs: "comm/1/statement" ‖ body. The
// body names all signers, so nobody can take one away afterwards, or add one.
func (s Statement) Message() ([]byte, error) {
	if err := s.validate(); err != nil {
		return nil, err
	}
	return s.message(), nil
}

func (s Statement) message() []byte { return s.encode(wire.LabelStatement, 0) }

// Missing returns who has not signed yet.
func (s Statement) Missing() []Key {
	var missing []Key
	for i, key := range s.Keys() {
		if i >= len(s.Signatures) || s.Signatures[i] == (Signature{}) {
			missing = append(missing, key)
		}
	}
	return missing
}

// Sign adds the signatures of these keys. Errors: [ErrSigner] for a key that is not
// among [Statement.Keys], and those of the fields.
func (s *Statement) Sign(keys ...ed25519.PrivateKey) error {
	message, err := s.Message()
	if err != nil {
		return err
	}
	for _, key := range keys {
		if err := s.AddSignature(publicOf(key), Signature(ed25519.Sign(key, message))); err != nil {
			return err
		}
	}
	return nil
}

// AddSignature adds one signature, made elsewhere over [Statement.Message].
// Errors: [ErrSigner], [ErrSignature], and those of the fields.
func (s *Statement) AddSignature(key Key, signature Signature) error {
	if err := s.validate(); err != nil {
		return err
	}
	keys := s.Keys()
	if !slices.Contains(keys, key) {
		return ErrSigner
	}
	if !key.signed(s.message(), signature[:]) {
		return ErrSignature
	}
	signatures := make([]Signature, len(keys))
	copy(signatures, s.Signatures)
	for i := range keys {
		if keys[i] == key { // one key may have two parts
			signatures[i] = signature
		}
	}
	s.Signatures = signatures
	return nil
}

// Verify checks that the statement is well formed, that its attesting key or roots have
// the right under m to sign it, and every signature. What the name's history has to say
// is for [Apply]. Errors: those of [ParseStatement], [ErrSigner], [ErrExpiredKey],
// [ErrThreshold], [ErrSignature].
func (s Statement) Verify(m Manifest) error {
	if err := s.validate(); err != nil {
		return err
	}
	if s.Signers&ByAttesting != 0 {
		if err := m.attestingAt(s.Attesting, s.Issued); err != nil {
			return err
		}
	}
	if s.Signers&ByRoots != 0 {
		if err := m.hasRoots(s.Roots); err != nil {
			return err
		}
	}
	keys := s.Keys()
	if len(s.Signatures) != len(keys) {
		return ErrSignature
	}
	message := s.message()
	for i, key := range keys {
		if !key.signed(message, s.Signatures[i][:]) {
			return ErrSignature
		}
	}
	return nil
}

// SignedUnder returns the newest manifest of a chain under which the statement verifies:
// attesting keys change, and old statements stay. Errors: those of [Statement.Verify],
// under the genesis manifest.
func (s Statement) SignedUnder(c Chain) (m Manifest, err error) {
	for number := c.Current().Number; number > 0; number-- {
		if m, err = c.Manifest(number); err != nil {
			return m, err
		}
		if err = s.Verify(m); err == nil {
			return m, nil
		}
	}
	return m, err
}

// VerifyStatements verifies many statements at once, with so many goroutines (0: one
// for each processor), and returns an error or nil for each. It returns when all are
// done.
func VerifyStatements(m Manifest, workers int, statements ...Statement) []error {
	if workers <= 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	errs := make([]error, len(statements))
	var done sync.WaitGroup
	for first := range min(workers, len(statements)) {
		done.Go(func() {
			for i := first; i < len(statements); i += workers {
				errs[i] = statements[i].Verify(m)
			}
		})
	}
	done.Wait()
	return errs
}
