#!/bin/sh
#SBATCH --job-name=communicator
#SBATCH --cpus-per-task=2
#SBATCH --mem=4G
#SBATCH --time=01:00:00
# One task of an array for each line of a plan, on a file system that all machines share:
#   sbatch --array=0-$(($(wc -l <runs.jsonl) - 1)) slurm.sh
#   communicator simulate report results      # when they have finished
exec communicator simulate run --plan runs.jsonl --index "$SLURM_ARRAY_TASK_ID" --out results --max-memory 4GiB --max-time 55m
