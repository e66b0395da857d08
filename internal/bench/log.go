package bench

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"communicator/eventlog"
)

// LogOptions say what to append, by how many at once, and for how long altogether.
type LogOptions struct {
	Producers int           // 256 if 0
	Size      int           // of a body, in bytes; 1024 if 0
	Duration  time.Duration // of all rounds together; 10 s if 0
	Dir       string        // on the disk to measure; a temporary folder if empty
}

// LogResult compares the event log with what its disk can do. Absolute rates of
// shared machines swing between rounds; the ratio is taken within each pair.
type LogResult struct {
	Producers int `json:"producers"`
	Size      int `json:"size"`
	Rounds    int `json:"rounds"`

	Appends float64 `json:"appends_per_s"`    // median over rounds
	Disk    float64 `json:"disk_limit_per_s"` // the same of bare synced writes
	Ratio   float64 `json:"ratio"`            // median of the rounds' ratios
}

// logRounds is how often log and disk alternate.
const logRounds = 7

// Log measures durable appends with all their rows (header, body, idempotency, one
// row of a projection, signed head) against a loop that only writes the bodies into
// a preallocated file and syncs it, both committing in groups whatever is waiting.
func Log(ctx context.Context, o LogOptions, progress io.Writer) (LogResult, error) {
	if o.Producers == 0 {
		o.Producers = 256
	}
	if o.Size == 0 {
		o.Size = 1024
	}
	if o.Duration == 0 {
		o.Duration = 10 * time.Second
	}
	dir, err := os.MkdirTemp(o.Dir, "bench-log-")
	if err != nil {
		return LogResult{}, err
	}
	defer os.RemoveAll(dir)
	disk, err := newDiskLoop(filepath.Join(dir, "disk"), o.Size)
	if err != nil {
		return LogResult{}, err
	}
	defer disk.close()
	log, err := openBenchLog(filepath.Join(dir, "log"))
	if err != nil {
		return LogResult{}, err
	}
	defer log.Close()

	r := LogResult{Producers: o.Producers, Size: o.Size, Rounds: logRounds}
	each := o.Duration / (2 * logRounds)
	var appends, limits, ratios []float64
	for round := range logRounds {
		limit, err := rate(ctx, o, each, disk.append)
		if err != nil {
			return r, err
		}
		got, err := rate(ctx, o, each, appendTo(log))
		if err != nil {
			return r, err
		}
		appends, limits, ratios = append(appends, got), append(limits, limit), append(ratios, got/limit)
		fmt.Fprintf(progress, "round %d: %.0f appends/s, disk %.0f/s, ratio %.2f\n", round+1, got, limit, got/limit)
	}
	r.Appends, r.Disk, r.Ratio = median(appends), median(limits), median(ratios)
	return r, nil
}

func median(v []float64) float64 {
	slices.Sort(v)
	return v[len(v)/2]
}

// rate runs the producers for a while and returns how many appends finished in a
// second.
func rate(ctx context.Context, o LogOptions, d time.Duration, put func(context.Context, []byte) error) (float64, error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var count atomic.Int64
	var failed atomic.Pointer[error]
	var group sync.WaitGroup
	begin := time.Now()
	for range o.Producers {
		group.Go(func() {
			body := make([]byte, o.Size)
			if _, err := rand.Read(body); err != nil {
				failed.Store(&err)
				return
			}
			for time.Since(begin) < d && ctx.Err() == nil && failed.Load() == nil {
				if err := put(ctx, body); err != nil {
					failed.Store(&err)
					return
				}
				count.Add(1)
			}
		})
	}
	group.Wait()
	if err := failed.Load(); err != nil {
		return 0, *err
	}
	return float64(count.Load()) / time.Since(begin).Seconds(), ctx.Err()
}

// appendTo makes events as a receiving agent does: a mailbox, a keyed digest, a
// header of some fields and the ciphertext.
func appendTo(log eventlog.Log) func(context.Context, []byte) error {
	var next atomic.Uint64
	return func(ctx context.Context, body []byte) error {
		var stream [16]byte
		var key [32]byte
		var header [48]byte
		if _, err := rand.Read(key[:]); err != nil {
			return err
		}
		binary.BigEndian.PutUint64(stream[8:], next.Add(1)%1000)
		copy(header[:], key[:])
		_, err := log.Append(ctx, eventlog.Event{Kind: 1, Version: 1, Stream: stream[:], Key: key[:], Header: header[:], Body: body})
		return err
	}
}

func openBenchLog(dir string) (eventlog.Log, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	return eventlog.Open(dir, eventlog.Options{Signer: key, Projections: []eventlog.Projection{deliveries{}}})
}

// deliveries is a projection of the least that a mailbox needs: stream and
// sequence, with what the header says.
type deliveries struct{}

func (deliveries) Name() string { return "deliveries" }
func (deliveries) ID() byte     { return 1 }
func (deliveries) Apply(w eventlog.Writer, r eventlog.Record, _ []byte) error {
	key := binary.BigEndian.AppendUint64(append(make([]byte, 0, 24), r.Stream...), r.Seq)
	return w.Set(key, r.Header)
}
