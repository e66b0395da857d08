package lookup

import (
	"bytes"
	"os"
	"testing"

	"communicator/directory/proof"
)

// FuzzParseFile: a file that parses encodes back to the same bytes.
func FuzzParseFile(f *testing.F) {
	for _, path := range []string{"testdata/alice.proof", "testdata/delegated.proof"} {
		file, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(file)
		f.Add(file[:len(file)-1])
		f.Add(append(bytes.Clone(file), 0))
	}
	f.Add([]byte(labelFile))
	f.Fuzz(func(t *testing.T, file []byte) {
		path, err := parseFile(file)
		if err != nil {
			return
		}
		full := proof.FullName{Labels: make([]proof.Name, len(path))}
		again, err := marshalFile(full, path)
		if err != nil || !bytes.Equal(again, file) {
			t.Errorf("another file comes of it: %v", err)
		}
	})
}
