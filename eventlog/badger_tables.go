package eventlog

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"
	"github.com/dgraph-io/badger/v4/table"
	"golang.org/x/sync/errgroup"
)

// checkedAlways is how many bytes of tables every start reads; more are left to the
// scrub if the log was closed in order.
const checkedAlways = 256 << 20

// checkTables verifies the checksums of the store's tables in dir before Badger sees
// them. Badger takes a damaged block for an empty one: a row in it does not exist, and a
// compaction drops it for good. It returns the newest version that one of them has,
// unless it left them alone.
func checkTables(dir string, clean bool) (newest uint64, err error) {
	names, err := liveTables(dir)
	if err != nil {
		return 0, err
	}
	var total int64
	for _, name := range names {
		if info, err := os.Stat(name); err == nil {
			total += info.Size()
		}
	}
	if clean && total > checkedAlways {
		return 0, nil
	}
	found := make([]error, len(names))
	versions := make([]uint64, len(names))
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i, name := range names {
		group.Go(func() error {
			versions[i], found[i] = checkTable(name)
			return nil
		})
	}
	_ = group.Wait()
	return slices.Max(append(versions, 0)), worst(found)
}

// liveTables names the tables that the manifest lists. Others were being made when the
// process was killed, or were about to be removed: Badger drops them when it opens.
func liveTables(dir string) ([]string, error) {
	f, err := os.Open(filepath.Join(dir, badger.ManifestFilename))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // a new store
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	manifest, _, err := badger.ReplayManifestFile(f, 0, badger.DefaultOptions(dir).WithLogger(nil))
	if err != nil {
		return nil, &DamageError{Part: "store", Reason: "manifest", Err: storeError("verify", err)}
	}
	names := make([]string, 0, len(manifest.Tables))
	for id := range manifest.Tables {
		names = append(names, table.NewFilename(id, dir))
	}
	slices.Sort(names)
	return names, nil
}

// worst prefers damage over which the store does not even open.
func worst(found []error) (err error) {
	for _, e := range found {
		var blocks *tableDamage
		if e != nil && (err == nil || !errors.As(e, &blocks)) {
			err = e
		}
	}
	return err
}

// checkTable returns the newest version in the table.
func checkTable(name string) (newest uint64, err error) {
	damaged := func(cause error) error {
		return &DamageError{Part: "store", Reason: "table " + filepath.Base(name), Err: storeError("verify", cause)}
	}
	data, err := os.ReadFile(name)
	if err != nil {
		return 0, damaged(err)
	}
	id, err := strconv.ParseUint(strings.TrimSuffix(filepath.Base(name), ".sst"), 10, 64)
	if err != nil {
		return 0, nil // not one of Badger's
	}
	defer func() {
		if p := recover(); p != nil {
			err = damaged(fmt.Errorf("%v", p))
		}
	}()
	t, err := table.OpenInMemoryTable(data, id, &table.Options{Compression: options.None, ChkMode: options.OnBlockRead})
	if err != nil {
		return 0, damaged(err)
	}
	if err := t.VerifyChecksum(); err != nil {
		return 0, &tableDamage{damaged(err)}
	}
	return t.MaxVersion(), nil
}

// tableDamage is damage in a table's blocks alone: its index is whole, so the store
// opens and everything else in it can be read.
type tableDamage struct{ error }

func (t *tableDamage) Unwrap() error { return t.error }

// dirSize is what the files in dir take on the disk: Badger's files are sparse.
func dirSize(dir string) (total int64) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return 0
	}
	for _, e := range entries {
		if info, err := e.Info(); err == nil {
			total += allocated(info)
		}
	}
	return total
}
