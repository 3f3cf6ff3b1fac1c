// Samples with random access, for training.

import { OnnxMishError } from '../base/error.js';
import { integer, plural } from '../base/plural.js';
import type { ValueInfo } from '../providers/provider.js';
import { elementCount, type Tensor, type Tensors, type TypedArray, toNumbers } from '../providers/tensor.js';
import { convert } from './convert.js';
import { digestArrays } from './digest-arrays.js';
import { arrayOf, checkLayout, preparedSamples, type SampleOptions } from './prepare-samples.js';

/** Element type and shape of a tensor. */
export interface TensorType {
  readonly elemType: string;
  readonly dims: readonly number[];
}

/** Samples of a model's inputs, in any order and any number of times. */
export interface Samples {
  /** Number of samples. */
  readonly count: number;
  /** Type of one sample of each input, without the axis of samples. */
  readonly inputs: Readonly<Record<string, TensorType>>;
  /** Copies samples into the arrays of a batch, in the order of the indices. */
  read(indices: ArrayLike<number>, batch: Tensors): Promise<void> | void;
  /** Returns a digest of all samples, to which a checkpoint belongs. Without it, a checkpoint belongs to their number and types. */
  digest?(): Promise<string>;
}

/** Input of a model as samples must fit it; null is a free dimension. */
export interface SampledInput {
  readonly name: string;
  readonly elemType: string;
  /** The dimensions after the batch axis; undefined if the rank is unknown. */
  readonly inner: readonly (number | null)[] | undefined;
}

/**
 * Returns samples from arrays whose first axis counts samples. Arrays go to the input with their name; a single array
 * goes to a single input. Throws `bad-data` for arrays that do not fit the inputs, and for NaN and infinite values, and
 * `bad-usage` for a layout that does not fit.
 */
export function arraySamples(
  arrays: Readonly<Record<string, Tensor>>,
  inputs: readonly SampledInput[],
  options: SampleOptions = {},
): Samples {
  const names = Object.keys(arrays);
  const columns = inputs.map((input) => {
    const info = infoOf(input);
    const array = arrayOf(arrays, names, info, inputs.length);
    return columnOf(preparedSamples(info, array, options, inputs.length), input);
  });
  const [first, ...others] = columns;
  const count = first?.count ?? 0;
  const other = others.find((column) => column.count !== count);
  if (first !== undefined && other !== undefined) {
    throw bad(
      `input '${other.name}' has ${plural(other.count, 'sample')}, but '${first.name}' has ${integer(count)}`,
      'Give the same number of samples for each input',
    );
  }
  let digest: Promise<string> | undefined;
  return {
    count,
    digest: () => (digest ??= digestArrays(columns)),
    inputs: Object.fromEntries(columns.map(({ name, elemType, dims }) => [name, { elemType, dims }])),
    read(indices, batch) {
      for (const { name, length, data } of columns) {
        const into = batch[name]?.data as Float32Array; // every type of number has the methods used here
        for (let place = 0; place < indices.length; place++) {
          const from = (indices[place] ?? 0) * length;
          into.set((data as Float32Array).subarray(from, from + length), place * length);
        }
      }
    },
  };
}

/** Returns an input of samples as one of the model; its first dimension counts samples. */
const infoOf = ({ name, elemType, inner = [] }: SampledInput): ValueInfo => ({
  name,
  elemType,
  dims: ['N', ...inner.map((dim) => dim ?? '')],
});

/** The samples of one input. */
interface Column extends TensorType {
  readonly name: string;
  readonly count: number;
  /** Number of elements of a sample. */
  readonly length: number;
  readonly data: TypedArray;
}

function columnOf(array: Tensor, input: SampledInput): Column {
  const { name, elemType, inner } = input;
  const [count = 0, ...dims] = array.dims;
  const length = elementCount(dims);
  if (array.data.length !== count * length) {
    throw bad(
      `the array for input '${name}' has ${plural(array.data.length, 'element')} for shape [${array.dims}]`,
      'Give data that fills the shape',
    );
  }
  const fits =
    inner === undefined ||
    (inner.length === dims.length && inner.every((dim, axis) => dim === null || dim === dims[axis]));
  if (!fits) {
    checkLayout(infoOf(input), array.dims);
    throw bad(
      `the samples for input '${name}' have shape [${array.dims}], but the input takes [${['N', ...inner.map((dim) => dim ?? '?')].join(', ')}]`,
      'Make the first axis count samples, and the others equal the input’s',
    );
  }
  return { name, count, length, elemType, dims, data: numbersFor(array, elemType, name, length) };
}

/** Returns the elements in a type that a batch's array takes. Copies them only if it must. */
function numbersFor(array: Tensor, elemType: string, name: string, length: number): TypedArray {
  const { data } = array;
  if (/^b?f\d/.test(array.elemType)) checkFinite(toNumbers(array) ?? [], name, length);
  const widens = elemType === 'f32' && /^(f64|[iu](8|16|32)|bool)$/.test(array.elemType);
  const converted = widens ? data : convert(array, elemType, name);
  if (ArrayBuffer.isView(converted)) return converted;
  throw bad(`input '${name}' takes strings, which cannot be trained on`, 'Train a model with numeric inputs');
}

/**
 * Throws `bad-data` for the first value that is NaN or infinite. `length` is the number of elements of a sample, and `numberOf`
 * gives the number of a sample in messages.
 */
export function checkFinite(
  data: ArrayLike<number>,
  name: string,
  length: number,
  {
    numberOf = (sample) => sample,
    where,
  }: { readonly numberOf?: (sample: number) => number; readonly where?: string | undefined } = {},
): void {
  for (let at = 0; at < data.length; at++) {
    const value = data[at] as number;
    if (value - value === 0) continue; // NaN and infinities give NaN
    const what = `the data of '${name}' contain ${value} in sample ${numberOf(Math.floor(at / length))}`;
    throw new OnnxMishError('bad-data', what, { where, fix: 'Remove the sample, or replace the value' });
  }
}

/** Returns some of the samples. */
export function chosenSamples(samples: Samples, chosen: ArrayLike<number>): Samples {
  const data = Uint32Array.from(chosen);
  const digest = async () =>
    digestArrays([{ name: (await samples.digest?.()) ?? '', elemType: 'u32', dims: [data.length], data }]);
  return {
    count: chosen.length,
    inputs: samples.inputs,
    ...(samples.digest && { digest }),
    read: (indices, batch) =>
      samples.read(
        Uint32Array.from(indices, (index) => data[index] ?? 0),
        batch,
      ),
  };
}

/** Returns whether a value is `Samples`, and not arrays by name. */
export const isSamples = (value: Samples | Readonly<Record<string, Tensor>>): value is Samples =>
  typeof value.read === 'function';

function bad(what: string, fix: string): OnnxMishError {
  return new OnnxMishError('bad-data', what, { fix });
}
