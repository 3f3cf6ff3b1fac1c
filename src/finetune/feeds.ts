// Runs of a model on labelled samples, without their targets.
import type { LazyFeeds } from '../data/dataset.js';
import type { EditableModel } from '../providers/loaded-model.js';
import { batchArrays } from '../train/batches.js';
import { drawn } from './drawn.js';
import { RUN_SAMPLES } from './limits.js';
import type { LabelledPart } from './split-data.js';

/** Sizes of the runs. */
export interface FeedSizes {
  /** Maximum number of samples in a run. */
  readonly maxBatch?: number | undefined;
  /** Whether samples that do not fill a run have a smaller one, if the model takes any number; they are left out by default. */
  readonly hasRest?: boolean | undefined;
}

/** Returns runs of samples of a part, drawn by `drawn` and read on each pass. Where the model fixes the batch size, the runs have it. */
export function feedsOf(
  { inputs: samples, count }: LabelledPart,
  { document: { graph } }: EditableModel,
  maxSamples: number,
  { maxBatch = RUN_SAMPLES, hasRest = false }: FeedSizes = {},
): LazyFeeds & { readonly samples: number } {
  const fixed = graph.inputs
    .filter(({ name }) => !graph.initializers.has(name))
    .map(({ dims }) => dims?.[0])
    .find((dim) => typeof dim === 'number' && dim > 0);
  const batch = typeof fixed === 'number' ? fixed : Math.min(RUN_SAMPLES, maxBatch, count);
  const most = Math.min(count, maxSamples);
  const read = hasRest && fixed === undefined ? most : most - (most % batch);
  const chosen = drawn(count, most);
  async function* feeds() {
    for (let start = 0; start < read; start += batch) {
      const indices = chosen.subarray(start, Math.min(start + batch, read));
      const feed = batchArrays(samples, indices.length);
      await samples.read(indices, feed);
      yield feed;
    }
  }
  return { length: Math.ceil(read / batch), samples: read, [Symbol.asyncIterator]: feeds };
}
