package lookup

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"slices"
	"time"

	"communicator/dht"
	"communicator/dht/record"
	"communicator/directory/proof"
)

// Options are what a [Resolver] works with.
type Options struct {
	Overlay Overlay // nil: directories are asked alone
	Dial    Dialer  // nil: the overlay is asked alone
	Memory  Memory
	Now     func() time.Time // nil: time.Now
	// Proved is told of each name that was looked up and compared, Frozen of each namespace
	// that was caught, once that is remembered; nil for nobody.
	Proved func(ctx context.Context, res Result) error
	Frozen func(ctx context.Context, id proof.NSID) error
}

// Resolver looks names up. It is safe for concurrent use if its memory is.
type Resolver struct {
	o       Options
	secrets *secrets
}

// New returns a resolver.
func New(o Options) *Resolver {
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Resolver{o: o, secrets: newSecrets()}
}

// Result is what a lookup proved.
type Result struct {
	proof.Verified
	Full      string     // the name as it was asked for, in canonical form
	Namespace proof.NSID // in which the last name lies
	Name      proof.Name
	Staple    []byte
	// Proof is the file that verifies it on another machine: see [VerifyFile].
	Proof []byte
	// Checks has one line for each thing that was proved, Warnings one for each that
	// could not be.
	Checks, Warnings []string
	// Relations are the successions and equivalences that the name's identity, or the one
	// that it was known to stand for, has signed, where directories were asked for them;
	// verified, and perhaps contradicting each other.
	Relations []proof.Relation
	// Held: attested, and not in force before Settles.
	Held bool
	// Uncompared: the log could not be compared with what it showed before, so this is not
	// remembered, and nothing is to be built on it.
	Uncompared bool
	// FromOverlay: the record came from the DHT; otherwise from a directory. Hops is how
	// many round trips to the overlay came one after another.
	FromOverlay bool
	Hops        int
	hold        time.Duration     // of the manifest in force
	past        []proof.Statement // after the version that was seen before, and before this one
}

// Lookup finds and proves whose key a name is. Peers are directories to ask beside
// those that the namespace names.
//
// Errors: [ErrUnknownNamespace], [ErrNotFound], [ErrUnreachable], [ErrRolledBack],
// [ErrFrozen], [ErrVetoed], [ErrNotDelegated], [ErrUncompared] for a delegation, and those of directory/proof, for what was found and
// did not hold.
func (r *Resolver) Lookup(ctx context.Context, name string, peers ...string) (Result, error) {
	full, err := proof.ParseFullName(name)
	if err != nil {
		return Result{}, err
	}
	top, err := r.Namespace(ctx, full.NS, peers...)
	if err != nil {
		return Result{}, err
	}
	if top, err = r.daily(ctx, top, peers); err != nil {
		return Result{}, err
	}
	path := []step{}
	known := map[proof.NSID]Namespace{top.ID: top}
	ns, last, err := full.Resolve(top.ID, func(ns proof.NSID, label proof.Name) (proof.NSID, error) {
		one, err := r.one(ctx, known[ns], label, peers)
		if err != nil {
			return proof.NSID{}, fmt.Errorf("%s: %w", label, err)
		}
		if one.Statement.Delegate == (proof.NSID{}) || one.Held {
			return proof.NSID{}, fmt.Errorf("%s: %w", label, ErrNotDelegated)
		}
		if one.Uncompared {
			return proof.NSID{}, fmt.Errorf("%s: %w", label, ErrUncompared)
		}
		path = append(path, step{known[ns].Chain, label, one.Staple})
		// A namespace that another one points at is served there too, or by the
		// peers that the person named.
		next, err := r.Namespace(ctx, one.Statement.Delegate.String(), sources(peers, known[ns].Peers)...)
		if err == nil {
			next, err = r.daily(ctx, next, peers)
		}
		known[next.ID] = next
		return next.ID, err
	})
	if err != nil {
		return Result{}, err
	}
	res, err := r.one(ctx, known[ns], last, peers)
	if err != nil {
		return res, err
	}
	res.Full = full.String()
	// Manifests may have been refreshed meanwhile.
	now, err := r.Namespace(ctx, ns.String())
	if err != nil {
		return res, err
	}
	res.Proof, err = marshalFile(full, append(path, step{now.Chain, last, res.Staple}))
	return res, err
}

// FromDirectories is [Resolver.Lookup] without the overlay, where a name that was just
// attested is not yet.
func (r *Resolver) FromDirectories(ctx context.Context, name string, peers ...string) (Result, error) {
	o := r.o
	o.Overlay = nil
	return (&Resolver{o: o, secrets: r.secrets}).Lookup(ctx, name, peers...)
}

// one looks up one name in one namespace.
func (r *Resolver) one(ctx context.Context, n Namespace, name proof.Name, peers []string) (Result, error) {
	if n.Frozen {
		return Result{}, fmt.Errorf("%w: %s", ErrFrozen, n.ID)
	}
	n.Peers = sources(peers, n.Peers)
	secret := r.secrets.of(name, n.ID)
	res, overlayErr := r.fromOverlay(ctx, n, name, secret)
	if overlayErr == nil {
		overlayErr = r.outdated(ctx, n.ID, name, res)
	}
	if overlayErr != nil {
		var err error
		if res, err = r.fromDirectory(ctx, n, name, secret); err != nil {
			return Result{}, pick(overlayErr, err)
		}
		if !errors.Is(overlayErr, ErrNotFound) && !errors.Is(overlayErr, ErrUnreachable) {
			res.Warnings = append(res.Warnings, "the overlay had a record that does not hold: "+overlayErr.Error())
		}
	}
	res.Namespace, res.Name = n.ID, name
	for _, c := range res.Verified.Checks {
		res.Checks = append(res.Checks, c.What)
	}
	known, err := r.knownParty(ctx, n.ID, name)
	if err != nil {
		return res, err
	}
	if err := r.compare(ctx, n, name, &res); err != nil || res.Uncompared {
		return res, err
	}
	r.related(ctx, n, known, &res)
	if r.o.Proved == nil {
		return res, nil
	}
	return res, r.o.Proved(ctx, res)
}

// outdated refuses a record of the overlay that is older than what was seen: peers may have
// it for days after a change. The directories have a newer one, or it is a rollback.
func (r *Resolver) outdated(ctx context.Context, id proof.NSID, name proof.Name, res Result) error {
	return r.o.Memory.Update(ctx, func(rows Rows) error {
		seen, ok, err := getRow[nameRow](rows, nameKey(id, name))
		if err == nil && ok && seen.Version > res.Statement.Version {
			err = rolledBack(seen, res.Statement.Version)
		}
		return err
	})
}

// sources puts the directories that the person named now before the others.
func sources(named, others []string) []string {
	all := make([]string, 0, len(named)+len(others))
	for _, p := range slices.Concat(named, others) {
		if !slices.Contains(all, p) {
			all = append(all, p)
		}
	}
	return all
}

// pick chooses what to tell of two failures: proof that something is wrong before
// nothing found, and that before nobody reached.
func pick(overlay, directory error) error {
	for _, dull := range []error{ErrUnreachable, ErrNotFound} {
		if errors.Is(overlay, dull) {
			return directory
		}
		if errors.Is(directory, dull) {
			return overlay
		}
	}
	return errors.Join(overlay, directory)
}

// fromOverlay reads the three places of the name's record of this week.
func (r *Resolver) fromOverlay(ctx context.Context, n Namespace, name proof.Name, secret record.NameSecret) (Result, error) {
	if r.o.Overlay == nil {
		return Result{}, ErrUnreachable
	}
	epoch := record.EpochAt(r.o.Now())
	zone := ed25519.PublicKey(n.Manifest.Zone[:])
	blind, err := record.Blind(zone, secret, epoch)
	if err != nil {
		return Result{}, err
	}
	keys := blind.Locations()
	answer, err := r.o.Overlay.LookupAll(ctx, keys[:], nil)
	switch {
	case errors.Is(err, dht.ErrNoPeers):
		return Result{}, fmt.Errorf("%w: %w", ErrUnreachable, err)
	case errors.Is(err, dht.ErrNotFound):
		return Result{}, fmt.Errorf("%w: %w", ErrNotFound, err)
	case err != nil:
		return Result{}, err
	}
	payload, _, err := record.Open(zone, secret, epoch, answer.Record)
	if err != nil {
		return Result{}, err
	}
	res, err := r.verify(ctx, n, name, payload, secret)
	res.FromOverlay, res.Hops = true, answer.Hops
	if answer.Alarm {
		res.Warnings = append(res.Warnings, "the peers around this name's record lie closer together than chance would have it: somebody may be hiding newer records")
	}
	if len(answer.Conflict) > 0 {
		res.Warnings = append(res.Warnings, "the namespace published two different records of one version")
	}
	return res, err
}

// fromDirectory asks the namespace's own directories.
func (r *Resolver) fromDirectory(ctx context.Context, n Namespace, name proof.Name, secret record.NameSecret) (res Result, err error) {
	err = r.ask(ctx, n.Peers, func(ctx context.Context, d Directory) error {
		staple, err := d.Attestation(ctx, n.ID, name)
		if err != nil {
			return err
		}
		res, err = r.verify(ctx, n, name, staple, secret)
		return err
	})
	return res, err
}

// verify checks a staple, with newer manifests if it cites one that is not known.
func (r *Resolver) verify(ctx context.Context, n Namespace, name proof.Name, b []byte, secret record.NameSecret) (Result, error) {
	staple, err := proof.ParseStaple(b)
	if err != nil {
		return Result{}, err
	}
	if staple.Manifest > n.Manifest.Number {
		if n, err = r.refresh(ctx, n, n.Peers); err != nil {
			return Result{}, err
		}
	}
	v, err := proof.VerifyStaple(staple, n.Chain, name, proof.NameSecret(secret), r.o.Now())
	held := errors.Is(err, proof.ErrHold)
	if err != nil && !held {
		return Result{}, err
	}
	res := Result{Verified: v, Staple: b, Held: held, hold: n.Manifest.Hold}
	if held {
		res.Warnings = append(res.Warnings, fmt.Sprintf("a %s, not in force before %s", v.Change, v.Settles.UTC().Format(time.RFC3339)))
	}
	return res, nil
}
