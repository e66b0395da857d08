package directory

import (
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"

	"communicator/directory/proof"
	"communicator/eventlog"
	"communicator/wire"
)

// CheckDirectory verifies what must hold of a directory's log at any time: each leaf of a
// namespace's log is a statement whose tag leads to it, the tree's hashes are those of
// its leaves, each name's row has the newest of its statements, and no part of a fact is
// left over. It reads everything; nothing may be appended meanwhile.
func CheckDirectory(log eventlog.Log) error {
	return log.View(func(tables eventlog.Tables) error {
		r := tables.Table(wire.TableDirectory)
		spaces := map[proof.NSID]spaceRow{}
		var broken []error
		err := r.Scan([]byte{rowSpace}, nil, func(k, v []byte) bool {
			row, err := parseSpace(v)
			if err != nil || len(k) != 33 {
				broken = append(broken, fmt.Errorf("directory: namespace: %w", wire.ErrMalformed))
				return false
			}
			spaces[proof.NSID(k[1:])] = row
			return true
		})
		broken = append(broken, err)
		err = r.Scan([]byte{rowPart}, nil, func(_, _ []byte) bool {
			broken = append(broken, errors.New("directory: a part without its fact"))
			return true
		})
		broken = append(broken, err)
		for _, row := range spaces {
			broken = append(broken, checkLeaves(r, row))
		}
		return errors.Join(broken...)
	})
}

func checkLeaves(r eventlog.Reader, row spaceRow) error {
	newest := map[proof.Name]uint64{}
	for n := range row.leaves {
		leaf, err := load(r, nsKey64(rowLeaf, row.number, n), parseLeaf)
		if err != nil || leaf == nil {
			return fmt.Errorf("directory: leaf %d: %w", n, errors.Join(err, wire.ErrMalformed))
		}
		s, err := proof.ParseStatement(leaf.statement)
		if err != nil {
			return fmt.Errorf("directory: leaf %d: %w", n, err)
		}
		name, err := loadName(r, row.number, s.Name)
		if err != nil || name == nil {
			return fmt.Errorf("directory: leaf %d has no name: %w", n, errors.Join(err, wire.ErrMalformed))
		}
		tag := proof.Tag(name.secret, s.Version)
		at, err := leafOfTag(r, row.number, tag[:])
		if err != nil || at == nil || *at != n {
			return fmt.Errorf("directory: leaf %d is not where its tag leads: %w", n, errors.Join(err, wire.ErrMalformed))
		}
		l := logged{secret: name.secret, opening: leaf.opening, statement: leaf.statement}
		hashes, err := tree(r, row.number).ReadHashes([]int64{tlog.StoredHashIndex(0, int64(n))})
		if err != nil || hashes[0] != tlog.RecordHash(l.leaf(s.Version)) {
			return fmt.Errorf("directory: leaf %d has another hash: %w", n, errors.Join(err, wire.ErrMalformed))
		}
		newest[s.Name] = n
	}
	for name, n := range newest {
		row, err := loadName(r, row.number, name)
		if err != nil || row.leaf != n {
			return fmt.Errorf("directory: a name's newest leaf is not %d: %w", n, errors.Join(err, wire.ErrMalformed))
		}
	}
	return nil
}
