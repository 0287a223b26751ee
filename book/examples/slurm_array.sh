#!/bin/bash
#SBATCH --job-name=rxrx
#SBATCH --array=1-16
#SBATCH --partition=gpu
#SBATCH --gres=gpu:1
#SBATCH --cpus-per-task=8
#SBATCH --mem=64G
#SBATCH --time=24:00:00
#SBATCH --requeue
#SBATCH --open-mode=append

# sbatch slurm_array.sh --profile paper --data DIR --runs DIR
rxrx run "$@" --shard "$SLURM_ARRAY_TASK_ID/$SLURM_ARRAY_TASK_COUNT"
