#!/bin/bash
#SBATCH --job-name=rxrx
#SBATCH --nodes=1
#SBATCH --partition=gpu
#SBATCH --gres=gpu:8
#SBATCH --cpus-per-task=64
#SBATCH --mem=512G
#SBATCH --time=24:00:00
#SBATCH --requeue
#SBATCH --open-mode=append

# sbatch slurm_torchrun.sh --profile paper --data DIR --runs DIR
torchrun --standalone --nproc-per-node 8 -m rxrx_lib.training "$@"
