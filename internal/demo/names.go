package demo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"communicator/client"
	"communicator/client/lookup"
	"communicator/client/registrar"
	"communicator/dht/record"
	"communicator/directory/proof"
	"communicator/directory/vend"
)

const (
	// petname is what everybody here calls the namespace, label Carol's name in it: long
	// enough not to occur in a file by chance.
	petname = "club"
	label   = proof.Name("carol-winter")
	// tokenLife is how long the authority's token registers a name.
	tokenLife = time.Hour
	// perHour is how many strangers an hour may write to Carol.
	perHour = 10
)

// fullName is Carol's name as people write it.
const fullName = string(label) + "@" + petname

// ownedName is Carol's name as she holds it.
type ownedName struct {
	identity proof.IdDoc
	secret   record.NameSecret // of whoever knows the name, and nobody else
}

// is says whether a lookup found the name's true holder.
func (o ownedName) is(res lookup.Result) bool { return res.IdDoc == o.identity }

// ErrOther: the lookup proved another key than the one that was registered.
var ErrOther = errors.New("demo: the lookup found another key than Carol's")

// register has Carol take a name with a token of the authority, and Dana look it up.
func (s *stage) register(ctx context.Context) (err error) {
	if s.dana, err = newOnlooker(ctx, s.root, "Dana", uri(s.directory)); err != nil {
		return err
	}
	nodes := len(s.overlay())
	if s.result.Names.OverlayNodes, err = s.dana.enterOverlay(ctx, nodes, uri(s.directory)); err != nil {
		return fmt.Errorf("%d of %d nodes met in the overlay: %w", s.result.Names.OverlayNodes, nodes, err)
	}
	token, err := s.token(ctx)
	if err != nil {
		return err
	}
	if err := s.carol.knowsClub(ctx, s); err != nil {
		return err
	}
	own, err := s.carol.client.Register(ctx, fullName, client.RegisterOptions{Token: &token})
	if err != nil {
		return err
	}
	s.name = ownedName{proof.IdDoc(own.Identity), record.Secret(string(label), s.club.ID())}
	s.result.Names.Registered++
	s.done("Carol registered %s, in the namespace %s", fullName, s.club.ID())
	return s.firstLookup(ctx)
}

// token is what the authority gives Carol.
func (s *stage) token(ctx context.Context) (vend.Token, error) {
	d, err := s.dana.network.Directory(ctx, uri(s.directory))
	if err != nil {
		return vend.Token{}, err
	}
	t, err := (&registrar.Registrar{Authority: s.club, Directory: d}).Token(ctx, vend.Registration, tokenLife)
	return t, errors.Join(err, d.Close())
}

// knowsClub has a person remember the namespace.
func (p *person) knowsClub(ctx context.Context, s *stage) error {
	names, err := p.client.Names(ctx, uri(s.directory))
	if err != nil {
		return err
	}
	_, err = names.Add(ctx, s.club.ID(), petname, uri(s.directory))
	return err
}

// firstLookup has Dana find the name in the overlay.
func (s *stage) firstLookup(ctx context.Context) error {
	if _, err := s.dana.Add(ctx, s.club.ID(), petname, uri(s.directory)); err != nil {
		return err
	}
	res, err := s.dana.inOverlay(ctx, fullName)
	if err != nil {
		return err
	}
	if !s.name.is(res) {
		return ErrOther
	}
	s.result.Names.LookupBeforeLoss = true
	s.done("Dana, who has no account, found it in an overlay of %d nodes and checked:", s.result.Names.OverlayNodes)
	s.checks(res)
	return nil
}

func (s *stage) checks(res lookup.Result) {
	for _, c := range res.Checks {
		s.say("  ✓ %s", c)
	}
	for _, c := range res.Warnings {
		s.say("  ! %s", c)
	}
}

// loss kills a third of the overlay, the club's directory with it, and has Dana look the
// name up again, by way of nodes that are left.
func (s *stage) loss(ctx context.Context) error {
	for _, a := range append(s.spare[:], s.directory) {
		if err := a.Kill(); err != nil {
			return err
		}
		s.result.Names.Killed++
	}
	if err := s.dana.enter(ctx, uri(s.receiving[1]), uri(s.sending[2])); err != nil {
		return err
	}
	res, err := s.dana.inOverlay(ctx, fullName)
	if err != nil {
		return err
	}
	if !s.name.is(res) {
		return ErrOther
	}
	s.result.Names.LookupAfterLoss, s.result.Names.Hops = true, res.Hops
	s.done("kill -9 of %d of the %d nodes, the club's directory among them: Dana found the name again, in the overlay",
		s.result.Names.Killed, s.result.Names.OverlayNodes)
	return s.keepProof(res)
}

// keepProof writes the proof of the name and verifies what was written, as somebody
// would who was handed the file.
func (s *stage) keepProof(res lookup.Result) error {
	path := s.options.KeepProof
	if path == "" {
		path = filepath.Join(s.root, "proof")
	}
	file, err := writeAndRead(path, res.Proof)
	if err != nil {
		return err
	}
	alone, err := lookup.VerifyFile(file, time.Now())
	if err != nil {
		return fmt.Errorf("the proof of %s: %w", fullName, err)
	}
	if !s.name.is(alone) {
		return ErrOther
	}
	s.result.Names.ProofBytes = len(file)
	s.done("the proof convinces whoever gets it: %d bytes%s, checked offline", len(file), keptIn(s.options.KeepProof))
	return nil
}

func keptIn(path string) string {
	if path == "" {
		return ""
	}
	return " in " + path
}

// writeAndRead returns what is in the file after content was written there.
func writeAndRead(path string, content []byte) ([]byte, error) {
	if err := os.WriteFile(path, content, 0o644); err != nil { // a proof is public
		return nil, err
	}
	return os.ReadFile(path)
}
