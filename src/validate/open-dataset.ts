// The samples of a validation.
import { OnnxMishError, withDetails } from '../base/error.js';
import { type Dataset, type Feeds, firstFeed } from '../data/dataset.js';
import { runnableNoise } from '../data/runnable-noise.js';
import type { Session } from '../providers/provider.js';
import type { Both } from './compare.js';
import type { ValidationOptions } from './options.js';

/**
 * Makes the data set for two models, and calls `use`. Noise has sizes with which the original runs. An error of a run on noise
 * gets the advice to give samples or shapes. Throws what `data` and `use` throw, `bad-data` unless the models have the same inputs, and
 * `run-failed`.
 */
export async function withDataset<T>(
  models: Both<Session>,
  { data }: Pick<ValidationOptions, 'data'>,
  use: (dataset: Dataset<Feeds>) => Promise<T>,
): Promise<T> {
  checkInputs(models);
  const { original } = models;
  let dataset = data(original.inputs, original.outputs);
  try {
    dataset = await runnableNoise(original, dataset);
    return await use(dataset);
  } catch (error) {
    throw await withNoiseAdvice(error, dataset);
  }
}

/** Returns the error of a run on noise with the advice to give samples or shapes; any other error as it is. */
async function withNoiseAdvice(error: unknown, { source, feeds }: Dataset<Feeds>): Promise<unknown> {
  const isBare = error instanceof OnnxMishError && error.code === 'run-failed' && error.fix === undefined;
  if (!isBare || source !== 'seed') return error;
  const shapes = Object.entries((await firstFeed(feeds)) ?? {}).map(
    ([name, { dims }]) => `'${name}' [${dims}]`,
  );
  const fix = `It was fed noise for ${shapes.join(', ')}: give samples, or the shapes of its inputs`;
  return withDetails(error, { fix, option: { data: null, shapes: null } });
}

/** Throws `bad-data` unless both models have inputs of the same names, types and ranks: both get the same feeds. */
function checkInputs({ original, swapped }: Both<Session>): void {
  const list = ({ inputs }: Session, sizes: (dims: Session['inputs'][number]['dims']) => string) =>
    inputs.map(({ name, elemType, dims }) => `'${name}' (${elemType}${sizes(dims)})`).toSorted();
  const both = (sizes: Parameters<typeof list>[1]) => [list(original, sizes), list(swapped, sizes)] as const;
  const isEqual = ([before, after]: ReturnType<typeof both>) => before.join() === after.join();
  const types = both(() => '');
  if (isEqual(types) && isEqual(both(({ length }) => ` ${length}`))) return;
  const [before, after] = isEqual(types) ? both((dims) => ` [${dims.join(', ')}]`) : types;
  throw new OnnxMishError(
    'bad-data',
    `the inputs of the swapped model are ${after.join(', ')}, and those of the original ${before.join(', ')}`,
    { fix: 'Give a model and its swapped model' },
  );
}
