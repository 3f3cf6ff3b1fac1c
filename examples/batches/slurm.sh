#!/bin/bash
#SBATCH --job-name=onnx-mish
#SBATCH --array=1-4
#SBATCH --cpus-per-task=2
#SBATCH --time=01:00:00
#SBATCH --requeue

# Each task of the array takes a quarter of the models.
set -euo pipefail
part=${SLURM_ARRAY_TASK_ID:?start this with sbatch}
onnx-mish swap "models/**/*.onnx" --out-dir swapped --target cpu --force \
  --shard auto --json > "swap.$part.jsonl"
onnx-mish validate "models/**/*.onnx" --swapped-dir swapped --no-latency --force \
  --shard auto --junit "validate.$part.xml"
