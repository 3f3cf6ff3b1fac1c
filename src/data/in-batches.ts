// Runs of several samples, which are faster than runs of single samples.
import { OnnxMishError } from '../base/error.js';
import { ownProperty } from '../base/own.js';
import type { Session, ValueInfo } from '../providers/provider.js';
import type { Tensors } from '../providers/tensor.js';
import { type Dataset, type Feeds, firstFeed } from './dataset.js';
import { rowDifference } from './row-difference.js';
import type { ShapeOptions } from './shapes.js';
import { sliceRun } from './split-runs.js';

/** Makes feeds for a model's inputs and outputs; `dims` has sizes of symbols that nobody gave. */
export type DataMaker = (
  inputs: readonly ValueInfo[],
  outputs: readonly ValueInfo[],
  dims?: ShapeOptions['dims'],
) => Dataset<Feeds>;

/** Largest number of samples in a run, if the model accepts any number. */
const MAX_BATCH = 16;
/** Minimum number of samples for which batches save time: the check of a batch also runs its samples one by one. */
const MIN_FEEDS = 4 * MAX_BATCH;
/** Maximum number of elements in the inputs of a run: tensors inside the model are often 64 times as large. */
const MAX_INPUT_ELEMENTS = 2 ** 17;
/** Allowed difference of elements, as a share of the largest: the order of sums differs. */
const ROUNDING = 1e-2;

/**
 * Returns a maker of runs of several samples, if the model has a batch dimension without a given size, and if a run of several
 * samples gives the same as single runs. Otherwise returns a maker of single runs. Returns `read` itself for a model without such a
 * dimension.
 */
export async function inBatches(
  session: Session,
  read: DataMaker,
  isGiven: (symbol: string) => boolean,
): Promise<DataMaker> {
  const { inputs, outputs } = session;
  const symbol = batchSymbol([...inputs, ...outputs]);
  if (symbol === undefined || isGiven(symbol)) return read;
  const inRunsOf =
    (samples: number): DataMaker =>
    (ins, outs) =>
      read(ins, outs, { [symbol]: samples });
  const single = inRunsOf(1);
  const { feeds } = single(inputs, outputs);
  if (feeds.length < MIN_FEEDS) return single;
  const largest = batchFor((await firstFeed(feeds)) ?? {});
  for (let batch = largest; batch > 1; batch /= 2) {
    const many = inRunsOf(batch);
    const runs = feedsIfFull(() => many(inputs, outputs));
    if (runs !== undefined) return (await givesTheSame(session, runs, batch)) ? many : single;
  }
  return single;
}

/** Returns the feeds of a data set; undefined if its samples do not fill the last run, which images have to. */
function feedsIfFull(make: () => Dataset<Feeds>): Feeds | undefined {
  try {
    return make().feeds;
  } catch (error) {
    if (error instanceof OnnxMishError && error.code === 'bad-data') return undefined;
    throw error;
  }
}

/** Returns the largest batch, a power of 2, whose inputs are not too large. */
function batchFor(sample: Tensors): number {
  const elements = Object.values(sample).reduce((sum, { data }) => sum + data.length, 0);
  let batch = MAX_BATCH;
  while (batch > 1 && batch * elements > MAX_INPUT_ELEMENTS) batch /= 2;
  return batch;
}

/** Returns the symbol that is the first dimension of all inputs and outputs, if any. */
function batchSymbol(values: readonly ValueInfo[]): string | undefined {
  const [first] = values[0]?.dims ?? [];
  const same = typeof first === 'string' && first !== '' && values.every(({ dims }) => dims[0] === first);
  return same ? first : undefined;
}

/** Returns whether the first run of several samples gives the same as runs of single samples. */
async function givesTheSame(session: Session, feeds: Feeds, samples: number): Promise<boolean> {
  const batch = await firstFeed(feeds);
  if (batch === undefined || Object.values(batch).some(({ dims }) => dims[0] !== samples)) return false;
  try {
    const whole = await session.run(batch);
    for (let index = 0; index < samples; index++) {
      const alone = await session.run(sliceRun(batch, index, index + 1));
      for (const name of Object.keys(alone)) {
        const outputs = [ownProperty(whole, name), ownProperty(alone, name)] as const;
        const difference = rowDifference(...outputs, { row: index, samples });
        if (difference === undefined || difference > ROUNDING) return false;
      }
    }
    return true;
  } catch (error) {
    if (error instanceof OnnxMishError && error.code === 'run-failed') return false;
    throw error;
  }
}
