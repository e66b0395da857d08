package keyring

import (
	"cmp"
	"crypto/rand"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"communicator/mailbox/address"
	"communicator/wire"
)

const (
	labelReplay wire.Label = "comm/1/replay"       // HMAC: recognises a stored put
	labelSlot   wire.Label = "comm/1/account-slot" // HMAC: an account's numbered place
)

// Ring is an agent's secrets. Reading is safe for concurrent use, also while
// Rotate runs; Rotate itself is for one goroutine.
type Ring struct {
	store store
	rand  io.Reader
	now   atomic.Pointer[secrets] // replaced as a whole, never changed

	mu      sync.Mutex // guards changed
	changed chan struct{}
}

// secrets is everything at one time.
type secrets struct {
	epochs    map[wire.Epoch]*epoch
	seals     map[wire.KeyID]*address.SealPrivate
	lifelines map[wire.Epoch]address.Secret
	replay    map[wire.Epoch][secretSize]byte
	account   [secretSize]byte
}

type epoch struct {
	secret address.Secret
	seal   *address.SealPrivate
}

// SealingKey is what the descriptor says of an epoch.
type SealingKey struct {
	Epoch     wire.Epoch
	Public    []byte // X-Wing, 1,216 bytes
	NotBefore time.Time
}

// Open reads the ring of a directory and makes what the time now needs and is not
// there. It deletes nothing. A file that is damaged fails with [ErrDamaged].
func Open(dir string, now time.Time) (*Ring, error) {
	d, err := openDir(dir)
	if err != nil {
		return nil, err
	}
	return open(d, rand.Reader, now)
}

// Memory is a ring that no file keeps, whose secrets come from rand: for tests and
// simulations.
func Memory(rand io.Reader, now time.Time) (*Ring, error) {
	return open(memoryStore{}, rand, now)
}

func open(s store, rand io.Reader, now time.Time) (*Ring, error) {
	r := &Ring{store: s, rand: rand, changed: make(chan struct{})}
	found, err := s.list()
	if err != nil {
		return nil, fmt.Errorf("keyring: %w", err)
	}
	all := &secrets{
		epochs: map[wire.Epoch]*epoch{}, seals: map[wire.KeyID]*address.SealPrivate{},
		lifelines: map[wire.Epoch]address.Secret{}, replay: map[wire.Epoch][secretSize]byte{},
	}
	have := map[entry]bool{}
	for _, e := range found {
		content, err := s.read(e)
		if err != nil {
			return nil, fmt.Errorf("keyring: %w", err)
		}
		secret, err := e.decode(content)
		if err != nil {
			return nil, err
		}
		if err := all.add(e, secret); err != nil {
			return nil, err
		}
		have[e] = true
	}
	if err := r.make(all, have, now); err != nil {
		return nil, err
	}
	r.now.Store(all)
	return r, nil
}

// needed lists what must exist at the time now, in an order that a deterministic
// source of randomness can rely on.
func needed(now time.Time) []entry {
	week, year := wire.EpochAt(now), wire.LifelineYearAt(now)
	list := []entry{
		{kindAccount, 0}, {kindLifeline, year}, {kindLifeline, year + 1},
		{kindEpoch, week}, {kindEpoch, week + 1},
	}
	for w := week; w <= week+replayAhead; w++ {
		list = append(list, entry{kindReplay, w})
	}
	return list
}

// spent says whether nothing can need the secret any more.
func (e entry) spent(now time.Time) bool {
	switch e.kind {
	case kindEpoch:
		return !now.Before(address.LastExpiry(e.number, 0))
	case kindLifeline:
		return !now.Before(address.LastExpiry(e.number, wire.CapLifeline))
	case kindReplay:
		return !now.Before(e.number.End().Add(replayGrace))
	}
	return false
}

// make writes what is needed and not there, and adds it to all.
func (r *Ring) make(all *secrets, have map[entry]bool, now time.Time) error {
	for _, e := range needed(now) {
		if have[e] {
			continue
		}
		secret := make([]byte, e.size())
		if _, err := io.ReadFull(r.rand, secret); err != nil {
			return fmt.Errorf("keyring: %w", err)
		}
		if err := r.store.write(e, e.encode(secret)); err != nil {
			return fmt.Errorf("keyring: %w", err)
		}
		if err := all.add(e, secret); err != nil {
			return err
		}
	}
	return nil
}

func (s *secrets) add(e entry, secret []byte) error {
	switch e.kind {
	case kindEpoch:
		seal, err := address.ParseSealPrivate(secret[secretSize:])
		if err != nil {
			return fmt.Errorf("%w: %s: %w", ErrDamaged, e.name(), err)
		}
		mint, err := address.ParseSecret(secret[:secretSize])
		if err != nil {
			return fmt.Errorf("%w: %s: %w", ErrDamaged, e.name(), err)
		}
		s.epochs[e.number] = &epoch{mint, seal}
		s.seals[seal.KeyID()] = seal
	case kindLifeline:
		mint, err := address.ParseSecret(secret)
		if err != nil {
			return fmt.Errorf("%w: %s: %w", ErrDamaged, e.name(), err)
		}
		s.lifelines[e.number] = mint
	case kindReplay:
		s.replay[e.number] = [secretSize]byte(secret)
	case kindAccount:
		s.account = [secretSize]byte(secret)
	}
	return nil
}

func (s *secrets) entries() map[entry]bool {
	have := map[entry]bool{{kindAccount, 0}: true}
	for e := range s.epochs {
		have[entry{kindEpoch, e}] = true
	}
	for e := range s.lifelines {
		have[entry{kindLifeline, e}] = true
	}
	for e := range s.replay {
		have[entry{kindReplay, e}] = true
	}
	return have
}

func (s *secrets) clone() *secrets {
	return &secrets{
		epochs: maps.Clone(s.epochs), seals: maps.Clone(s.seals),
		lifelines: maps.Clone(s.lifelines), replay: maps.Clone(s.replay), account: s.account,
	}
}

func (s *secrets) drop(e entry) {
	switch e.kind {
	case kindEpoch:
		delete(s.seals, s.epochs[e.number].seal.KeyID())
		delete(s.epochs, e.number)
	case kindLifeline:
		delete(s.lifelines, e.number)
	case kindReplay:
		delete(s.replay, e.number)
	}
}

// Rotate makes what the time now needs and deletes what nothing can need any more.
// It is to be called at least daily, with a time that can be trusted: deleting is for
// ever.
func (r *Ring) Rotate(now time.Time) error {
	before := r.now.Load()
	have := before.entries()
	next := before.clone()
	if err := r.make(next, have, now); err != nil {
		return err
	}
	var gone []entry
	for e := range have {
		if e.spent(now) {
			gone = append(gone, e)
			next.drop(e)
		}
	}
	r.publish(next, len(gone) > 0 || len(next.entries()) != len(have))
	slices.SortFunc(gone, func(a, b entry) int { return cmp.Compare(a.name(), b.name()) })
	for _, e := range gone {
		if err := r.store.erase(e); err != nil {
			return fmt.Errorf("keyring: erase %s: %w", e.name(), err)
		}
	}
	return nil
}

func (r *Ring) publish(next *secrets, different bool) {
	r.now.Store(next)
	if !different {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	close(r.changed)
	r.changed = make(chan struct{})
}

// Changed returns a channel that is closed when keys are next made or deleted: the
// agent then signs a new descriptor.
func (r *Ring) Changed() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.changed
}

// SealingKeys returns the keys of the current and the next epoch, for the agent's
// descriptor.
func (r *Ring) SealingKeys(now time.Time) []SealingKey {
	s := r.now.Load()
	var keys []SealingKey
	for e := wire.EpochAt(now); e <= wire.EpochAt(now)+1; e++ {
		if k := s.epochs[e]; k != nil {
			keys = append(keys, SealingKey{Epoch: e, Public: k.seal.Public().Marshal(), NotBefore: (e - 1).End()})
		}
	}
	return keys
}

// Seal returns the private key that opens what was sealed to id, or nil if it was
// never there or has been deleted.
func (r *Ring) Seal(id wire.KeyID) *address.SealPrivate { return r.now.Load().seals[id] }

// AddressSecret returns what addresses of an epoch are minted from, a week's or, for
// a lifeline, a year's.
func (r *Ring) AddressSecret(e wire.Epoch, caps wire.Caps) (address.Secret, bool) {
	s := r.now.Load()
	if caps&wire.CapLifeline != 0 {
		secret, ok := s.lifelines[e]
		return secret, ok
	}
	if k := s.epochs[e]; k != nil {
		return k.secret, true
	}
	return address.Secret{}, false
}

// ReplayID is the keyed digest under which a put is remembered until the end of the
// week of its notAfter. It fails when the week's key is not there.
func (r *Ring) ReplayID(week wire.Epoch, mb wire.MailboxID, payload wire.PayloadHash) ([16]byte, bool) {
	key, ok := r.now.Load().replay[week]
	if !ok {
		return [16]byte{}, false
	}
	mac := wire.MAC(key[:], labelReplay, mb[:], payload[:])
	return [16]byte(mac[:16]), true
}

// Slot is the account's place number n, as the log knows it.
func (r *Ring) Slot(account wire.AccountID, n uint32) [16]byte {
	key := r.now.Load().account
	mac := wire.MAC(key[:], labelSlot, account[:], []byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)})
	return [16]byte(mac[:16])
}
