import { firstFeed } from '../../data/dataset.js';
import { type Subset, splitFeeds } from '../../data/split.js';
import { elementCount, type Tensor, type Tensors } from '../../providers/tensor.js';
import type { Geometry } from './layer-rows.js';

/** Number of training samples that every layer gets: the images of neighbouring positions are alike, so that few say little. */
const MIN_TRAINING_SAMPLES = 384;
/** Wanted rows for each input of a layer. */
const MIN_ROWS_PER_INPUT = 20;
/** Number of training samples for each validation sample. */
const TRAINING_RATIO = 6;

/** Samples that a layer's rows come from. */
export interface LayerSamples {
  readonly train: Subset;
  readonly validation: Subset;
}

/**
 * Chooses the samples for a layer. `target` computes its output, whose size tells the rows of a run. A dense layer has one row for each sample, and
 * needs many samples; a convolution has many rows. All samples if they are few.
 */
export async function samplesFor(
  { train, validation, rows, seed }: LayerSamples & { readonly rows: number; readonly seed: number },
  { groups, depth, outputs }: Geometry,
  target: (feeds: Tensors) => Promise<Tensor>,
): Promise<LayerSamples> {
  const first = await firstFeed(train.feeds);
  if (first === undefined) return { train, validation };
  const batch = Math.max(1, Object.values(first)[0]?.dims[0] ?? 1);
  const rowsOfRun = elementCount((await target(first)).dims) / (groups * outputs);
  const wanted = Math.min(rows, MIN_ROWS_PER_INPUT * depth) / Math.max(1, rowsOfRun);
  const runs = Math.ceil(Math.max(wanted, MIN_TRAINING_SAMPLES / batch));
  return {
    train: some(train, runs, seed),
    validation: some(validation, Math.ceil(runs / TRAINING_RATIO), seed),
  };
}

function some(subset: Subset, runs: number, seed: number): Subset {
  if (runs >= subset.runs) return subset;
  return splitFeeds(subset.feeds, [1], { seed, limit: runs })[0] ?? subset;
}
