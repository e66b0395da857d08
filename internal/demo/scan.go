package demo

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// needle is something that must not be in a node's files.
type needle struct {
	what  string
	bytes []byte
}

// search reads every file of a node and reports what it found of the needles. Texts
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
		for _, what := range within(beforeZeros(content), needles) {
			found = append(found, fmt.Sprintf("%s in %s", what, filepath.Base(path)))
		}
		return nil
	})
	return found, err
}

// longest is more than any needle has, in bytes.
const longest = 64

// beforeZeros cuts off the zeros at the end of a file, which some are made of, but for
// those that a needle could end in.
func beforeZeros(content []byte) []byte {
	used := len(bytes.TrimRight(content, "\x00"))
	return content[:min(used+longest, len(content))]
}

// within says which needles some bytes hold.
func within(content []byte, needles []needle) (found []string) {
	for _, n := range needles {
		if bytes.Contains(content, n.bytes) {
			found = append(found, n.what)
		}
	}
	return found
}
