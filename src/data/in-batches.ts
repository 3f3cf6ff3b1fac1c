// Runs of several samples, which are faster than runs of single samples.
import { OnnxMishError } from '../base/error.js';
import { ownProperty } from '../base/own.js';
import type { Session, ValueInfo } from '../providers/provider.js';
import { type Tensors, toNumbers } from '../providers/tensor.js';
import { type Dataset, type Feeds, firstFeed } from './dataset.js';
import type { ShapeOptions } from './shapes.js';

/** Makes feeds for a model's inputs and outputs; `dims` has sizes of symbols that nobody gave. */
export type DataMaker = (
  inputs: readonly ValueInfo[],
  outputs: readonly ValueInfo[],
  dims?: ShapeOptions['dims'],
) => Dataset<Feeds>;

/** Number of samples in a run, if the model accepts any number. */
const BATCH = 16;
/** Allowed difference of elements, as a share of the largest: the order of sums differs. */
const ROUNDING = 1e-2;

/**
 * Returns a maker of runs of several samples, if the model has a batch dimension without a given size, and if a run of several
 * samples gives the same as single runs. Otherwise returns a maker of single runs, or `read` itself for a given size.
 */
export async function inBatches(
  session: Session,
  read: DataMaker,
  isGiven: (symbol: string) => boolean,
): Promise<DataMaker> {
  const { inputs, outputs } = session;
  const symbol = batchSymbol([...inputs, ...outputs]);
  if (symbol === undefined || isGiven(symbol)) return read;
  const single: DataMaker = (ins, outs) => read(ins, outs, { [symbol]: 1 });
  if (single(inputs, outputs).feeds.length < 4 * BATCH) return single;
  const many: DataMaker = (ins, outs) => read(ins, outs, { [symbol]: BATCH });
  return (await givesTheSame(session, many(inputs, outputs).feeds)) ? many : single;
}

/** Returns the symbol that is the first dimension of all inputs and outputs, if any. */
function batchSymbol(values: readonly ValueInfo[]): string | undefined {
  const [first] = values[0]?.dims ?? [];
  const same = typeof first === 'string' && first !== '' && values.every(({ dims }) => dims[0] === first);
  return same ? first : undefined;
}

/** Returns whether the first run of several samples gives the same as runs of single samples. */
async function givesTheSame(session: Session, feeds: Feeds): Promise<boolean> {
  const batch = await firstFeed(feeds);
  if (batch === undefined || Object.values(batch).some(({ dims }) => dims[0] !== BATCH)) return false;
  try {
    const whole = await session.run(batch);
    for (let index = 0; index < BATCH; index++) {
      const alone = await session.run(sliceOf(batch, index));
      if (
        !Object.keys(alone).every((name) =>
          isSlice(ownProperty(whole, name), ownProperty(alone, name), index),
        )
      )
        return false;
    }
    return true;
  } catch (error) {
    if (error instanceof OnnxMishError && error.code === 'run-failed') return false;
    throw error;
  }
}

function sliceOf(batch: Tensors, index: number): Tensors {
  return Object.fromEntries(
    Object.entries(batch).map(([name, tensor]) => {
      const each = tensor.data.length / BATCH;
      const data = tensor.data.slice(index * each, (index + 1) * each) as typeof tensor.data;
      return [name, { ...tensor, dims: [1, ...tensor.dims.slice(1)], data }];
    }),
  );
}

function isSlice(whole: Tensors[string] | undefined, alone: Tensors[string] | undefined, index: number) {
  if (whole === undefined || alone === undefined) return false;
  if (alone.dims[0] !== 1 || whole.data.length !== alone.data.length * BATCH) return false;
  const [all, own] = [toNumbers(whole), toNumbers(alone)];
  if (all === undefined || own === undefined) return false;
  let scale = 0;
  for (let at = 0; at < own.length; at++) scale = Math.max(scale, Math.abs(own[at] ?? 0));
  for (let at = 0; at < own.length; at++) {
    const difference = Math.abs((own[at] ?? 0) - (all[index * own.length + at] ?? 0));
    if (difference > ROUNDING * scale) return false;
  }
  return true;
}
