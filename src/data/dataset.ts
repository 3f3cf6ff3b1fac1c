import { OnnxMishError } from '../base/error.js';
import type { OptionHint } from '../base/option-hint.js';
import { integer, plural } from '../base/plural.js';
import { createRandom, normal, type Random } from '../base/random.js';
import { toBfloat16, toHalf } from '../onnx/scalar.js';
import { CONTAINER_TYPE } from '../providers/ort-types.js';
import type { ValueInfo } from '../providers/provider.js';
import { arrayFor, elementCount, type Tensor, type Tensors } from '../providers/tensor.js';
import type { Labelled } from './labels.js';
import { resolveShape, type ShapeOptions, settleShapes } from './shapes.js';

/** Feeds that are made on access, and again on each pass; they may exceed memory. */
export interface LazyFeeds extends AsyncIterable<Tensors> {
  /** Number of feeds. */
  readonly length: number;
}

/** Input tensors, one `Tensors` per run; `for await` iterates over either kind. */
export type Feeds = readonly Tensors[] | LazyFeeds;

/** Returns the first feed; undefined if there is none. */
export async function firstFeed(feeds: Feeds): Promise<Tensors | undefined> {
  return (await firstFeeds(feeds, 1))[0];
}

/** Returns the first `count` feeds, or fewer. */
export async function firstFeeds(feeds: Feeds, count: number): Promise<Tensors[]> {
  const found: Tensors[] = [];
  for await (const feed of feeds) {
    found.push(feed);
    if (found.length >= count) break;
  }
  return found;
}

/** A data set: inputs for runs, with labels or expected outputs if known. */
export interface Dataset<F extends Feeds = readonly Tensors[]> extends Labelled {
  readonly source: 'seed' | 'npz' | 'onnx-test' | 'images';
  readonly seed?: number;
  readonly feeds: F;
  /** Notes about the data for the report. */
  readonly notes?: readonly string[];
  /** Option that each note advises, by note. */
  readonly noteOptions?: Readonly<Record<string, OptionHint>>;
  /** Number of samples; default: the sum of the first dimensions of the first input. */
  readonly samples?: number;
  /** Expected outputs of the original, one `Tensors` per run; missing outputs are not checked. */
  readonly expected?: readonly Tensors[];
  /** For noise: the number of the attempt at sizes of free dimensions, from 0. */
  readonly attempt?: number;
  /** Makes the same noise with the sizes of the next attempt; undefined after the last, and if the sizes are given. */
  readonly next?: (() => Dataset<F>) | undefined;
}

/** Returns the number of samples in a run. */
export async function samplesOfRun({
  feeds,
  samples,
}: Pick<Dataset<Feeds>, 'feeds' | 'samples'>): Promise<number> {
  if (samples !== undefined) return Math.max(1, samples / feeds.length);
  const [first] = Object.values((await firstFeed(feeds)) ?? {});
  return Math.max(1, first?.dims[0] ?? 1);
}

/** Returns the number of samples in some runs of a data set. ONNX test cases may have different numbers of samples. */
export async function countSamples(dataset: Dataset<Feeds>, feeds: Feeds): Promise<number> {
  if (dataset.samples !== undefined)
    return Math.round((dataset.samples * feeds.length) / dataset.feeds.length);
  let count = 0;
  for await (const feed of feeds) count += Object.values(feed)[0]?.dims[0] ?? 1;
  return count;
}

/**
 * Returns seeded noise for every input: normal numbers for floats, integers from 0 to 9 for integers (almost always
 * valid as indices and tokens), random bools. A seed gives the same feeds on every machine. `settleShapes` chooses
 * the sizes of free dimensions, by the number of the attempt; `runnableNoise` makes the attempts. Throws as `settleShapes` does, and `bad-data` for types without noise.
 *
 * @example
 * import { getProvider } from 'onnx-mish/node';
 * import { seededFeeds } from 'onnx-mish/validate';
 *
 * const { inputs } = await getProvider('cpu').open('model.onnx');
 * const { feeds } = seededFeeds(inputs, { seed: 7, count: 4, dims: { N: 1 } });
 */
export function seededFeeds(
  inputs: readonly ValueInfo[],
  options: ShapeOptions & {
    readonly seed?: number | undefined;
    readonly count?: number | undefined;
    readonly attempt?: number | undefined;
  },
): Dataset {
  const { seed = 0, count = 1, attempt = 0 } = options;
  const random = createRandom(seed);
  const settled = settleShapes(inputs, options, attempt);
  checkSize(inputs, settled, count);
  const feeds = Array.from({ length: count }, () =>
    Object.fromEntries(
      inputs.map((input) => [input.name, noise(input, resolveShape(input, settled), random)]),
    ),
  );
  const { notes, noteOptions, hasNext } = settled;
  const next = hasNext ? () => seededFeeds(inputs, { ...options, attempt: attempt + 1 }) : undefined;
  return { source: 'seed', seed, feeds, notes, noteOptions, attempt, next };
}

/** Maximum number of elements of all noise: one gigabyte of float32, which takes a few seconds. */
const MAX_NOISE_ELEMENTS = 2 ** 28;

/** Throws `bad-data` for too much noise, before creating it. */
function checkSize(inputs: readonly ValueInfo[], settled: ShapeOptions, count: number): void {
  let total = 0;
  for (const input of inputs) {
    const dims = resolveShape(input, settled);
    total += elementCount(dims) * count;
    if (total <= MAX_NOISE_ELEMENTS) continue;
    throw new OnnxMishError(
      'bad-data',
      `${plural(count, 'run')} of noise with the shape [${dims}] for input '${input.name}' are more than ${integer(MAX_NOISE_ELEMENTS)} elements`,
      { fix: 'Give fewer runs, or smaller sizes', option: { dims: null, shapes: null } },
    );
  }
}

const INTEGER_COUNT = 10;

function noise({ name, elemType }: ValueInfo, dims: number[], random: Random): Tensor {
  const length = elementCount(dims);
  const whole = () => Math.floor(random() * INTEGER_COUNT);
  if (elemType === 'string') return { elemType, dims, data: Array.from({ length }, () => String(whole())) };
  const data = arrayFor(elemType, length);
  if (data === undefined) {
    throw new OnnxMishError(
      'bad-data',
      elemType === CONTAINER_TYPE
        ? `input '${name}' is a sequence, a map or an optional, and only tensors can be fed`
        : `input '${name}' has type ${elemType}, for which no data can be made up`,
      {
        ...(elemType === CONTAINER_TYPE
          ? { fix: 'Run a model whose inputs are tensors' }
          : { fix: 'Give samples', option: { data: null } }),
      },
    );
  }
  for (let index = 0; index < length; index++) {
    if (data instanceof BigInt64Array || data instanceof BigUint64Array) data[index] = BigInt(whole());
    else if (elemType === 'f16') data[index] = toHalf(normal(random));
    else if (elemType === 'bf16') data[index] = toBfloat16(normal(random));
    else if (data instanceof Float32Array || data instanceof Float64Array) data[index] = normal(random);
    else data[index] = elemType === 'bool' ? whole() % 2 : whole();
  }
  return { elemType, dims, data };
}
