package demo

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// needle is something that must not be in an agent's files.
type needle struct {
	what  string
	bytes []byte
}

// search reads every file of an agent and reports what it found of the needles. Texts
// are never stored in the clear, collected or not, so nothing may be found, whether or
// not the log was reclaimed.
func search(dir string, needles []needle) ([]string, error) {
	var found []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, n := range needles {
			if bytes.Contains(content, n.bytes) {
				found = append(found, fmt.Sprintf("%s in %s", n.what, filepath.Base(path)))
			}
		}
		return nil
	})
	return found, err
}
