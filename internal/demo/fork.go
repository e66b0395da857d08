package demo

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"communicator/client/directory"
	"communicator/client/lookup"
	"communicator/client/registrar"
	"communicator/directory/authority"
	"communicator/directory/proof"
	"communicator/node/config"
	"communicator/particle"
)

// ErrNotCaught: two people saw different logs of one namespace and did not notice.
var ErrNotCaught = errors.New("demo: the log with two faces was not caught")

// fork has the club lie: a second directory with the club's own keys begins another log,
// in which Carol's name is somebody else's. Erin sees nothing wrong, until Dana compares
// what each of them was shown.
func (s *stage) fork(ctx context.Context) error {
	if err := s.startSecond(ctx); err != nil {
		return err
	}
	res, err := s.erin.Lookup(ctx, fullName)
	if err != nil {
		return fmt.Errorf("the second face: %w", err)
	}
	if s.name.is(res) {
		return fmt.Errorf("%w: the second face shows the same key", ErrNotCaught)
	}
	s.result.Fork.Lied = true
	shown, err := s.erin.Checkpoints(ctx)
	if err != nil {
		return err
	}
	if err := s.dana.Observe(ctx, shown[s.club.ID()]); !errors.Is(err, lookup.ErrFrozen) {
		return errors.Join(ErrNotCaught, err)
	}
	if err := s.proveFork(ctx); err != nil {
		return err
	}
	s.result.Fork.Caught = true
	s.done("the club showed Erin another log, with another key for Carol: Dana and Erin compared, and froze it")
	s.say("  ✓ the proof of its two faces is %d bytes, and verified from them alone", s.result.Fork.ProofBytes)
	return nil
}

// startSecond starts the second directory, which takes no part in the overlay, and has
// it attest the name for somebody else.
func (s *stage) startSecond(ctx context.Context) (err error) {
	s.second, err = s.serveClub(ctx, "second directory of the club", func(c *config.Config) { c.DHT.Enabled = false })
	if err != nil {
		return err
	}
	if err := s.second.Start(ctx); err != nil {
		return err
	}
	s.result.Agents++
	if s.erin, err = newOnlooker(ctx, s.root, "Erin"); err != nil {
		return err
	}
	d, err := s.erin.network.Directory(ctx, uri(s.second))
	if err != nil {
		return err
	}
	draft, err := impostor(s.club, rand.Reader)
	if err == nil {
		_, err = (&registrar.Registrar{Authority: s.club, Directory: d}).Attest(ctx, draft)
	}
	if err = errors.Join(err, d.Close()); err != nil {
		return err
	}
	_, err = s.erin.Add(ctx, s.club.ID(), petname, uri(s.second))
	return err
}

// impostor makes an identity that takes Carol's name, as if nobody had it.
func impostor(club *authority.Authority, random io.Reader) (d directory.Draft, err error) {
	id, err := particle.NewIdentity(random)
	if err != nil {
		return d, err
	}
	var code, opening [32]byte
	for _, b := range [][]byte{code[:], opening[:]} {
		if _, err := io.ReadFull(random, b); err != nil {
			return d, err
		}
	}
	attesting, err := club.Key(authority.Attesting)
	if err != nil {
		return d, err
	}
	doc := id.Doc()
	s := proof.NewName(club.ID(), label).FirstBind(proof.IdDoc(doc), proof.RevokeCommitment(code), proof.By{
		Attesting: proof.KeyOf(attesting.Public().(ed25519.PublicKey)), Issued: time.Now().UTC().Truncate(time.Second)})
	if err := s.Sign(ed25519.NewKeyFromSeed(id.Marshal()[:ed25519.SeedSize])); err != nil {
		return d, err
	}
	statement, err := s.MarshalDraft()
	return directory.Draft{Statement: statement, Identity: doc[:], Opening: opening[:]}, err
}

// proveFork writes down why Dana froze the club, and verifies the file as a third person
// would, who has nothing else.
func (s *stage) proveFork(ctx context.Context) error {
	frozen, err := s.dana.Namespace(ctx, petname)
	if err != nil {
		return err
	}
	if _, err := s.dana.Lookup(ctx, fullName); !errors.Is(err, lookup.ErrFrozen) {
		return errors.Join(ErrNotCaught, err)
	}
	file, err := writeAndRead(filepath.Join(s.root, "fork"), frozen.Fork)
	if err != nil {
		return err
	}
	f, err := proof.ParseFork(file)
	if err != nil {
		return err
	}
	found, err := f.VerifyAlone()
	if err != nil || !found.Current || f.NS != s.club.ID() {
		return errors.Join(ErrNotCaught, err)
	}
	s.result.Fork.ProofBytes = len(file)
	return nil
}
