package bench

import (
	"crypto/rand"
	"crypto/sha256"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"communicator/dht/record"
	"communicator/directory/proof"
)

const (
	// stapleHeight is that of the tree of a million names, stapleIndex a leaf of it.
	stapleHeight, stapleIndex = 20, 777_777
	// stapleWitnesses is how many cosign the checkpoint.
	stapleWitnesses = 3
	// stapleRounds is how often a staple is verified, secretRounds how often a name's
	// secret is derived.
	stapleRounds, secretRounds = 200, 5
)

// stapled is a staple of a name in a log of a million, and what verifying it offline takes.
type stapled struct {
	bytes    []byte
	verifyMS float64 // median
	secretMS float64 // deriving the name's secret, once for each name; median
}

func newStapled() (stapled, error) {
	n, err := newNamespace(time.Now(), stapleWitnesses)
	if err != nil {
		return stapled{}, err
	}
	var s stapled
	var secret proof.NameSecret
	var took []time.Duration
	for range secretRounds {
		began := time.Now()
		secret = proof.NameSecret(record.Secret("alice", n.chain.NSID()))
		took = append(took, time.Since(began))
	}
	s.secretMS, _ = quantiles(took)
	if s.bytes, err = n.staple("alice", secret); err != nil {
		return s, err
	}
	took = took[:0]
	for range stapleRounds {
		began := time.Now()
		st, err := proof.ParseStaple(s.bytes)
		if err != nil {
			return s, err
		}
		if _, err := proof.VerifyStaple(st, n.chain, "alice", secret, n.issued); err != nil {
			return s, err
		}
		took = append(took, time.Since(began))
	}
	s.verifyMS, _ = quantiles(took)
	return s, nil
}

// staple makes the staple of a name in a full tree, of which only the path to the name is
// made: the other hashes are random.
func (n namespace) staple(name proof.Name, secret proof.NameSecret) ([]byte, error) {
	who, err := newSubject()
	if err != nil {
		return nil, err
	}
	st := proof.Staple{IdDoc: who.doc[:], Index: stapleIndex, Inclusion: make(tlog.RecordProof, stapleHeight)}
	var statement proof.Statement
	if statement, st.Statement, err = n.bind(name, who); err != nil {
		return nil, err
	}
	m := n.chain.Current()
	st.Manifest, st.ManifestID = m.Number, m.Hash()
	if _, err := rand.Read(st.Opening[:]); err != nil {
		return nil, err
	}
	root := tlog.RecordHash(proof.Leaf(secret, statement.Version, proof.Commit(st.Opening, st.Statement)))
	for level := range st.Inclusion {
		beside := tlog.Hash(sha256.Sum256([]byte{byte(level)}))
		st.Inclusion[level] = beside
		if stapleIndex>>level&1 == 0 {
			root = tlog.NodeHash(root, beside)
		} else {
			root = tlog.NodeHash(beside, root)
		}
	}
	if st.Checkpoint, err = n.checkpoint(1<<stapleHeight, root); err != nil {
		return nil, err
	}
	return st.Marshal()
}

// checkpoint is signed by the log and every witness.
func (n namespace) checkpoint(size int64, root tlog.Hash) ([]byte, error) {
	id, m := n.chain.NSID(), n.chain.Current()
	note, err := proof.SignCheckpoint(proof.Checkpoint{NS: id, Size: size, Root: root, Time: n.issued}, n.log)
	if err != nil {
		return nil, err
	}
	var lines [][]byte
	for _, w := range m.Witnesses {
		for _, key := range n.witnesses {
			if publicKey(key) != w.Key {
				continue
			}
			line, err := proof.Cosign(note, w, key, n.issued)
			if err != nil {
				return nil, err
			}
			lines = append(lines, line)
		}
	}
	return proof.AddCosignatures(note, id, m, lines...)
}
