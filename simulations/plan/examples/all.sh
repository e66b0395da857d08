#!/bin/sh
# Runs every scenario that ships in tier model, with ten seeds, or fewer of those that take
# long: all.sh RESULTS
# What came of each is in RESULTS/SCENARIO/sweep.html and sweep.csv.
set -eu
here=$(dirname "$0")
mkdir -p "$1"
for name in $(communicator simulate list | cut -d' ' -f1); do
	case $name in
	large) seeds=1 ;;
	colluding | observer) seeds=3 ;;
	*) seeds=10 ;;
	esac
	printf 'version: 1\nscenario: %s\nset: {tier: model}\nseeds: %d\n' "$name" "$seeds" >"$1/$name.yaml"
	communicator simulate plan "$1/$name.yaml" >"$1/$name.jsonl"
	"$here/loop.sh" "$1/$name.jsonl" "$1/$name"
done
