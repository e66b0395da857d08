package lookup

import (
	"fmt"
	"time"

	"communicator/directory/proof"
	"communicator/wire"

	"golang.org/x/crypto/cryptobyte"
)

// labelFile begins a file that proves a name, for [VerifyFile]:
//
//	"comm/1/attestation-file" ‖ u8 version (1) ‖ u8 count 1–5 ‖ count × step
//	step: namespace 32 ‖ u16 count × (u16 length ‖ manifest) ‖
//	      u8 length ‖ name ‖ u16 length ‖ staple
//
// The steps go from the namespace that the reader must know to the name itself: every
// one but the last attests the delegation to the namespace of the next.
const labelFile wire.Label = "comm/1/attestation-file"

const fileVersion = 1

// step is one name on the way.
type step struct {
	chain  proof.Chain
	name   proof.Name
	staple []byte
}

func marshalFile(full proof.FullName, path []step) ([]byte, error) {
	if len(path) != len(full.Labels) {
		return nil, wire.ErrMalformed
	}
	var b cryptobyte.Builder
	b.AddBytes([]byte(labelFile))
	b.AddUint8(fileVersion)
	b.AddUint8(uint8(len(path)))
	for _, s := range path {
		ns := s.chain.NSID()
		b.AddBytes(ns[:])
		manifests := s.chain.Signed()
		b.AddUint16(uint16(len(manifests)))
		for _, m := range manifests {
			b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes(m) })
		}
		b.AddUint8LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes([]byte(s.name)) })
		b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes(s.staple) })
	}
	out, err := b.Bytes()
	if err == nil && len(out) > maxProofFile {
		err = wire.ErrTooLarge
	}
	return out, err
}

func parseFile(b []byte) ([]step, error) {
	if len(b) > maxProofFile {
		return nil, wire.ErrTooLarge
	}
	s := cryptobyte.String(b)
	var label []byte
	var version, count uint8
	if !s.ReadBytes(&label, len(labelFile)) || string(label) != string(labelFile) ||
		!s.ReadUint8(&version) || version != fileVersion ||
		!s.ReadUint8(&count) || count == 0 || count > proof.MaxDelegations+1 {
		return nil, fmt.Errorf("not a file with an attestation: %w", wire.ErrMalformed)
	}
	path := make([]step, 0, count)
	for range count {
		one, err := parseStep(&s)
		if err != nil {
			return nil, err
		}
		path = append(path, one)
	}
	if !s.Empty() {
		return nil, wire.ErrMalformed
	}
	return path, nil
}

func parseStep(s *cryptobyte.String) (step, error) {
	var ns proof.NSID
	var count uint16
	if !s.CopyBytes(ns[:]) || !s.ReadUint16(&count) || count > proof.MaxManifests {
		return step{}, wire.ErrMalformed
	}
	manifests := make([][]byte, 0, min(count, 16))
	for range count {
		var m cryptobyte.String
		if !s.ReadUint16LengthPrefixed(&m) {
			return step{}, wire.ErrMalformed
		}
		manifests = append(manifests, m)
	}
	var name, staple cryptobyte.String
	if !s.ReadUint8LengthPrefixed(&name) || !s.ReadUint16LengthPrefixed(&staple) {
		return step{}, wire.ErrMalformed
	}
	canonical, err := proof.ParseName(string(name))
	if err != nil || string(canonical) != string(name) {
		return step{}, proof.ErrName
	}
	chain, err := proof.VerifyChain(ns, manifests...)
	return step{chain, canonical, staple}, err
}

// VerifyFile checks a file that a lookup made, with nothing else. The result's Full ends
// in the namespace's id: whether that is the namespace the reader means, only the
// reader knows.
//
// Errors: those of proof.VerifyChain and proof.VerifyStaple, [ErrNotDelegated],
// wire.ErrMalformed, wire.ErrTooLarge. All of them mean that the file proves nothing.
func VerifyFile(b []byte, now time.Time) (Result, error) { return verifyFile(b, now, newSecrets()) }

func verifyFile(b []byte, now time.Time, secrets *secrets) (Result, error) {
	path, err := parseFile(b)
	if err != nil {
		return Result{}, err
	}
	full := proof.FullName{NS: path[0].chain.NSID().String()}
	var res Result
	for i, s := range path {
		staple, err := proof.ParseStaple(s.staple)
		if err != nil {
			return Result{}, err
		}
		v, err := proof.VerifyStaple(staple, s.chain, s.name, proof.NameSecret(secrets.of(s.name, s.chain.NSID())), now)
		if err != nil {
			return Result{}, err
		}
		if i < len(path)-1 && v.Statement.Delegate != path[i+1].chain.NSID() {
			return Result{}, fmt.Errorf("%s: %w", s.name, ErrNotDelegated)
		}
		full.Labels = append([]proof.Name{s.name}, full.Labels...)
		for _, c := range v.Checks {
			res.Checks = append(res.Checks, c.What)
		}
		res.Verified, res.Namespace, res.Name, res.Staple = v, s.chain.NSID(), s.name, s.staple
	}
	res.Full, res.Proof = full.String(), b
	return res, nil
}
