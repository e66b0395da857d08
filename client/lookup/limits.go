package lookup

import "time"

const (
	// sourceTimeout bounds asking one directory for one thing.
	sourceTimeout = 15 * time.Second
	// vetoTimeout bounds asking all the directories of a namespace for vetoes.
	vetoTimeout = 5 * time.Second
	// refreshEvery is how often newer manifests are asked for, refreshTimeout for how long.
	refreshEvery, refreshTimeout = 24 * time.Hour, 15 * time.Second
	// maxEntries is through how many nodes the overlay is entered at most.
	maxEntries = 32
	// maxBetween is how many versions of a name between two looks are read.
	maxBetween = 64
	// maxSources is how many directories of a namespace are asked at most.
	maxSources = 8
	// maxProofFile bounds a file with a proof: manifests, names and a staple.
	maxProofFile = 1 << 20
	// maxRow bounds a row of the memory.
	maxRow = 20 << 20
)
