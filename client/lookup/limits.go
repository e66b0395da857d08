package lookup

import "time"

const (
	// sourceTimeout bounds asking one directory for one thing.
	sourceTimeout = 15 * time.Second
	// maxSources is how many directories of a namespace are asked at most.
	maxSources = 8
	// maxProofFile bounds a file with a proof: manifests, names and a staple.
	maxProofFile = 1 << 20
	// maxRow bounds a row of the memory.
	maxRow = 20 << 20
)
