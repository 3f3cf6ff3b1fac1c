// Runs of a model on labelled samples, without their targets.
import type { LazyFeeds } from '../data/dataset.js';
import type { EditableModel } from '../providers/loaded-model.js';
import { batchArrays } from '../train/batches.js';
import { RUN_SAMPLES } from './limits.js';
import type { LabelledPart } from './split-data.js';

/** Returns runs of the first samples of a part, which are read on each pass. A model's fixed batch size decides on theirs. */
export function feedsOf(
  { inputs: samples, count }: LabelledPart,
  { document: { graph } }: EditableModel,
  maxSamples: number,
  maxBatch = RUN_SAMPLES,
): LazyFeeds & { readonly samples: number } {
  const fixed = graph.inputs
    .filter(({ name }) => !graph.initializers.has(name))
    .map(({ dims }) => dims?.[0])
    .find((dim) => typeof dim === 'number' && dim > 0);
  const batch = typeof fixed === 'number' ? fixed : Math.min(RUN_SAMPLES, maxBatch, count);
  const runs = Math.floor(Math.min(count, maxSamples) / batch);
  async function* read() {
    for (let run = 0; run < runs; run++) {
      const feed = batchArrays(samples, batch);
      const indices = Uint32Array.from({ length: batch }, (_, place) => run * batch + place);
      await samples.read(indices, feed);
      yield feed;
    }
  }
  return { length: runs, samples: runs * batch, [Symbol.asyncIterator]: read };
}
