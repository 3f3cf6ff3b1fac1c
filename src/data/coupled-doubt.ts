import { OnnxMishError } from '../base/error.js';
import type { Advice } from '../base/option-hint.js';
import { ownProperty } from '../base/own.js';
import { integer } from '../base/plural.js';
import type { ValueInfo } from '../providers/provider.js';
import type { Tensor, Tensors } from '../providers/tensor.js';
import { type Feeds, firstFeeds } from './dataset.js';
import { rowDifference } from './row-difference.js';
import { joinRuns } from './split-runs.js';

/** Difference that rounding and scales made from a whole run may cause, as a share of the largest element. */
const MAX_DIFFERENCE = 0.05;

/** A first axis that may not count samples. */
export interface Coupling {
  readonly input: ValueInfo;
  /** Whether two samples in one run get other outputs than alone, or as many outputs as one. */
  readonly given: 'other outputs' | 'no more outputs';
}

/** Describes what a model does with two samples in one run. `subject` names the model. */
export const describeCoupling = ({ input, given }: Coupling, subject: string): string =>
  `${subject} gives ${given} to two samples of '${input.name}' in one run than to each alone, so the first axis may not count samples`;

/**
 * Returns the input whose first axis may not count samples but, say, the steps of a sequence: the original gives other outputs to
 * two samples in one run than to each alone, or no more outputs to two than to one. Undefined for a model that draws random
 * numbers. Looks at runs of one sample, and at inputs whose first dimension is free. Throws what `run` throws, but for `run-failed`
 * with two samples.
 */
export async function findCoupling(
  feeds: Feeds,
  run: (feeds: Tensors) => Promise<Tensors>,
  inputs: readonly ValueInfo[],
  outputs: readonly string[],
): Promise<Coupling | undefined> {
  const free = inputs.filter(({ dims: [first] }) => typeof first === 'string');
  const names = free.map(({ name }) => name);
  const [input] = free;
  const [first, second] = await firstFeeds(feeds, 2);
  if (input === undefined || first === undefined || second === undefined) return undefined;
  if ([first, second].some((feed) => names.some((name) => feed[name]?.dims[0] !== 1))) return undefined;
  const both = await run({ ...first, ...joinRuns([first, second], names) }).catch((error: unknown) => {
    if (error instanceof OnnxMishError && error.code === 'run-failed') return undefined;
    throw error;
  });
  if (both === undefined) return undefined;
  const alone = [await run(first), await run(second)];
  const pairs = outputs.map((name) => ({
    together: ownProperty(both, name),
    alone: alone.map((results) => ownProperty(results, name)),
  }));
  const differ = pairs.some((pair) =>
    pair.alone.some((one, row) => differs(pair.together, one, { row, samples: 2 })),
  );
  if (differ) {
    const again = await run(first);
    const isRandom = outputs.some((name) =>
      differs(ownProperty(again, name), ownProperty(alone[0] ?? {}, name), { row: 0, samples: 1 }),
    );
    if (isRandom) return undefined; // the same sample has other outputs, too
  }
  if (!differ && !pairs.every((pair) => pair.alone.every((one) => hasSameShape(pair.together, one))))
    return undefined;
  return { input, given: differ ? 'other outputs' : 'no more outputs' };
}

/**
 * Returns advice to run all samples at once, if the original couples them, see `findCoupling`. Throws what `findCoupling` throws.
 */
export async function coupledDoubt(...given: Parameters<typeof findCoupling>): Promise<Advice | undefined> {
  const coupling = await findCoupling(...given);
  if (coupling === undefined) return undefined;
  const [feeds] = given;
  const { input } = coupling;
  const [symbol] = input.dims;
  const [first] = await firstFeeds(feeds, 1);
  const shape = [feeds.length, ...(first?.[input.name]?.dims.slice(1) ?? [])];
  return {
    text: `${describeCoupling(coupling, 'the original')}. If ${integer(feeds.length)} of them belong together, say so`,
    option: symbol ? { dims: { [symbol]: feeds.length } } : { shapes: { [input.name]: shape } },
  };
}

/** Returns whether a row of a run's output is another than the output of the sample alone; false if it is not one row. */
const differs = (...given: Parameters<typeof rowDifference>) =>
  (rowDifference(...given) ?? 0) > MAX_DIFFERENCE;

const hasSameShape = (a: Tensor | undefined, b: Tensor | undefined) =>
  a !== undefined && a.dims.join() === b?.dims.join();
