#!/bin/sh
# Runs every scenario that ships with ten seeds in tier model: all.sh RESULTS
# What came of each is in RESULTS/SCENARIO/sweep.html and sweep.csv.
set -eu
here=$(dirname "$0")
mkdir -p "$1"
for name in $(communicator simulate list | cut -d' ' -f1); do
	printf 'version: 1\nscenario: %s\nset: {tier: model}\nseeds: 10\n' "$name" >"$1/$name.yaml"
	communicator simulate plan "$1/$name.yaml" >"$1/$name.jsonl"
	"$here/loop.sh" "$1/$name.jsonl" "$1/$name"
done
