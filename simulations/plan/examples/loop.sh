#!/bin/sh
# Runs a plan one run after another: loop.sh RUNS.jsonl RESULTS
set -eu
n=$(wc -l <"$1")
i=0
while [ "$i" -lt "$n" ]; do
	communicator simulate run --plan "$1" --index "$i" --out "$2" || [ $? -eq 1 ] # 1: an assertion is broken
	i=$((i + 1))
done
communicator simulate report "$2"
