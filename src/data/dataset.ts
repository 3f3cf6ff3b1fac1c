import { OnnxMishError } from '../base/error.js';
import type { OptionHint } from '../base/option-hint.js';
import { createRandom, normal, type Random } from '../base/random.js';
import { toBfloat16, toHalf } from '../onnx/scalar.js';
import { CONTAINER } from '../providers/ort-types.js';
import type { ValueInfo } from '../providers/provider.js';
import { arrayFor, elementCount, type Tensor, type Tensors } from '../providers/tensor.js';
import { resolveShape, type ShapeOptions, settleShapes } from './shapes.js';

/** Feeds that are made as they are asked for, each time anew: more of them than memory holds. */
export interface LazyFeeds extends AsyncIterable<Tensors> {
  /** How many there are. */
  readonly length: number;
}

/** One `Tensors` a run. `for await` goes over either kind. */
export type Feeds = readonly Tensors[] | LazyFeeds;

/** Returns the first feed; undefined where there is none. */
export async function firstFeed(feeds: Feeds): Promise<Tensors | undefined> {
  return (await firstFeeds(feeds, 1))[0];
}

/** Returns the first feeds, at most `count`. */
export async function firstFeeds(feeds: Feeds, count: number): Promise<Tensors[]> {
  const found: Tensors[] = [];
  for await (const feed of feeds) {
    found.push(feed);
    if (found.length >= count) break;
  }
  return found;
}

/** Feeds of all runs, with their labels and source. */
export interface Dataset<F extends Feeds = readonly Tensors[]> {
  readonly source: 'seed' | 'npz' | 'onnx-test' | 'images';
  readonly seed?: number;
  readonly feeds: F;
  /** What a reader has to know of them. */
  readonly notes?: readonly string[];
  /** The options that notes advise, by the note. */
  readonly noteOptions?: Readonly<Record<string, OptionHint>>;
  /** How many samples the feeds are; runs times the first dimension of the first input unless given. */
  readonly samples?: number;
  /** The class of every sample, in the order of the feeds. */
  readonly labels?: readonly number[];
  /** What the original is known to give, a `Tensors` a run; outputs that are not in it are not checked. */
  readonly expected?: readonly Tensors[];
}

/**
 * Makes seeded noise for every input: normal for floats, small whole numbers for integers (they are valid
 * indices and tokens almost everywhere), a coin for bools. The same seed gives the same feeds anywhere.
 * Free dimensions get a size as `settleShapes` says. Throws as it does, and `bad-data` for types that cannot be made up.
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
  options: ShapeOptions & { readonly seed?: number | undefined; readonly count?: number | undefined },
): Dataset {
  const { seed = 0, count = 1 } = options;
  const random = createRandom(seed);
  const settled = settleShapes(inputs, options);
  checkSize(inputs, settled, count);
  const feeds = Array.from({ length: count }, () =>
    Object.fromEntries(
      inputs.map((input) => [input.name, noise(input, resolveShape(input, settled), random)]),
    ),
  );
  const { notes, noteOptions } = settled;
  return { source: 'seed', seed, feeds, notes, noteOptions };
}

/** Elements of all noise together: a gigabyte of float32, which takes some seconds. */
const MAX_NOISE_ELEMENTS = 2 ** 28;

/** Throws `bad-data` for more noise than is worth making, before any of it is made. */
function checkSize(inputs: readonly ValueInfo[], settled: ShapeOptions, count: number): void {
  let total = 0;
  for (const input of inputs) {
    const dims = resolveShape(input, settled);
    total += elementCount(dims) * count;
    if (total <= MAX_NOISE_ELEMENTS) continue;
    throw new OnnxMishError(
      'bad-data',
      `${count} runs of noise with the shape [${dims}] for input '${input.name}' are more than ${MAX_NOISE_ELEMENTS} elements`,
      { fix: 'Give fewer runs, or smaller sizes', option: { dims: null, shapes: null } },
    );
  }
}

const LARGEST_INTEGER = 10;

function noise({ name, elemType }: ValueInfo, dims: number[], random: Random): Tensor {
  const length = elementCount(dims);
  const whole = () => Math.floor(random() * LARGEST_INTEGER);
  if (elemType === 'string') return { elemType, dims, data: Array.from({ length }, () => String(whole())) };
  const data = arrayFor(elemType, length);
  if (data === undefined) {
    throw new OnnxMishError(
      'bad-data',
      elemType === CONTAINER
        ? `input '${name}' is a sequence, a map or an optional, and only tensors can be fed`
        : `input '${name}' has type ${elemType}, for which no data can be made up`,
      {
        ...(elemType === CONTAINER
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
