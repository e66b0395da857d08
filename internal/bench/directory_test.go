package bench

import (
	"io"
	"testing"
)

func TestDirectoryMeasuresEverything(t *testing.T) {
	const statements = 300
	r, err := Directory(t.Context(), DirectoryOptions{Statements: statements, Dir: t.TempDir()}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if r.Verified <= 0 || r.Signed <= 0 || r.Contacts <= 0 || r.Inclusion <= 0 || r.InclusionP99 < r.Inclusion {
		t.Errorf("measured nothing: %+v", r)
	}
	if r.Leaves != 2*statements+1 { // the first shows the layout
		t.Errorf("%d leaves", r.Leaves)
	}
}
