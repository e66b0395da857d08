// Package report keeps what a simulation measured, as data and as a page to read, sets two
// runs side by side, and draws what changes over many. It is the end of a run: it knows
// the measures and nothing of how they came about.
//
// # A run's folder
//
//	run.json         what ran, how it ended, its measures, and the command that repeats it
//	metrics.csv      one row for each measure: name, value, unit, what it means
//	agents.csv       one row for each agent
//	minutes.csv      one row for each slice of virtual time
//	figures.csv      one row for each point of a chart, none left out
//	*.parquet        the same as the CSV of that name, but for the figures
//	report.html      the page
//
// Each file is written beside its place and moved there, so what has a name is whole.
// run.json comes last: a folder that has one is complete ([Done]).
//
// # run.json
//
// Times are in seconds, hashes in hexadecimal. A measure that is not a number is null, an
// infinite one is "Infinity" or "-Infinity". The scenario is the text with every key
// resolved, and its hash is SHA-256 of that text, so one file is enough to repeat the run.
//
// # Two runs, and many
//
// [Compare] sets two runs side by side: what differs in their scenarios, their measures,
// and their figures laid over each other. [Sweep] gathers the runs of a plan by the values
// of the keys that it varies, and draws medians over seeds along one of them, and what is
// learned by watchers against what keeping it from them costs: sweep.csv and sweep.parquet
// have a row for each combination, sweep.html the charts.
//
// # The page
//
// It stands alone: no script, no font, no picture and no request, so that it reads the
// same from a disk in ten years. Charts are SVG drawn by gonum/plot, with colours that
// people who see few of them can tell apart and that follow the reader's light or dark
// setting. Lines of more than [MaxPoints] points are thinned by keeping the lowest and
// highest of neighbours, so no peak goes missing. Every text that comes from a scenario is
// escaped. Beside each chart stands a table of its data.
package report
