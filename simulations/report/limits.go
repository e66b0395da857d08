package report

// Bounds that keep a page quick to open, about 1.5 MB at most.
const (
	// MaxPoints is how many points of one line a page draws.
	MaxPoints = 500
	// maxPagePoints is how many points all lines of a page share.
	maxPagePoints = 36_000
	// minPoints is what a line is given even where there are many.
	minPoints = 40
	// maxTableRows is how many rows the table beside a chart has.
	maxTableRows = 60
	// maxPageCells is how many cells all tables of a page share.
	maxPageCells = 12_000
	// maxBars is how many labels a bar chart shows.
	maxBars = 32
	// maxStanding is how many letters of names fit below bars that stand.
	maxStanding = 56
	// maxMarks is how many marks a chart shows.
	maxMarks = 26
	// maxLines is how many lines a chart of a sweep draws; tables have all of them.
	maxLines = 12
	// maxScenario is how much of a scenario's text a page shows, in bytes.
	maxScenario = 64 << 10
	// maxRunFile bounds a run.json that is read, in bytes.
	maxRunFile = 64 << 20
)
