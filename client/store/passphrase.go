package store

import (
	"context"
	"fmt"
	"os"
)

// ChangePassphrase replaces the passphrase; [ErrWrongPassphrase] if old is not
// the present one. Processes that have the profile open keep running. After a
// crash in the middle both passphrases may open it until the next change.
//
// The file key stays: somebody with a copy of the old header, the old
// passphrase and the new file can still read it. [Store.Export] and [Import]
// make a profile under a new key.
func (s *Store) ChangePassphrase(ctx context.Context, old, fresh []byte) error {
	// The profile's write lock keeps two processes from changing it at once.
	return s.Update(ctx, func(*Tx) error {
		header, err := readHeader(s.path)
		if err != nil {
			return err
		}
		key, used, seq, err := unlock(header, old)
		if err != nil {
			return err
		}
		sealed, err := sealSlot(s.opts.Rand, kindProfile, seq+1, s.opts.KDF, fresh, key)
		if err != nil {
			return err
		}
		return replaceSlot(s.path, used, sealed)
	})
}

// replaceSlot writes the other slot, syncs, wipes the used one and syncs: at
// every moment one valid slot is on the disk.
func replaceSlot(path string, used int, sealed []byte) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	defer f.Close()
	block := make([]byte, slotBlock)
	copy(block, sealed)
	other := (used + 1) % slots
	for _, w := range []struct {
		index int
		block []byte
	}{{other, block}, {used, make([]byte, slotBlock)}} {
		if _, err := f.WriteAt(w.block, int64(w.index)*slotBlock); err != nil {
			return fmt.Errorf("store: %w", err)
		}
		if err := f.Sync(); err != nil {
			return fmt.Errorf("store: %w", err)
		}
	}
	return nil
}
