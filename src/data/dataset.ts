import { OnnxMishError } from '../base/error.js';
import { own } from '../base/own.js';
import { createRandom, normal, type Random } from '../base/random.js';
import { toBfloat16, toHalf } from '../onnx/scalar.js';
import type { ValueInfo } from '../providers/provider.js';
import { arrayFor, elementCount, type Tensor, type Tensors } from '../providers/tensor.js';

/** Feeds that are made as they are asked for, each time anew: more of them than memory holds. */
export interface LazyFeeds extends AsyncIterable<Tensors> {
  /** How many there are. */
  readonly length: number;
}

/** One `Tensors` a run. `for await` goes over either kind. */
export type Feeds = readonly Tensors[] | LazyFeeds;

/** The first of them; undefined where there are none. */
export async function firstFeed(feeds: Feeds): Promise<Tensors | undefined> {
  return (await firstFeeds(feeds, 1))[0];
}

/** The first so many of them, or fewer. */
export async function firstFeeds(feeds: Feeds, count: number): Promise<Tensors[]> {
  const found: Tensors[] = [];
  for await (const feed of feeds) {
    found.push(feed);
    if (found.length >= count) break;
  }
  return found;
}

/** What runs are fed. */
export interface Dataset<F extends Feeds = readonly Tensors[]> {
  readonly source: 'seed' | 'npz' | 'onnx-test' | 'images';
  readonly seed?: number;
  readonly feeds: F;
  /** What a reader has to know of them. */
  readonly notes?: readonly string[];
  /** How many samples the feeds are; runs times the first dimension of the first input unless given. */
  readonly samples?: number;
  /** The class of every sample, in the order of the feeds. */
  readonly labels?: readonly number[];
  /** What the original is known to give, a `Tensors` a run; outputs that are not in it are not checked. */
  readonly expected?: readonly Tensors[];
}

export interface ShapeOptions {
  /** Whole shapes, by input name. */
  readonly shapes?: Readonly<Record<string, readonly number[]>> | undefined;
  /** Values of symbolic dimensions, by symbol. */
  readonly dims?: Readonly<Record<string, number>> | undefined;
}

/**
 * The shape to feed an input with. Throws `bad-data`, with the option to give, where a dimension is free
 * and nothing says its size. ONNX Runtime gives no dims for a scalar and for an unknown rank: any shape fits
 * those, and without one it is a scalar.
 */
export function resolveShape(input: ValueInfo, { shapes, dims }: ShapeOptions): number[] {
  const given = own(shapes, input.name);
  const model = input.dims;
  if (given !== undefined) {
    const fits =
      given.length === model.length &&
      given.every(
        (dim, axis) => typeof model[axis] === 'string' || model[axis] === dim || Number(model[axis]) < 0,
      );
    if (fits || model.length === 0) return [...given];
    throw new OnnxMishError(
      'bad-data',
      `the shape [${given}] does not fit input '${input.name}', which is [${model}]`,
      { fix: 'Correct --shape' },
    );
  }
  return model.map((dim, axis) => {
    if (typeof dim === 'number' && dim >= 0) return dim;
    const size = typeof dim === 'string' ? own(dims, dim) : undefined;
    if (size !== undefined) return size;
    const named = typeof dim === 'string' && dim !== '';
    const example = model.map((other) => (typeof other === 'number' && other >= 0 ? other : 1)).join('x');
    throw new OnnxMishError(
      'bad-data',
      `dimension ${axis}${named ? ` ('${dim}')` : ''} of input '${input.name}' is free`,
      {
        fix: `Give its size${named ? ` with --dim '${dim}=1'` : ''}${named ? ' or' : ''} with --shape '${input.name}=${example}'`,
      },
    );
  });
}

/**
 * Seeded noise for every input: normal for floats, small whole numbers for integers (they are valid
 * indices and tokens almost everywhere), a coin for bools. The same seed gives the same feeds anywhere.
 * Throws `bad-data` for free dimensions and for types that cannot be made up.
 */
export function seededFeeds(
  inputs: readonly ValueInfo[],
  options: ShapeOptions & { readonly seed?: number | undefined; readonly count?: number | undefined },
): Dataset {
  const { seed = 0, count = 1 } = options;
  const random = createRandom(seed);
  const feeds = Array.from({ length: count }, () =>
    Object.fromEntries(
      inputs.map((input) => [input.name, noise(input, resolveShape(input, options), random)]),
    ),
  );
  return { source: 'seed', seed, feeds };
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
      `input '${name}' has type ${elemType}, for which no data can be made up`,
      {
        fix: 'Give samples with --data',
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
