package bench

import (
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"time"

	"communicator/directory/proof"
	"communicator/particle"
)

// namespace is a namespace with everything that signs for it.
type namespace struct {
	chain                proof.Chain
	genesis              []byte // its one manifest
	zone, attesting, log ed25519.PrivateKey
	witnesses            []ed25519.PrivateKey
	issued               time.Time // of its statements
}

// newNamespace makes one with one root key and so many witnesses, all of whom are needed.
func newNamespace(now time.Time, witnesses int) (namespace, error) {
	n := namespace{issued: now.UTC().Truncate(time.Second)}
	var root ed25519.PrivateKey
	n.witnesses = make([]ed25519.PrivateKey, witnesses)
	keys := []*ed25519.PrivateKey{&root, &n.zone, &n.attesting, &n.log}
	for i := range n.witnesses {
		keys = append(keys, &n.witnesses[i])
	}
	for _, k := range keys {
		var err error
		if _, *k, err = ed25519.GenerateKey(rand.Reader); err != nil {
			return n, err
		}
	}
	m := proof.Manifest{
		Issued: n.issued, Hold: proof.DefaultHold, Listed: true, Zone: publicKey(n.zone), Log: publicKey(n.log),
		Roots: []proof.Key{publicKey(root)}, Threshold: 1, WitnessThreshold: uint8(witnesses),
		Attesting: []proof.Attesting{{Key: publicKey(n.attesting), NotBefore: n.issued, NotAfter: n.issued.AddDate(1, 0, 0)}},
	}
	for i, k := range n.witnesses {
		m.Witnesses = append(m.Witnesses, proof.Witness{Name: fmt.Sprintf("witness%d.example.org", i+1), Key: publicKey(k)})
	}
	m.Sort()
	id, genesis, err := proof.Genesis(m, root)
	if err != nil {
		return n, err
	}
	n.genesis = genesis
	n.chain, err = proof.VerifyChain(id, genesis)
	return n, err
}

func publicKey(k ed25519.PrivateKey) proof.Key { return proof.KeyOf(k.Public().(ed25519.PublicKey)) }

// subject is whose key a name is.
type subject struct {
	identity particle.Identity
	doc      proof.IdDoc
	key      ed25519.PrivateKey
}

func newSubject() (subject, error) {
	id, err := particle.NewIdentity(rand.Reader)
	if err != nil {
		return subject{}, err
	}
	return subject{id, proof.IdDoc(id.Doc()), ed25519.NewKeyFromSeed(id.Marshal()[:ed25519.SeedSize])}, nil
}

// firstBind is the statement that binds a new name, without its signatures.
func (n namespace) firstBind(name proof.Name, s subject) proof.Statement {
	by := proof.By{Attesting: publicKey(n.attesting), Issued: n.issued}
	return proof.NewName(n.chain.NSID(), name).FirstBind(s.doc, proof.Hash{}, by)
}

// bind is the same with its two signatures, and its bytes.
func (n namespace) bind(name proof.Name, s subject) (proof.Statement, []byte, error) {
	st := n.firstBind(name, s)
	if err := st.Sign(s.key, n.attesting); err != nil {
		return st, nil, err
	}
	raw, err := st.Marshal()
	return st, raw, err
}
