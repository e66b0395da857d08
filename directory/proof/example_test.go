package proof_test

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"fmt"
	"time"

	"communicator/directory/proof"
	"communicator/particle"

	"golang.org/x/mod/sumdb/tlog"
)

// A namespace binds a name, logs that, and hands out a staple; whoever gets the staple
// checks it without asking anyone.
func Example() {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	root, attesting, log := key(1), key(2), key(3)

	// The operator begins a namespace.
	m := proof.Manifest{
		Issued: now, Hold: proof.DefaultHold, Zone: public(key(4)), Log: public(log),
		Roots: []proof.Key{public(root)}, Threshold: 1,
		Attesting: []proof.Attesting{{Key: public(attesting), NotBefore: now, NotAfter: now.AddDate(1, 0, 0)}},
	}
	ns, genesis, err := proof.Genesis(m, root)
	check(err)
	chain, err := proof.VerifyChain(ns, genesis)
	check(err)

	// Alice agrees to the statement about her name, then the namespace attests it.
	identity, err := particle.NewIdentity(nil)
	check(err)
	doc := identity.Doc()
	id, err := proof.ParseIdDoc(doc[:])
	check(err)
	name, err := proof.ParseName("Alice")
	check(err)
	s := proof.NewName(ns, name).FirstBind(id, proof.Hash{}, proof.By{Attesting: public(attesting), Issued: now})
	alice := ed25519.NewKeyFromSeed(identity.Marshal()[:ed25519.SeedSize])
	check(s.Sign(alice, attesting))
	statement, err := s.Marshal()
	check(err)

	// It goes into the log, which is one entry long.
	secret, opening := proof.NameSecret{1}, proof.Opening{2} // derived from the name; random
	leaf := proof.Leaf(secret, s.Version, proof.Commit(opening, statement))
	checkpoint, err := proof.SignCheckpoint(proof.Checkpoint{NS: ns, Size: 1, Root: tlog.RecordHash(leaf), Time: now}, log)
	check(err)
	staple, err := proof.Staple{Statement: statement, IdDoc: doc[:], Opening: opening, Checkpoint: checkpoint,
		Manifest: 1, ManifestID: chain.Current().Hash()}.Marshal()
	check(err)

	// Blair has the namespace's id and manifests, and was given the staple.
	parsed, err := proof.ParseStaple(staple)
	check(err)
	v, err := proof.VerifyStaple(parsed, chain, "alice", secret, now.Add(time.Hour))
	check(err)
	fmt.Println(v.Statement.Name, "is the key that Alice has:", v.IdDoc == id)
	fmt.Println("logged, not checked for revocation since", v.LoggedAt.Format(time.DateTime))
	_, err = proof.VerifyStaple(parsed, chain, "alice", proof.NameSecret{9}, now.Add(time.Hour))
	fmt.Println("under another name:", errors.Is(err, proof.ErrInclusion))
	// Output:
	// alice is the key that Alice has: true
	// logged, not checked for revocation since 2026-11-23 12:00:00
	// under another name: true
}

func key(n byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{n}, ed25519.SeedSize))
}

func public(private ed25519.PrivateKey) proof.Key {
	return proof.KeyOf(private.Public().(ed25519.PublicKey))
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
