package lookup

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"communicator/directory/proof"
	"communicator/wire/agenturi"
)

// Namespace is what is known of one.
type Namespace struct {
	ID       proof.NSID
	Petname  string // empty if it has none here
	Manifest proof.Manifest
	Chain    proof.Chain
	Peers    []string // directories to ask, the manifest's first
	Frozen   bool
	Fork     []byte // why: a marshalled proof.Fork; nil if two staples contradict each other

	manifestsAt time.Time // when newer manifests were last asked for
}

func (row spaceRow) namespace() (Namespace, error) {
	id, err := proof.ParseNSID(row.NSID)
	if err != nil {
		return Namespace{}, fmt.Errorf("%w: %w", ErrMemory, err)
	}
	chain, err := proof.VerifyChain(id, row.Manifests...)
	if err != nil {
		return Namespace{}, fmt.Errorf("%w: %w", ErrMemory, err)
	}
	n := Namespace{ID: id, Petname: row.Petname, Manifest: chain.Current(), Chain: chain, Peers: chain.Current().Peers,
		Frozen: row.Fork != nil || len(row.Conflict) > 0, Fork: row.Fork, manifestsAt: row.ManifestsAt}
	for _, p := range row.Peers {
		if !slices.Contains(n.Peers, p) {
			n.Peers = append(n.Peers[:len(n.Peers):len(n.Peers)], p)
		}
	}
	return n, nil
}

// Add remembers a namespace: its manifests are fetched from the peers given, verified
// against the id, and kept. A petname, which may be empty, then stands for it.
// Errors: [ErrPetname], [ErrUnknownNamespace], those of proof.VerifyChain.
func (r *Resolver) Add(ctx context.Context, id proof.NSID, petname string, peers ...string) (Namespace, error) {
	if petname != "" {
		name, err := proof.ParseName(petname)
		if err != nil {
			return Namespace{}, err
		}
		petname = string(name)
	}
	manifests, err := r.manifests(ctx, id, nil, peers)
	if errors.Is(err, ErrUnreachable) || errors.Is(err, ErrNotFound) {
		err = fmt.Errorf("%w: no directory gave its manifests: %w", ErrUnknownNamespace, err)
	}
	if err != nil {
		return Namespace{}, err
	}
	return r.AddManifests(ctx, id, petname, manifests, peers...)
}

// AddManifests is [Resolver.Add] for manifests that came from elsewhere, such as a file.
// A chain that says something else than the remembered one is refused with [ErrFrozen];
// other signatures below the same manifest are no difference.
func (r *Resolver) AddManifests(ctx context.Context, id proof.NSID, petname string, manifests [][]byte, peers ...string) (n Namespace, err error) {
	chain, err := proof.VerifyChain(id, manifests...)
	if err != nil {
		return Namespace{}, err
	}
	err = r.o.Memory.Update(ctx, func(rows Rows) error {
		all, err := spaces(rows)
		if err != nil {
			return err
		}
		row := spaceRow{NSID: id.String()}
		for _, other := range all {
			switch {
			case other.NSID == row.NSID:
				row = other
				if err := row.extendedBy(chain); err != nil {
					return err
				}
			case petname != "" && other.Petname == petname:
				return fmt.Errorf("%w: %s is %s", ErrPetname, petname, other.NSID)
			}
		}
		if petname != "" {
			row.Petname = petname
		}
		if have := len(row.Manifests); len(manifests) > have {
			row.Manifests = slices.Concat(row.Manifests, manifests[have:])
		}
		for _, p := range peers {
			if uri, err := agenturi.Parse(p); err == nil {
				p = uri.String() // without a token, which is nobody else's business
			}
			if !slices.Contains(row.Peers, p) && len(row.Peers) < maxSources {
				row.Peers = append(row.Peers, p)
			}
		}
		row.Seen = r.o.Now()
		row.ManifestsAt = row.Seen
		if n, err = row.namespace(); err != nil {
			return err
		}
		return putRow(rows, spaceKey(id), row)
	})
	return n, err
}

// extendedBy refuses a chain that is not the row's, longer or shorter.
func (row spaceRow) extendedBy(c proof.Chain) error {
	for i := range min(len(row.Manifests), int(c.Current().Number)) {
		m, err := proof.ParseManifest(row.Manifests[i])
		if err != nil {
			return fmt.Errorf("%w: %w", ErrMemory, err)
		}
		if other, err := c.Manifest(uint32(i + 1)); err != nil || other.Hash() != m.Hash() {
			return fmt.Errorf("%w: %s has two manifests of number %d", ErrFrozen, row.NSID, i+1)
		}
	}
	return nil
}

// Namespaces lists what is remembered.
func (r *Resolver) Namespaces(ctx context.Context) (out []Namespace, err error) {
	err = r.o.Memory.Update(ctx, func(rows Rows) error {
		all, err := spaces(rows)
		for _, row := range all {
			n, err := row.namespace()
			if err != nil {
				return err
			}
			out = append(out, n)
		}
		return err
	})
	return out, err
}

// Forget drops everything that is remembered of a namespace's log and names, but not
// its manifests: the way out of [ErrFrozen] for a person who knows why.
func (r *Resolver) Forget(ctx context.Context, id proof.NSID) error {
	return r.o.Memory.Update(ctx, func(rows Rows) error {
		row, ok, err := getRow[spaceRow](rows, spaceKey(id))
		if err != nil || !ok {
			return errors.Join(err, notKnown(ok))
		}
		row.Checkpoint, row.Fork, row.Conflict = nil, nil, nil
		keys, err := rows.Keys("name-")
		if err != nil {
			return err
		}
		for _, key := range keys {
			name, _, err := getRow[nameRow](rows, key)
			if err != nil {
				return err
			}
			if name.NSID != row.NSID {
				continue
			}
			if err := rows.Delete(key); err != nil {
				return err
			}
		}
		return putRow(rows, spaceKey(id), row)
	})
}

func spaces(rows Rows) ([]spaceRow, error) {
	keys, err := rows.Keys("ns-")
	var out []spaceRow
	for _, key := range keys {
		row, ok, err := getRow[spaceRow](rows, key)
		if err != nil {
			return nil, err
		}
		if ok {
			out = append(out, row)
		}
	}
	return out, err
}

// Namespace finds what a petname or a namespace id stands for. A namespace id that is
// not remembered is asked for at the given peers, without being given a petname.
// Errors: [ErrUnknownNamespace].
func (r *Resolver) Namespace(ctx context.Context, petnameOrID string, peers ...string) (n Namespace, err error) {
	id, idErr := proof.ParseNSID(petnameOrID)
	found := false
	err = r.o.Memory.Update(ctx, func(rows Rows) error {
		all, err := spaces(rows)
		if err != nil {
			return err
		}
		for _, row := range all {
			if idErr == nil && row.NSID == id.String() || idErr != nil && row.Petname == petnameOrID {
				found = true
				n, err = row.namespace()
				return err
			}
		}
		return nil
	})
	switch {
	case err != nil || found:
		return n, err
	case idErr != nil:
		return n, fmt.Errorf("%w: %q", ErrUnknownNamespace, petnameOrID)
	}
	return r.Add(ctx, id, "", peers...)
}

// manifests fetches those that a chain lacks, and returns all of them.
func (r *Resolver) manifests(ctx context.Context, id proof.NSID, have [][]byte, peers []string) ([][]byte, error) {
	var out [][]byte
	err := r.ask(ctx, peers, func(ctx context.Context, d Directory) error {
		more, err := d.Manifests(ctx, id, uint32(len(have)+1))
		if err != nil {
			return err
		}
		all := slices.Concat(have, more)
		if _, err := proof.VerifyChain(id, all...); err != nil {
			return err
		}
		out = all
		return nil
	})
	return out, err
}

// refresh fetches newer manifests, if there are any, and remembers them.
func (r *Resolver) refresh(ctx context.Context, n Namespace, peers []string) (Namespace, error) {
	var have [][]byte
	for _, m := range n.Chain.Signed() {
		have = append(have, m)
	}
	all, err := r.manifests(ctx, n.ID, have, peers)
	if err != nil || len(all) == len(have) {
		return n, err
	}
	return r.AddManifests(ctx, n.ID, "", all)
}

// daily asks for newer manifests if that was not tried for a day: a namespace that takes
// a stolen key back has to reach those who look names up. That nobody can be asked, or
// answers well, is no error here.
func (r *Resolver) daily(ctx context.Context, n Namespace, peers []string) (Namespace, error) {
	now := r.o.Now()
	if age := now.Sub(n.manifestsAt); r.o.Dial == nil || n.Frozen || age >= 0 && age < refreshEvery {
		return n, nil
	}
	err := r.o.Memory.Update(ctx, func(rows Rows) error {
		row, ok, err := getRow[spaceRow](rows, spaceKey(n.ID))
		if err != nil || !ok {
			return errors.Join(err, notKnown(ok))
		}
		row.ManifestsAt = now
		return putRow(rows, spaceKey(n.ID), row)
	})
	if err != nil {
		return n, err
	}
	patience, cancel := context.WithTimeout(ctx, refreshTimeout)
	defer cancel()
	newer, err := r.refresh(patience, n, sources(peers, n.Peers))
	if err != nil {
		return n, context.Cause(ctx)
	}
	return newer, nil
}
