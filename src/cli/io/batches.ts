// Runs of several samples, which are faster than runs of single samples.

import { ownProperty } from '../../base/own.js';
import { seededFeeds } from '../../data/dataset.js';
import { type DataMaker, inBatches } from '../../data/in-batches.js';
import { runnableNoise } from '../../data/runnable-noise.js';
import { ANY, settleShapes } from '../../data/shapes.js';
import { onCpu } from '../../node/calibrate-files.js';
import type { LoadedModel } from '../../providers/loaded-model.js';
import type { Session, SessionOptions, ValueInfo } from '../../providers/provider.js';
import { withSession } from '../../providers/with-session.js';
import type { DataFlags } from '../options/data-options.js';
import { NOISE } from '../options/noise.js';
import { interruptible } from './exit.js';
import { readData, shapeOptions } from './read-data.js';
import { sayDoubtsIn } from './say-doubts.js';

/**
 * Reads the data of the flags; noise has at least `samples` samples. Uses runs of several samples if the model has a batch
 * dimension without a given size, and if a run of several samples gives the same as single runs.
 */
export async function readInBatches(
  model: LoadedModel,
  flags: DataFlags,
  samples: number,
  options: SessionOptions,
): Promise<DataMaker> {
  const isNoise = flags.data === NOISE;
  const given = isNoise ? noise(flags, samples) : await readData(flags, samples, { note: () => {} }); // the report contains the notes
  return withSession(model.file, onCpu({ session: options, signal: interruptible() }), async (session) => {
    await sayDoubtsIn(session, model, given, flags, options);
    const read = isNoise ? noise(flags, samples, await attemptFor(session, flags)) : given;
    if (flags.images !== undefined) return read;
    return inBatches(session, read, (symbol) => isGiven(symbol, session.inputs, flags));
  });
}

/** Returns the number of the attempt at sizes of free dimensions with which the model runs. */
async function attemptFor(session: Session, flags: DataFlags): Promise<number | undefined> {
  const { attempt } = await runnableNoise(session, noise(flags, 1)(session.inputs, session.outputs));
  return attempt;
}

function noise(flags: DataFlags, samples: number, attempt?: number): DataMaker {
  return (inputs, _outputs, dims) => {
    const { shapes, dims: given } = shapeOptions(flags);
    const shape = { shapes, dims: { ...dims, ...given } };
    const [each = 1] = settleShapes(inputs, shape, attempt).shapes[inputs[0]?.name ?? ''] ?? [];
    const count = Math.ceil(samples / Math.max(1, each));
    return seededFeeds(inputs, { ...shape, seed: flags.seed, count, attempt });
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
