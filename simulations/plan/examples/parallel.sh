#!/bin/sh
# Runs a plan on all cores with GNU parallel: parallel.sh RUNS.jsonl RESULTS
# What has finished is skipped, so it can be started again after an interruption.
set -eu
seq 0 $(($(wc -l <"$1") - 1)) |
	parallel --halt never communicator simulate run --plan "$1" --index '{}' --out "$2" ||
	true # its status counts broken assertions, which the report shows
communicator simulate report "$2"
