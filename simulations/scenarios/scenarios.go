// Package scenarios are the scenarios that ship: each a question about a network of agents,
// told in its file's first comment.
package scenarios

import (
	"embed"
	"io/fs"
	"strings"

	"communicator/simulations/scenario"
)

//go:embed *.yaml
var files embed.FS

// Names lists them.
func Names() (names []string) {
	entries, err := fs.ReadDir(files, ".")
	if err != nil {
		panic(err) // it is part of the program
	}
	for _, e := range entries {
		names = append(names, strings.TrimSuffix(e.Name(), ".yaml"))
	}
	return names
}

// Text is the file of the one with the name.
//
// Errors: [fs.ErrNotExist].
func Text(name string) ([]byte, error) { return files.ReadFile(name + ".yaml") }

// Read reads the one with the name, with settings ("KEY=VALUE") applied.
//
// Errors: [fs.ErrNotExist], [scenario.Problems].
func Read(name string, settings ...string) (*scenario.Scenario, error) {
	b, err := Text(name)
	if err != nil {
		return nil, err
	}
	return scenario.Parse(name+".yaml", b, settings...)
}
