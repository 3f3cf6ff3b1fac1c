#!/bin/bash
#SBATCH --job-name=onnx-mish
#SBATCH --array=1-4
#SBATCH --cpus-per-task=4
#SBATCH --time=08:00:00
#SBATCH --requeue

# Each task of the array trains a quarter of the runs. A task that is started again goes on.
set -euo pipefail
onnx-mish experiment model.onnx --data train.npz --labels y --test test.npz \
  --seeds 4 --jobs "${SLURM_CPUS_PER_TASK:-1}" --shard auto --resume -o result.json
