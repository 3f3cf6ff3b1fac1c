// Changes of samples that their file's convention makes necessary.
import { OnnxMishError } from '../base/error.js';
import { ownProperty } from '../base/own.js';
import type { ValueInfo } from '../providers/provider.js';
import { arrayFor, type Tensor, toNumbers } from '../providers/tensor.js';
import { LAYOUTS, type Layout } from './images.js';

/** Changes that samples need before the model takes them. */
export interface SampleOptions {
  /** Factor for the samples of float inputs, or of the only input, such as 1/255 for bytes. */
  readonly scale?: number | undefined;
  /**
   * Position of the channels in arrays of images. They are transposed if the model has another, and if the dimensions of the model
   * leave that open.
   */
  readonly dataLayout?: Layout | undefined;
}

/** Orders of the axes for a transposition to the other layout. */
const TO_OTHER: Readonly<Record<Layout, readonly number[]>> = { nchw: [0, 2, 3, 1], nhwc: [0, 3, 1, 2] };

const transposedDims = (shape: readonly number[], layout: Layout) =>
  TO_OTHER[layout].map((axis) => shape[axis] ?? 0);

/** Returns the layout in which an array of images fits an input after a transposition, if only that fits. */
export function otherLayout({ dims }: ValueInfo, shape: readonly number[]): Layout | undefined {
  if (dims.length !== 4 || shape.length !== 4 || fits(dims, shape)) return undefined;
  const found = LAYOUTS.filter((layout) => fits(dims, transposedDims(shape, layout)));
  return found.length === 1 ? found[0] : undefined;
}

/** Throws `bad-data`, with the option to set, if an array of images fits an input only after a transposition. */
export function checkLayout(input: ValueInfo, shape: readonly number[]): void {
  const layout = otherLayout(input, shape);
  if (layout === undefined) return;
  const place = layout === 'nhwc' ? 'last' : 'first';
  const { name, dims } = input;
  const known = dims.map((dim) => (dim === '' ? '?' : dim));
  throw new OnnxMishError(
    'bad-data',
    `the samples for input '${name}' have their channels ${place}: they are [${shape}], and the input is [${known}]`,
    { fix: 'Have them transposed', option: { dataLayout: layout } },
  );
}

/** Returns whether the dimensions after the first, which counts samples, are those of the model where it has numbers. */
export function fits(dims: ValueInfo['dims'], shape: readonly number[]): boolean {
  return dims.every((dim, axis) => axis === 0 || typeof dim === 'string' || dim < 0 || dim === shape[axis]);
}

/**
 * Returns the array for an input: the one with its name. If the model has one input, `inputs` being their number, it also takes the only
 * array of `names`, or the only one that fits its shape, in either layout; a vector could as well be labels. Throws `bad-data` without
 * an array.
 */
export function arrayOf(
  arrays: Readonly<Record<string, Tensor>>,
  names: readonly string[],
  input: ValueInfo,
  inputs: number,
): Tensor {
  const named = ownProperty(arrays, input.name);
  if (named !== undefined) return named;
  const candidates = inputs === 1 ? names.flatMap((name) => ownProperty(arrays, name) ?? []) : [];
  const fitting = candidates.filter(
    ({ dims }) =>
      dims.length >= 2 &&
      dims.length === input.dims.length &&
      (fits(input.dims, dims) || otherLayout(input, dims) !== undefined),
  );
  const [array] = candidates.length === 1 ? candidates : fitting;
  if (array !== undefined && (candidates.length === 1 || fitting.length === 1)) return array;
  throw new OnnxMishError('bad-data', `input '${input.name}' has no array`, {
    fix: `Name an array '${input.name}'; the arrays are ${names.join(', ')}`,
  });
}

/**
 * Transposes and scales the samples of an input as the options say. `inputs` is the number of the model's inputs: beside others, an input
 * of integers, such as tokens, is not scaled. Throws `bad-usage` for a layout that does not fit the input.
 */
export function preparedSamples(
  input: ValueInfo,
  array: Tensor,
  options: SampleOptions,
  inputs: number,
): Tensor {
  const { dataLayout, scale } = options;
  const laidOut = dataLayout === undefined ? array : inModelLayout(input, array, dataLayout);
  const isScaled = inputs === 1 || /^b?f\d/.test(input.elemType);
  return isScaled ? scaled(laidOut, scale, input.elemType === 'f32' ? 'f32' : 'f64') : laidOut;
}

/** Transposes an array of images if the model may have another layout than `layout`, which the array has. */
function inModelLayout(input: ValueInfo, array: Tensor, layout: Layout): Tensor {
  const { dims } = array;
  if (dims.length !== 4) return array;
  if (fits(input.dims, transposedDims(dims, layout))) return transposed(array, TO_OTHER[layout]);
  if (fits(input.dims, dims)) return array;
  throw new OnnxMishError(
    'bad-usage',
    `samples [${dims}] as ${layout} do not fit input '${input.name}', which is [${input.dims}]`,
    { fix: 'Leave out the layout, or correct the samples', option: { dataLayout: null } },
  );
}

function transposed({ elemType, dims, data }: Tensor, order: readonly number[]): Tensor {
  const shape = order.map((axis) => dims[axis] ?? 1);
  const strides = dims.map((_, axis) => dims.slice(axis + 1).reduce((product, dim) => product * dim, 1));
  const [a = 0, b = 0, c = 0, d = 0] = order.map((axis) => strides[axis] ?? 1);
  const [n = 0, x = 0, y = 0, z = 0] = shape;
  const out = data.slice() as Float32Array; // every type of elements has the methods used here
  const from = data as Float32Array;
  let to = 0;
  for (let i = 0; i < n; i++)
    for (let j = 0; j < x; j++)
      for (let k = 0; k < y; k++)
        for (let l = 0; l < z; l++) out[to++] = from[i * a + j * b + k * c + l * d] as number;
  return { elemType, dims: shape, data: out };
}

function scaled(array: Tensor, scale: number | undefined, elemType: 'f32' | 'f64'): Tensor {
  if (scale === undefined) return array;
  const numbers = toNumbers(array);
  const out = arrayFor(elemType, numbers?.length ?? 0) as Float64Array;
  if (numbers === undefined) return array;
  for (let at = 0; at < out.length; at++) out[at] = (numbers[at] ?? 0) * scale;
  return { elemType, dims: array.dims, data: out };
}
