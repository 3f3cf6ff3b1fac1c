// Runs of several samples, which are faster than runs of single samples.

import { ownProperty } from '../../base/own.js';
import { seededFeeds } from '../../data/dataset.js';
import { type DataMaker, inBatches } from '../../data/in-batches.js';
import { scaleDoubt } from '../../data/scale-doubt.js';
import { ANY, resolveShape, settleShapes } from '../../data/shapes.js';
import { getProvider } from '../../node/provider-by-name.js';
import type { RunnableModel, SessionOptions, ValueInfo } from '../../providers/provider.js';
import type { DataFlags } from '../options/data-options.js';
import { withFlags } from '../text/flags.js';
import { sayNote } from '../text/say.js';
import { NOISE, readData, shapeOptions } from './read-data.js';

/**
 * Reads the data of the flags; noise has at least `samples` samples. Uses runs of several samples if the model has a batch
 * dimension without a given size, and if a run of several samples gives the same as single runs.
 */
export async function readInBatches(
  model: RunnableModel,
  flags: DataFlags,
  samples: number,
  options: SessionOptions,
): Promise<DataMaker> {
  const read = flags.data === NOISE ? noise(flags, samples) : await readData(flags, samples);
  if (flags.images !== undefined) return read;
  const session = await getProvider('cpu').open(model, options);
  try {
    const { inputs, outputs } = session;
    if (flags.data !== NOISE) {
      const doubt = await scaleDoubt(read(inputs, outputs, { '*': 1 }).feeds, (feeds) => session.run(feeds));
      if (doubt !== undefined) sayNote(withFlags(doubt.text, doubt.option));
    }
    return await inBatches(session, read, (symbol) => isGiven(symbol, inputs, flags));
  } finally {
    await session.close();
  }
}

function noise(flags: DataFlags, samples: number): DataMaker {
  return (inputs, _outputs, dims) => {
    const { shapes, dims: given } = shapeOptions(flags);
    const shape = { shapes, dims: { ...dims, ...given } };
    const [each = 1] = inputs[0] === undefined ? [] : resolveShape(inputs[0], settleShapes(inputs, shape));
    return seededFeeds(inputs, { ...shape, seed: flags.seed, count: Math.ceil(samples / Math.max(1, each)) });
  };
}

function isGiven(symbol: string, inputs: readonly ValueInfo[], flags: DataFlags): boolean {
  const { shapes, dims } = shapeOptions(flags);
  return (
    ownProperty(dims, symbol) !== undefined ||
    ownProperty(dims, ANY) !== undefined ||
    inputs.some(({ name }) => ownProperty(shapes, name) !== undefined)
  );
}
