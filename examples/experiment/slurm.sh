#!/bin/bash
#SBATCH --job-name=onnx-mish
#SBATCH --array=1-4
#SBATCH --cpus-per-task=4
#SBATCH --time=08:00:00
#SBATCH --requeue

# Each task of the array trains a quarter of the runs. A task that is started again goes on; one alone:
#     SHARD=3/4 sbatch --array=3 slurm.sh
set -euo pipefail
onnx-mish experiment model.onnx --data train.npz --labels y --test test.npz \
  --seeds 4 --jobs "${SLURM_CPUS_PER_TASK:-1}" --shard "${SHARD:-auto}" --resume -o result.json
