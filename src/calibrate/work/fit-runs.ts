import type { Dataset, Feeds } from '../../data/dataset.js';
import { splitRuns } from '../../data/split-runs.js';
import type { SessionOptions } from '../../providers/provider.js';
import type { RunCosts } from './run-costs.js';

/** Maximum number of elements of the largest tensor in a run. Mish holds several such tensors at a time. */
const MAX_TENSOR_ELEMENTS = 2 ** 23;

/** Number of elements of the largest tensor of a run up to which ONNX Runtime may plan the memory of a run as one block. */
const MAX_PATTERN_ELEMENTS = 2 ** 23;

/**
 * Returns the session options for runs of these costs. Large tensors get no memory pattern: from the second run on, ONNX Runtime would
 * allocate a block for a whole run in addition to the memory of the first one.
 */
export function leanSession(
  { batch, largest }: RunCosts,
  session: SessionOptions | undefined,
): SessionOptions | undefined {
  return batch * largest <= MAX_PATTERN_ELEMENTS ? session : { memoryPattern: false, ...session };
}

/** Splits the runs of a data set whose tensors would take too much memory, where the model accepts fewer samples. */
export function fitRuns(
  dataset: Dataset<Feeds>,
  costs: RunCosts,
): { readonly dataset: Dataset<Feeds>; readonly costs: RunCosts } {
  if (dataset.samples !== undefined) return { dataset, costs };
  const parts = partsFor(costs, costs.largest, MAX_TENSOR_ELEMENTS);
  if (parts === 1) return { dataset, costs };
  const feeds = splitRuns(dataset.feeds, parts);
  return { dataset: { ...dataset, feeds }, costs: { ...costs, batch: costs.batch / parts } };
}

/** Returns into how many equal parts to split runs, so that `size` elements for each sample stay within a limit. */
export function partsFor({ batch, splits }: RunCosts, size: number, limit: number): number {
  if (!splits) return 1;
  for (let parts = 1; parts < batch; parts++)
    if (batch % parts === 0 && (batch / parts) * size <= limit) return parts;
  return batch;
}
