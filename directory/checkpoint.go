package directory

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"communicator/directory/proof"
	"communicator/eventlog"
	"communicator/wire"
)

// signer signs one namespace's checkpoints. There is one at a time, and none is shown
// before it lies in the [CheckpointStore].
type signer struct {
	d *Directory
	s *space

	turn   chan struct{} // holds a value while nobody signs; its taker owns last's change
	last   atomic.Pointer[signed]
	frozen atomic.Bool

	mu    sync.Mutex // guards given, the newest last: those that may be cosigned
	given []given
}

// signed is a checkpoint that was given out.
type signed struct {
	size uint64
	root tlog.Hash
	at   time.Time
	key  proof.Key // the log's, by which it is signed
	note []byte
}

// given is one with the cosignatures gathered for it so far.
type given struct {
	*signed
	with []byte
}

func newSigner(d *Directory, s *space) *signer {
	g := &signer{d: d, s: s, turn: make(chan struct{}, 1)}
	g.turn <- struct{}{}
	return g
}

func (g *signer) isFrozen() bool { return g.frozen.Load() }

// check compares the log with the newest checkpoint that this directory signed. If the
// log does not continue it, nothing is signed, and no name registered, until the
// authority has submitted again what is missing, in its order and with its openings.
func (g *signer) check() error {
	note, err := g.d.cfg.Checkpoints.Load(g.s.ns)
	if note == nil || err != nil {
		return err
	}
	last, err := readNote(note, g.s.current())
	if err != nil {
		return fmt.Errorf("directory: stored checkpoint: %w", err)
	}
	err = g.d.cfg.Log.View(func(tables eventlog.Tables) error {
		r := tables.Table(wire.TableDirectory)
		row, err := loadSpace(r, g.s.ns)
		if err != nil || row == nil {
			return errors.Join(err, wire.ErrMalformed)
		}
		if uint64(last.Size) > row.leaves {
			return ErrFrozen
		}
		root, err := tlog.TreeHash(last.Size, tree(r, row.number))
		if err == nil && root != last.Root {
			err = ErrFrozen
		}
		return err
	})
	g.frozen.Store(errors.Is(err, ErrFrozen))
	if g.isFrozen() {
		g.d.cfg.Logger.Error("a namespace's log does not continue its last checkpoint: nothing is signed for it",
			"namespace", g.s.ns.String())
		return nil
	}
	return err
}

// newest returns a checkpoint of the tree as it is committed, or of a bigger one. An
// empty log has none: [wire.StatusNotFound].
func (g *signer) newest() (*signed, error) {
	if g.isFrozen() {
		return nil, refuse(wire.StatusReadOnly, retryDamage)
	}
	size, root, err := g.read()
	if err != nil {
		return nil, err
	}
	if size == 0 {
		return nil, refuse(wire.StatusNotFound, 0)
	}
	if last := g.fresh(size); last != nil {
		return last, nil
	}
	select {
	case <-g.turn:
	case <-g.d.ctx.Done():
		return nil, ErrClosed
	}
	defer func() { g.turn <- struct{}{} }()
	if last := g.fresh(size); last != nil {
		return last, nil
	}
	return g.sign(size, root)
}

// fresh returns the last checkpoint if it covers size, is not old, and is signed by the
// log's present key.
func (g *signer) fresh(size uint64) *signed {
	last := g.last.Load()
	if last == nil || last.size < size || last.key != g.s.current().Current().Log || last.size == size && g.d.cfg.Now().Sub(last.at) >= checkpointAge {
		return nil
	}
	return last
}

// read returns the committed tree.
func (g *signer) read() (size uint64, root tlog.Hash, err error) {
	err = g.d.cfg.Log.View(func(tables eventlog.Tables) error {
		r := tables.Table(wire.TableDirectory)
		row, err := loadSpace(r, g.s.ns)
		if err != nil || row == nil {
			return errors.Join(err, wire.ErrMalformed)
		}
		if size = row.leaves; size == 0 {
			return nil
		}
		root, err = tlog.TreeHash(int64(size), tree(r, row.number))
		return err
	})
	return size, root, err
}

// sign runs for the holder of the turn.
func (g *signer) sign(size uint64, root tlog.Hash) (*signed, error) {
	if !g.d.cfg.ClockTrusted() {
		if last := g.last.Load(); last != nil && last.size >= size {
			return last, nil
		}
		return nil, refuse(wire.StatusTryAgain, retryClock)
	}
	if err := g.d.holdsKey(g.s.ns, g.s.current().Current()); err != nil {
		return nil, err
	}
	key, _ := g.d.cfg.Keys.Log(g.s.ns)
	c := &signed{size: size, root: root, at: g.d.seconds(), key: proof.KeyOf(key.Public().(ed25519.PublicKey))}
	var err error
	c.note, err = proof.SignCheckpoint(proof.Checkpoint{NS: g.s.ns, Size: int64(size), Root: root, Time: c.at}, key)
	if err != nil {
		return nil, err
	}
	if err := g.d.cfg.Checkpoints.Save(g.s.ns, c.note); err != nil {
		return nil, fmt.Errorf("directory: keeping a checkpoint: %w", err)
	}
	g.last.Store(c)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.given = append(g.given[max(0, len(g.given)-keptCheckpoints+1):len(g.given):len(g.given)], given{c, c.note})
	return c, nil
}

// covering returns the checkpoint that an attestation of a leaf is given with: the
// newest, or where the namespace asks for witnesses the newest that they cosigned.
func (g *signer) covering(leaf uint64) (size uint64, note []byte, err error) {
	if g.s.current().Current().WitnessThreshold == 0 {
		c, err := g.newest()
		if err != nil {
			return 0, nil, err
		}
		return c.size, c.note, nil
	}
	err = g.d.cfg.Log.View(func(tables eventlog.Tables) error {
		row, err := tables.Table(wire.TableDirectory).Get(nsKey(rowCosigned, g.s.number))
		note = bytes.Clone(row)
		return err
	})
	if err != nil {
		return 0, nil, err
	}
	if note != nil {
		// Witnesses may have been replaced since: then it counts no more.
		c, err := proof.OpenCheckpoint(note, g.s.ns, g.s.current().Current())
		if err == nil && uint64(c.Size) > leaf {
			return uint64(c.Size), note, nil
		}
	}
	return 0, nil, refuse(wire.StatusTryAgain, retryWitness)
}

// cosign adds cosignatures to a checkpoint that was given out, and returns it once
// enough witnesses have signed it; nil before.
func (g *signer) cosign(note []byte, lines [][]byte) (cosigned []byte, err error) {
	chain := g.s.current()
	g.mu.Lock()
	defer g.mu.Unlock()
	for i, c := range g.given {
		if !bytes.Equal(note, c.note) {
			continue
		}
		with, err := proof.AddCosignatures(c.with, g.s.ns, chain.Current(), lines...)
		if err != nil {
			return nil, err
		}
		g.given[i].with = with
		if _, err := proof.OpenCheckpoint(with, g.s.ns, chain.Current()); err != nil {
			return nil, nil // not enough yet
		}
		return with, nil
	}
	return nil, refuse(wire.StatusNotFound, 0)
}

// readNote reads a checkpoint that this directory signed, under whichever manifest had
// its log key, with any number of cosignatures.
func readNote(note []byte, chain proof.Chain) (proof.Checkpoint, error) {
	var err error
	for n := chain.Current().Number; n > 0; n-- {
		var m proof.Manifest
		if m, err = chain.Manifest(n); err != nil {
			break
		}
		m.WitnessThreshold = 0
		var c proof.Checkpoint
		if c, err = proof.OpenCheckpoint(note, chain.NSID(), m); err == nil {
			return c, nil
		}
	}
	return proof.Checkpoint{}, err
}
