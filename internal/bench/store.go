package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"syscall"

	"communicator/eventlog"
	"communicator/mailbox/admit"
	"communicator/wire"
)

// StoreResult is what stored deliveries take on disk. Sizes are of allocated blocks,
// in bytes, without the ballast file.
type StoreResult struct {
	Deliveries int   `json:"deliveries"`
	Size       int   `json:"size"`
	Stored     int64 `json:"stored_bytes"`
	// Overhead is what a delivery takes beyond 1.15 × its ciphertext.
	Overhead float64 `json:"overhead_bytes_per_delivery"`
	// AfterCollecting is what is left once 90 % was collected and reclaimed, and Ratio
	// that against the payloads still stored.
	AfterCollecting int64   `json:"after_collecting_bytes"`
	Ratio           float64 `json:"ratio_to_live"`
}

// cipherShare is how much of its ciphertext a delivery may take for rows and files.
const cipherShare = 1.15

// Store measures the disk that deliveries take, and what collecting 90 % gives back.
func Store(ctx context.Context, o StockOptions, progress io.Writer) (r StoreResult, err error) {
	s, err := newStock(ctx, o, progress)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	r.Deliveries, r.Size = o.Deliveries, o.Size
	if r.Stored, err = s.diskUse(); err != nil {
		return r, err
	}
	r.Overhead = float64(r.Stored)/float64(o.Deliveries) - cipherShare*float64(o.Size)
	fmt.Fprintf(progress, "%d bytes on disk; collecting nine of ten\n", r.Stored)
	log, err := s.openLog()
	if err != nil {
		return r, err
	}
	live, err := collectMost(ctx, log)
	if err == nil {
		err = log.Reclaim(ctx)
	}
	if err = errors.Join(err, log.Close()); err != nil {
		return r, err
	}
	if r.AfterCollecting, err = s.diskUse(); err != nil {
		return r, err
	}
	r.Ratio = float64(r.AfterCollecting) / float64(live*(o.Size+wire.WrapOverhead))
	return r, nil
}

// collectMost erases nine deliveries of ten and returns how many are left.
func collectMost(ctx context.Context, log eventlog.Log) (live int, err error) {
	spent := map[wire.MailboxID][]uint64{}
	erase := func(mb wire.MailboxID) error {
		_, err := log.Append(ctx, eventOf(admit.Collected{Mailbox: mb, Positions: spent[mb]}, nil))
		delete(spent, mb)
		return err
	}
	for r, err := range log.Records(1) {
		if err != nil {
			return 0, err
		}
		if r.Kind != eventlog.Kind(admit.KindDelivered) {
			continue
		}
		if r.Seq%10 == 0 {
			live++
			continue
		}
		mb := wire.MailboxID(r.Stream)
		if spent[mb] = append(spent[mb], r.Seq); len(spent[mb]) == admit.MaxPositions {
			if err := erase(mb); err != nil {
				return 0, err
			}
		}
	}
	for mb := range spent {
		if err := erase(mb); err != nil {
			return 0, err
		}
	}
	return live, nil
}

// diskUse is what the log's folder takes on disk. Badger makes sparse files, so blocks
// are counted, not lengths.
func (s *stock) diskUse() (bytes int64, err error) {
	err = filepath.WalkDir(filepath.Join(s.agent.Dir, "log"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || d.Name() == eventlog.BallastName {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		stat, ok := info.Sys().(*syscall.Stat_t)
		if !ok {
			return errors.New("bench: no block counts on this system")
		}
		bytes += stat.Blocks * 512 // st_blocks is in units of 512 bytes (stat(2))
		return nil
	})
	return bytes, err
}
