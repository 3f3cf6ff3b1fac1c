#!/bin/bash
#SBATCH --job-name=onnx-mish
#SBATCH --array=1-4
#SBATCH --cpus-per-task=2
#SBATCH --time=01:00:00
#SBATCH --requeue

# Each task of the array takes a quarter of the models. One part alone:
#     SHARD=3/4 sbatch --array=3 slurm.sh
set -euo pipefail
part=${SLURM_ARRAY_TASK_ID:?start this with sbatch}
onnx-mish swap "models/**/*.onnx" --out-dir swapped --target cpu --force \
  --shard "${SHARD:-auto}" --json > "swap.$part.jsonl"
onnx-mish validate "models/**/*.onnx" --swapped-dir swapped --no-latency --force \
  --shard "${SHARD:-auto}" --junit "validate.$part.xml"
