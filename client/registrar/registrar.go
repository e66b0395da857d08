// Package registrar is what a namespace's authority does at a directory that serves it:
// attest names and take them away, delegate, issue tokens, set what holds for names, and
// bring new manifests. It signs with the authority's files (directory/authority) and
// speaks the directory's stream protocol (client/directory).
package registrar

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"time"

	"communicator/client/directory"
	"communicator/dht/record"
	"communicator/directory/authority"
	"communicator/directory/proof"
	"communicator/directory/vend"
)

// Registrar acts for one namespace at one directory.
type Registrar struct {
	Authority *authority.Authority
	Directory *directory.Client
	Now       func() time.Time // nil: time.Now
	Rand      io.Reader        // nil: crypto/rand
}

// Errors.
var (
	// ErrForeign: the draft is of another namespace.
	ErrForeign = errors.New("registrar: a statement of another namespace")
	// ErrUnsigned: besides the authority somebody else has to sign.
	ErrUnsigned = errors.New("registrar: other signatures are missing")
	// ErrFree: nobody holds the name.
	ErrFree = errors.New("registrar: nobody holds the name")
)

func (r *Registrar) now() time.Time {
	if r.Now == nil {
		return time.Now().UTC().Truncate(time.Second)
	}
	return r.Now().UTC().Truncate(time.Second)
}

func (r *Registrar) random(b []byte) error {
	from := r.Rand
	if from == nil {
		from = rand.Reader
	}
	_, err := io.ReadFull(from, b)
	return err
}

// by is the attesting key and the time of a statement.
func (r *Registrar) by() (proof.By, error) {
	key, err := r.Authority.Key(authority.Attesting)
	if err != nil {
		return proof.By{}, err
	}
	return proof.By{Attesting: proof.Key(key[32:]), Issued: r.now()}, nil
}

func secretOf(ns proof.NSID, name proof.Name) proof.NameSecret {
	return proof.NameSecret(record.Secret(string(name), ns))
}

// State is a name's history as the directory shows it, every signature verified.
func (r *Registrar) State(ctx context.Context, name proof.Name) (proof.NameState, []proof.Statement, error) {
	return r.Directory.History(ctx, r.Authority.Chain(), name)
}

// Attest signs what somebody asks to have attested, and has it logged.
// Errors: [ErrForeign], [ErrUnsigned], those of client/directory.
func (r *Registrar) Attest(ctx context.Context, d directory.Draft) (proof.Name, error) {
	e, err := d.Entry(secretOf)
	if err != nil {
		return "", err
	}
	if e.Statement.NS != r.Authority.ID() {
		return "", ErrForeign
	}
	return e.Statement.Name, r.submit(ctx, e)
}

// submit signs with the attesting key and has the statement logged.
func (r *Registrar) submit(ctx context.Context, e directory.Entry) error {
	key, err := r.Authority.Key(authority.Attesting)
	if err != nil {
		return err
	}
	if err := e.Statement.Sign(key); err != nil {
		return err
	}
	if missing := e.Statement.Missing(); len(missing) > 0 {
		return fmt.Errorf("%w: %d", ErrUnsigned, len(missing))
	}
	_, err = directory.Authority{Client: r.Directory, NS: r.Authority.ID(), Key: key}.Submit(ctx, e)
	return err
}

// Delegate lets a free name stand for another namespace, or changes for which one it
// stands, after the hold.
func (r *Registrar) Delegate(ctx context.Context, name proof.Name, to proof.NSID) error {
	state, _, err := r.State(ctx, name)
	if err != nil {
		return err
	}
	by, err := r.by()
	if err != nil {
		return err
	}
	hold := time.Duration(0)
	if h, _ := state.Current(r.now()); h.Kind != proof.Nobody {
		hold = r.Authority.Chain().Current().Hold
	}
	return r.say(ctx, state.DelegateTo(to, hold, by))
}

// Revoke takes a name away, after the hold, in which its holder may object.
// Errors: [ErrFree].
func (r *Registrar) Revoke(ctx context.Context, name proof.Name) (from time.Time, err error) {
	state, _, err := r.State(ctx, name)
	if err != nil {
		return from, err
	}
	if h, _ := state.Current(r.now()); h.Kind == proof.Nobody {
		return from, fmt.Errorf("%w: %s", ErrFree, name)
	}
	by, err := r.by()
	if err != nil {
		return from, err
	}
	s := state.HeldRelease(r.Authority.Chain().Current().Hold, by)
	return s.NotBefore, r.say(ctx, s)
}

// say logs a statement that the authority alone signs.
func (r *Registrar) say(ctx context.Context, s proof.Statement) error {
	e := directory.Entry{Statement: s, Secret: secretOf(s.NS, s.Name)}
	if err := r.random(e.Opening[:]); err != nil {
		return err
	}
	return r.submit(ctx, e)
}

// Token makes a token valid that registers a name (vend.Registration) or shows that its
// holder is a member (vend.Member).
func (r *Registrar) Token(ctx context.Context, kind vend.TokenKind, life time.Duration) (vend.Token, error) {
	var t vend.Token
	if err := r.random(t[:]); err != nil {
		return t, err
	}
	a, err := r.authority()
	if err != nil {
		return t, err
	}
	return t, a.Issue(ctx, kind, r.now().Add(life), t)
}

// SetSpace sets what holds for names that say nothing else.
func (r *Registrar) SetSpace(ctx context.Context, s vend.Space) error {
	a, err := r.authority()
	if err != nil {
		return err
	}
	return a.SetSpace(ctx, s)
}

func (r *Registrar) authority() (directory.Authority, error) {
	key, err := r.Authority.Key(authority.Attesting)
	return directory.Authority{Client: r.Directory, NS: r.Authority.ID(), Key: key}, err
}

// PutManifests brings the directory every manifest that it lacks.
func (r *Registrar) PutManifests(ctx context.Context) error {
	space, err := r.Directory.Space(ctx, r.Authority.ID())
	if err != nil {
		return err
	}
	signed := r.Authority.Chain().Signed()
	for _, m := range signed[min(int(space.Manifest), len(signed)):] {
		if err := r.Directory.PutManifest(ctx, r.Authority.ID(), m); err != nil {
			return err
		}
	}
	return nil
}
